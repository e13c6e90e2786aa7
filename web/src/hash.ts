// Compares a file of the reader's disk with the result of a cut.

import workerUrl from "./hash-worker?worker";
import type { Report, Task } from "./hash-worker";

export interface Expected {
  /** SHA-256 of the result before compression, in hex. */
  sha256: string;
  bytes: number;
}

export interface Comparison {
  isSame: boolean;
  /** Length of what was compared. */
  bytes: number;
  /** Null if the lengths differ already. */
  sha256: string | null;
  /** Whether the file was unzipped. */
  isUnzipped: boolean;
}

/** TypeScript does not know Trusted Types yet. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}
interface Policy {
  createScriptURL(url: string): URL;
}

let policy: Policy | undefined;

/** The only address from which this page starts a worker. */
function trustedUrl(): URL | string {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  policy ??= trustedTypes?.createPolicy("hash-worker", { createScriptURL: () => workerUrl });
  return policy?.createScriptURL(workerUrl) ?? workerUrl;
}

type Finished = Exclude<Report, { kind: "progress" }>;

function run(task: Task, onProgress: (bytes: number) => void, signal: AbortSignal): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(trustedUrl());
    const end = () => {
      worker.terminate();
      signal.removeEventListener("abort", abort);
    };
    const abort = () => {
      end();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", abort);
    worker.onmessage = ({ data }: MessageEvent<Report>) => {
      if (data.kind === "progress") return onProgress(data.bytes);
      end();
      resolve(data);
    };
    worker.onerror = ({ message }) => {
      end();
      reject(new Error(message));
    };
    worker.postMessage(task);
  });
}

async function isGzip(file: Blob): Promise<boolean> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  return first === 0x1f && second === 0x8b;
}

/**
 * Compares a file with the result of a cut. The hash of a result is the one before compression, so a .gz file is
 * unzipped first.
 *
 * @throws if the file cannot be read
 */
export async function compare(
  file: Blob,
  expected: Expected,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Comparison> {
  const gunzip = await isGzip(file);
  const unzipped = gunzip ? await run({ file, gunzip }, onProgress, signal) : null;
  if (unzipped?.kind === "done") return { ...compared(unzipped, expected), isUnzipped: true };
  // A .gz file that was cut short cannot be unzipped, but it can be read.
  if (file.size !== expected.bytes)
    return { isSame: false, sha256: null, bytes: file.size, isUnzipped: false };
  const plain = await run({ file, gunzip: false }, onProgress, signal);
  if (plain.kind === "failed") throw new Error(plain.detail);
  return { ...compared(plain, expected), isUnzipped: false };
}

const compared = ({ sha256, bytes }: { sha256: string; bytes: number }, expected: Expected) => ({
  isSame: sha256 === expected.sha256,
  sha256,
  bytes,
});
