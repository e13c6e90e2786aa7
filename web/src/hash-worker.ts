// Computes the SHA-256 of a file, piece by piece, away from the page.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

export interface Task {
  file: Blob;
  /** Whether to unzip the file first. */
  gunzip: boolean;
}

export type Report =
  | { kind: "progress"; bytes: number }
  /** `bytes`: the length of what was hashed. */
  | { kind: "done"; sha256: string; bytes: number }
  | { kind: "failed"; detail: string };

const REPORT_MS = 100;
const report = (message: Report): void => postMessage(message);

/** Passes bytes on, and reports how many bytes of the file were read. */
function counted(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  let last = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      const now = performance.now();
      if (now - last > REPORT_MS) {
        last = now;
        report({ kind: "progress", bytes });
      }
      controller.enqueue(chunk);
    },
  });
}

async function hash({ file, gunzip }: Task): Promise<Report> {
  const read = file.stream().pipeThrough(counted());
  const stream = gunzip ? read.pipeThrough(new DecompressionStream("gzip")) : read;
  const digest = sha256.create();
  let bytes = 0;
  const reader = stream.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    digest.update(next.value);
    bytes += next.value.byteLength;
  }
  return { kind: "done", sha256: bytesToHex(digest.digest()), bytes };
}

onmessage = ({ data }: MessageEvent<Task>) => {
  hash(data).then(report, (error: unknown) => report({ kind: "failed", detail: String(error) }));
};
