// Uploads: a queue of files, each of which is sent by tus and can be paused, continued and cancelled.
//
// tus-js-client itself never tries again here (`retryDelays: null`), because it would begin from zero after a 401 or a
// 429. This file decides after each error whether to wait, to renew the token, to begin again, or to give up.

import type { Upload } from "tus-js-client";
import type { FileView, Profile } from "./api";
import * as idb from "./idb";
import * as net from "./net";
import { Problem } from "./net";
import { t } from "./strings";

/** Where the files go: into the account of the user, or through a link. */
export interface Target {
  /** Whose uploads these are. After a reload, only uploads with the same owner are shown. */
  owner: string;
  endpoint: string;
  /** Returns the headers that each request needs. */
  headers(): Promise<Record<string, string>>;
  /** Replaces an access token that the server refused. Without this function, the response 401 is final. */
  renew?(token: string): Promise<void>;
  /** Returns how many bytes of an unfinished upload the server has. */
  getOffset(url: string): Promise<number>;
  /** Ends an unfinished upload. */
  end(url: string): Promise<unknown>;
  /** Returns what this browser keeps of the address of an upload, and the address of what was kept. */
  kept(url: string): string;
  urlOf(kept: string): string;
  /** Refuses a file before any byte is sent. */
  refuse?(file: File): Problem | null;
  getFile(id: string): Promise<FileView>;
  getProfile(id: string): Promise<Profile | null>;
}

export type UploadStatus = "queued" | "sending" | "waiting" | "paused" | "needsFile" | "failed" | "done";

export interface Item {
  readonly key: string;
  readonly name: string;
  readonly size: number;
  status: UploadStatus;
  sent: number;
  /** Bytes per second over the last seconds; null until known. */
  speed: number | null;
  problem: Problem | null;
  /** The stored file, after the upload. */
  result: FileView | null;
  profile: Profile | "loading" | "none";
}

/** What is kept about an unfinished upload, so that it can continue after a reload. */
interface Stored {
  fingerprint: string;
  user: string;
  name: string;
  size: number;
  url: string;
  sent: number;
}

interface Work {
  item: Item;
  fingerprint: string;
  file: File | null;
  url: string | null;
  /** Makes a repeated creation return the first upload. */
  creationKey: string;
  upload: Upload | null;
  failures: number;
  timer?: ReturnType<typeof setTimeout>;
  samples: [time: number, sent: number][];
  release: (() => void) | null;
}

const CHUNK_BYTES = 8 * 1024 * 1024;
const AT_ONCE = 2;
const MAX_WAIT_SECONDS = 30;

let target: Target;
let works: Work[] = [];
let snapshot: readonly Item[] = [];
const listeners = new Set<() => void>();
const fileListeners = new Set<(file: FileView) => void>();
let isQueued = false;

export const uploads = (): readonly Item[] => snapshot;

export function onUploads(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Calls `listener` with each file that was stored. */
export function onStored(listener: (file: FileView) => void): () => void {
  fileListeners.add(listener);
  return () => fileListeners.delete(listener);
}

function changed(now = true): void {
  const tell = () => {
    isQueued = false;
    snapshot = works.map(({ item }) => ({ ...item }));
    for (const listener of listeners) listener();
  };
  if (now) return tell();
  if (isQueued) return;
  isQueued = true;
  setTimeout(tell, 250);
}

const fingerprintOf = (file: File): string =>
  `${target.owner}/${file.name}/${file.size}/${file.lastModified}`;
const lockOf = (fingerprint: string): string => `cutty-upload ${fingerprint}`;

function newWork(fingerprint: string, name: string, size: number, status: UploadStatus): Work {
  const item: Item = {
    key: crypto.randomUUID(),
    name,
    size,
    status,
    sent: 0,
    speed: null,
    problem: null,
    result: null,
    profile: "none",
  };
  const creationKey = crypto.randomUUID();
  return {
    item,
    fingerprint,
    file: null,
    url: null,
    creationKey,
    upload: null,
    failures: 0,
    samples: [],
    release: null,
  };
}

/** Shows the unfinished uploads of this owner that no other tab is sending. */
export async function beginUploads(next: Target): Promise<void> {
  if (target?.owner === next.owner) return;
  target = next;
  const { held = [] } = await navigator.locks.query();
  const busy = new Set(held.map(({ name }) => name));
  for (const stored of await idb.all<Stored>("uploads")) {
    if (stored.user !== target.owner || busy.has(lockOf(stored.fingerprint))) continue;
    if (works.some((work) => work.fingerprint === stored.fingerprint)) continue;
    const work = newWork(stored.fingerprint, stored.name, stored.size, "needsFile");
    work.url = target.urlOf(stored.url);
    work.item.sent = stored.sent;
    works.push(work);
  }
  // The server may have more or fewer bytes than this browser has noted.
  await Promise.all(works.map(readOffset));
  changed();
}

async function readOffset(work: Work): Promise<void> {
  const { item, url } = work;
  if (item.status !== "needsFile" || !url) return;
  try {
    const sent = await target.getOffset(url);
    if (sent >= 0 && item.status === "needsFile") item.sent = sent;
  } catch (error) {
    if (!(error instanceof Problem) || (error.status !== 404 && error.status !== 410)) return;
    // It has expired: the server has none of its bytes.
    work.url = null;
    item.sent = 0;
    await idb.remove("uploads", work.fingerprint);
  }
}

export function addFiles(files: Iterable<File>): void {
  const added: Work[] = [];
  for (const file of files) {
    const fingerprint = fingerprintOf(file);
    const known = works.find((work) => work.fingerprint === fingerprint && work.item.status !== "done");
    if (known) {
      if (known.item.status === "needsFile") Object.assign(known, { file }).item.status = "queued";
      continue;
    }
    const work = newWork(fingerprint, file.name, file.size, "queued");
    work.item.problem = target.refuse?.(file) ?? null;
    if (work.item.problem) work.item.status = "failed";
    work.file = file;
    added.push(work);
  }
  works = [...added, ...works];
  changed();
  next();
}

/** Continues an unfinished upload with the file that the user chose. Returns false if it is another file. */
export function giveFile(key: string, file: File): boolean {
  const work = find(key);
  if (!work || fingerprintOf(file) !== work.fingerprint) return false;
  addFiles([file]);
  return true;
}

const find = (key: string): Work | undefined => works.find(({ item }) => item.key === key);

function next(): void {
  for (const work of [...works].reverse()) {
    const busy = works.filter(({ item }) => item.status === "sending" || item.status === "waiting").length;
    if (busy >= AT_ONCE) return;
    if (work.item.status === "queued") void start(work);
  }
}

export function pause(key: string): void {
  const work = find(key);
  if (!work) return;
  clearTimeout(work.timer);
  work.item.status = "paused";
  work.item.speed = null;
  void work.upload?.abort();
  changed();
  next();
}

export function resume(key: string): void {
  const work = find(key);
  if (!work?.file) return;
  work.item.status = "queued";
  work.item.problem = null;
  work.failures = 0;
  changed();
  next();
}

/** Removes an upload from the list. An unfinished upload ends. */
export async function remove(key: string): Promise<void> {
  const work = find(key);
  if (!work) return;
  const { url, item } = work;
  const isDone = item.status === "done";
  if (!isDone) pause(key);
  works = works.filter((other) => other !== work);
  close(work);
  changed();
  await idb.remove("uploads", work.fingerprint);
  // If this fails, the upload expires on the server after 24 hours.
  if (url && !isDone) await target.end(url).catch(() => undefined);
}

function close(work: Work): void {
  work.release?.();
  work.release = null;
  work.upload = null;
  work.file = null;
}

/** Takes the lock of this file. Returns false if another tab is sending the same file. */
const acquire = (work: Work): Promise<boolean> =>
  new Promise((resolve) => {
    if (work.release) return resolve(true);
    void navigator.locks.request(lockOf(work.fingerprint), { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(false);
      return new Promise<void>((release) => {
        work.release = release;
        resolve(true);
      });
    });
  });

async function start(work: Work): Promise<void> {
  const { item } = work;
  item.status = "sending";
  work.samples = [];
  changed();
  if (!(await acquire(work))) {
    item.status = "failed";
    item.problem = new Problem(0, "other_tab", t.upload.otherTabTitle, t.upload.otherTabDetail);
    changed();
    return next();
  }
  let tus: typeof import("tus-js-client");
  try {
    tus = await import("tus-js-client");
  } catch {
    return failed(work, net.noConnection());
  }
  // The user may have paused or removed the upload in the meantime.
  if (item.status !== "sending" || !work.file) return;
  if (!work.upload) work.upload = makeUpload(tus, work, work.file);
  work.upload.start();
}

function makeUpload(tus: typeof import("tus-js-client"), work: Work, file: File): Upload {
  const { item } = work;
  // Callbacks of an upload that was replaced have no effect.
  const isCurrent = () => work.upload === upload && item.status === "sending";
  const upload = new tus.Upload(file, {
    // With an endpoint, tus-js-client would create another upload after a failed HEAD.
    endpoint: work.url ? null : target.endpoint,
    uploadUrl: work.url,
    chunkSize: CHUNK_BYTES,
    retryDelays: null,
    storeFingerprintForResuming: false,
    metadata: { filename: file.name, ...(file.type ? { filetype: file.type } : {}) },
    onBeforeRequest: async (request) => {
      const headers = await target.headers();
      if (!isCurrent()) throw new Error("The upload was paused.");
      for (const [name, value] of Object.entries(headers)) request.setHeader(name, value);
      if (request.getMethod() === "POST") request.setHeader("Idempotency-Key", work.creationKey);
    },
    onUploadUrlAvailable: () => {
      if (!upload.url) return;
      upload.options.endpoint = null;
      work.url = upload.url;
      store(work);
    },
    onProgress: (sent) => {
      if (!isCurrent()) return;
      progressed(work, sent);
      changed(false);
    },
    onChunkComplete: () => {
      work.failures = 0;
      net.setReach("ok");
      store(work);
    },
    onSuccess: ({ lastResponse }) => {
      if (isCurrent()) void succeeded(work, lastResponse.getHeader("X-File-Id") ?? null);
    },
    onError: (error) => {
      if (!isCurrent()) return;
      const response = "originalResponse" in error ? error.originalResponse : null;
      const status = response?.getStatus() ?? 0;
      if (!response || status === 0) {
        const isOurs = "causingError" in error && error.causingError instanceof Problem;
        return failed(work, isOurs ? (error.causingError as Problem) : net.noConnection());
      }
      const problem = net.problemOf(status, (name) => response.getHeader(name), response.getBody());
      const sentToken = "originalRequest" in error ? error.originalRequest?.getHeader("Authorization") : null;
      failed(work, problem, sentToken?.slice("Bearer ".length) ?? null);
    },
  });
  return upload;
}

function store(work: Work): void {
  const { fingerprint, url, item } = work;
  if (!url || !works.includes(work)) return;
  const { name, size, sent } = item;
  const stored: Stored = { fingerprint, user: target.owner, name, size, url: target.kept(url), sent };
  void idb.put("uploads", fingerprint, stored);
}

const WINDOW_MS = 5000;

function progressed(work: Work, sent: number): void {
  const now = performance.now();
  work.item.sent = sent;
  work.samples.push([now, sent]);
  while (work.samples.length > 2 && now - work.samples[0]![0] > WINDOW_MS) work.samples.shift();
  const [from, before] = work.samples[0]!;
  if (now - from > 500) work.item.speed = Math.max(0, ((sent - before) * 1000) / (now - from));
}

const isTemporary = ({ status, code }: Problem): boolean =>
  status === 0 || status === 408 || status === 423 || status === 429 || status >= 500
    ? code !== "quota_exceeded" && code !== "integrity_error"
    : status === 409;

function failed(work: Work, problem: Problem, token: string | null = null): void {
  const { item } = work;
  item.speed = null;
  if (problem.status === 401 && token && target.renew && work.failures < 3) {
    work.failures++;
    // Stays "sending": renewing waits while the user has to sign in again.
    void target.renew(token).then(
      () => item.status === "sending" && work.upload?.start(),
      () => wait(work, problem),
    );
    return changed();
  }
  const isGone = work.url !== null && (problem.status === 404 || problem.status === 410);
  if (isGone && work.failures < 3) {
    // The upload has expired on the server: there is nothing to continue from.
    work.failures++;
    work.url = null;
    work.creationKey = crypto.randomUUID();
    work.upload = null;
    item.sent = 0;
    void idb.remove("uploads", work.fingerprint);
    void start(work);
    return;
  }
  if (isTemporary(problem)) {
    if (problem.status === 0) net.setReach(navigator.onLine ? "down" : "offline");
    return wait(work, problem);
  }
  item.status = "failed";
  item.problem = problem;
  changed();
  next();
}

function wait(work: Work, problem: Problem): void {
  const { item } = work;
  item.status = "waiting";
  item.problem = problem;
  const seconds = problem.retryAfter ?? Math.min(2 ** work.failures, MAX_WAIT_SECONDS);
  work.failures++;
  work.timer = setTimeout(() => again(work), seconds * 1000);
  changed();
}

function again(work: Work): void {
  if (work.item.status !== "waiting") return;
  clearTimeout(work.timer);
  work.item.problem = null;
  void start(work);
}

net.onReach((reach) => {
  if (reach === "ok") for (const work of works) if (work.item.problem?.status === 0) again(work);
});

async function succeeded(work: Work, id: string | null): Promise<void> {
  const { item } = work;
  item.sent = item.size;
  item.status = "done";
  item.speed = null;
  void idb.remove("uploads", work.fingerprint);
  close(work);
  changed();
  next();
  if (!id) return;
  try {
    item.result = await target.getFile(id);
    item.profile = "loading";
    changed();
    for (const listener of fileListeners) listener(item.result);
    await readProfile(work, id);
  } catch (error) {
    item.problem = error instanceof Problem ? error : net.noConnection();
    changed();
  }
}

async function readProfile(work: Work, id: string): Promise<void> {
  const { item } = work;
  item.profile = (await target.getProfile(id)) ?? "none";
  // The numbers of rows and columns are known now.
  item.result = await target.getFile(id);
  changed();
  for (const listener of fileListeners) listener(item.result);
}

/** Reads the file and its profile again, after its dialect or its name was changed. */
export function refreshResult(file: FileView, isReadAgain: boolean): void {
  const work = works.find(({ item }) => item.result?.id === file.id);
  if (!work) return;
  work.item.result = file;
  if (isReadAgain) {
    work.item.profile = "loading";
    void readProfile(work, file.id).catch(() => undefined);
  }
  changed();
}

/** Removes the entry of a stored file from the list of uploads. The file itself stays. */
export function forgetResult(id: string): void {
  works = works.filter(({ item }) => item.result?.id !== id);
  changed();
}

addEventListener("beforeunload", (event) => {
  if (works.some(({ item }) => item.status === "sending" || item.status === "waiting"))
    event.preventDefault();
});
