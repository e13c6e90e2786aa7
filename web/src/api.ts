// Every request of the page to the API goes through this file.

import { t } from "./strings";

export interface User {
  id: string;
  username: string;
  email?: string | null;
  role: string;
}

export interface Dialect {
  encoding?: string;
  encodingSource?: string;
  delimiter?: string | null;
  quote?: string;
  escape?: string;
  newline?: string;
  skipRows?: number;
  headerRow?: boolean;
  comment?: string | null;
  trim?: string;
  skipFooter?: number;
  nullValues?: string[];
  ragged?: string;
  repeatedHeaders?: string;
  confidence?: number;
  alternatives?: { delimiter: string | null; quote: string; confidence: number }[];
}

/** The rules that a user can set. A rule that is absent is detected. */
export type DialectOptions = Record<string, unknown>;

export type Status = "active" | "archived" | "deleted";

export interface FileView {
  id: string;
  filename: string;
  size: number;
  contentType: string;
  checksum?: string | null;
  verified: boolean;
  createdAt: string;
  updatedAt: string;
  expiresAt?: string | null;
  userTags: string[];
  lifecycleStatus: Status;
  source: string;
  rowCount?: number | null;
  columnCount?: number | null;
  dialect?: Dialect | null;
  dialectOptions?: DialectOptions | null;
}

export interface Suggestion {
  reason: string;
  records: number;
  dialect: DialectOptions;
}

export interface Malformed {
  record?: number;
  line?: number;
  byte?: number;
  reason?: string;
}

export interface Profile {
  dialect?: Dialect | null;
  columns: { name: string; type?: string | null }[];
  rowCount: number;
  rowsShort: number;
  rowsLong: number;
  rowsMalformed: number;
  undecodable: number;
  rejects: Malformed[];
  failure: Malformed | null;
  suggestions: Suggestion[];
}

export interface Relative {
  fileId: string;
  filename?: string | null;
  lifecycleStatus?: string | null;
  relationshipType: string;
  createdAt: string;
}

export interface Usage {
  usedBytes: number;
  reservedBytes: number;
  quotaBytes: number;
  files: number;
}

export interface Token {
  access_token: string;
  expires_in: number;
}

export interface Session extends Token {
  user: User;
}

export interface Query {
  q: string;
  tags: string[];
  sort: string;
  status: Status;
}

export interface Page {
  files: FileView[];
  total: number;
  hasMore: boolean;
  nextCursor?: string | null;
}

export interface Changes {
  filename?: string;
  tags?: string[] | null;
  expiresAt?: string | null;
  archived?: boolean;
  dialect?: DialectOptions | null;
}

/** An error that a person can read: what happened, and what to do. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly requestId: string | null = null,
    readonly retryAfter: number | null = null,
  ) {
    super(`${title}: ${detail}`);
  }
}

/** Makes a problem from a response, even if another server between the page and Cutty wrote the response. */
export function problemOf(
  status: number,
  header: (name: string) => string | null | undefined,
  body: string,
): Problem {
  const seconds = Number(header("retry-after") || NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : null;
  const id = header("x-request-id") ?? null;
  try {
    const json = JSON.parse(body) as Record<string, unknown>;
    if (json && typeof json.detail === "string") {
      const text = (name: string) => (typeof json[name] === "string" ? (json[name] as string) : null);
      return new Problem(
        status,
        text("code") ?? "unknown",
        text("title") ?? t.errors.unexpected,
        json.detail,
        text("requestId") ?? id,
        retryAfter,
      );
    }
  } catch {
    // The body is no JSON.
  }
  return new Problem(status, "unknown", t.errors.unexpected, t.errors.status(status), id, retryAfter);
}

/** Whether the server responds. The banners show it. */
export type Reach = "ok" | "offline" | "down";

let reach: Reach = "ok";
const reachListeners = new Set<(reach: Reach) => void>();
let probe: ReturnType<typeof setTimeout> | undefined;

export const currentReach = (): Reach => reach;

export function onReach(listener: (reach: Reach) => void): () => void {
  reachListeners.add(listener);
  return () => reachListeners.delete(listener);
}

export function setReach(next: Reach): void {
  clearTimeout(probe);
  if (next !== "ok") probe = setTimeout(checkReach, 3000);
  if (next === reach) return;
  reach = next;
  for (const listener of reachListeners) listener(next);
}

async function checkReach(): Promise<void> {
  if (!navigator.onLine) return setReach("offline");
  try {
    const response = await fetch("/health", { cache: "no-store" });
    setReach(response.ok ? "ok" : "down");
  } catch {
    setReach(navigator.onLine ? "down" : "offline");
  }
}

addEventListener("online", () => void checkReach());
addEventListener("offline", () => setReach("offline"));

export const noConnection = (): Problem =>
  navigator.onLine
    ? new Problem(0, "down", t.errors.downTitle, t.errors.downDetail)
    : new Problem(0, "offline", t.errors.offlineTitle, t.errors.offlineDetail);

/** Supplies the access token. auth.ts sets it. */
export interface Tokens {
  /** Returns a token that is valid now. Waits while the user has to sign in again. */
  current(): Promise<string>;
  /** Replaces a token that the server refused. */
  renew(refused: string): Promise<void>;
}

let tokens: Tokens;
export const useTokens = (source: Tokens): void => void (tokens = source);

interface Options {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** Whether the request names its user. */
  signed?: boolean;
}

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(seconds, 10) * 1000));

async function call<T>(path: string, options: Options = {}): Promise<T> {
  const { method = "GET", body, signal, signed = true } = options;
  // With the key, a repeated request has no second effect.
  const key = signed && method !== "GET" ? crypto.randomUUID() : null;
  let renewed = false;
  for (let attempt = 0; ; attempt++) {
    const headers: Record<string, string> = { ...options.headers };
    const token = signed ? await tokens.current() : null;
    if (token) headers.Authorization = `Bearer ${token}`;
    if (key) headers["Idempotency-Key"] = key;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    let text: string;
    try {
      response = await fetch(path, {
        method,
        headers,
        signal,
        credentials: "same-origin",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      setReach(navigator.onLine ? "down" : "offline");
      throw noConnection();
    }
    setReach("ok");
    if (response.ok) return (text ? JSON.parse(text) : undefined) as T;
    const problem = problemOf(response.status, (name) => response.headers.get(name), text);
    if (problem.status === 401 && token && !renewed) {
      renewed = true;
      await tokens.renew(token);
      continue;
    }
    const isBusy = problem.status === 503 || problem.code === "in_progress";
    if (isBusy && signed && problem.retryAfter !== null && attempt < 3) {
      await pause(problem.retryAfter);
      continue;
    }
    throw problem;
  }
}

// --- Accounts -------------------------------------------------------------------------------------------------------

/** Returns the session of the cookie; null if there is none. */
export async function getSession(): Promise<Session | null> {
  try {
    return (await call<{ session: Session | null }>("/api/auth/session", { signed: false })).session;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}

interface SignedIn {
  user: User;
  tokens: Token;
}

async function open(path: string, body: Record<string, unknown>): Promise<Session> {
  const { user, tokens: token } = await call<SignedIn>(path, {
    method: "POST",
    signed: false,
    body: { ...body, session: "cookie" },
  });
  return { user, access_token: token.access_token, expires_in: token.expires_in };
}

export const login = (username: string, password: string): Promise<Session> =>
  open("/api/auth/login", { username, password });

export const register = (username: string, password: string, email: string): Promise<Session> =>
  open("/api/auth/register", { username, password, password2: password, ...(email ? { email } : {}) });

export const refresh = (): Promise<Token> =>
  call("/api/auth/refresh", { method: "POST", body: {}, signed: false });

export const logout = (): Promise<unknown> =>
  call("/api/auth/logout", { method: "POST", body: {}, signed: false });

export const getUsage = async (): Promise<Usage> => (await call<{ usage: Usage }>("/api/usage")).usage;

// --- Files ----------------------------------------------------------------------------------------------------------

const filePath = (id: string): string => `/api/files/${encodeURIComponent(id)}`;

export function listFiles(query: Query, cursor: string | null, signal?: AbortSignal): Promise<Page> {
  const params = new URLSearchParams({ limit: "50", sort: query.sort, status: query.status });
  if (query.q) params.set("q", query.q);
  for (const tag of query.tags) params.append("tag", tag);
  if (cursor) params.set("cursor", cursor);
  return call(`/api/files?${params}`, { signal });
}

interface OneFile {
  file: FileView;
}

export const getFile = async (id: string): Promise<FileView> =>
  (await call<OneFile>(`${filePath(id)}/metadata`)).file;

export const changeFile = async (id: string, changes: Changes): Promise<FileView> =>
  (await call<OneFile>(filePath(id), { method: "PATCH", body: changes })).file;

export const trashFile = (id: string): Promise<unknown> => call(filePath(id), { method: "DELETE" });

export const deleteFile = (id: string): Promise<unknown> =>
  call(`${filePath(id)}?permanent=true`, { method: "DELETE" });

export const restoreFile = async (id: string): Promise<FileView> =>
  (await call<OneFile>(`${filePath(id)}/restore`, { method: "POST" })).file;

/** Returns the profile; null if Cutty has not computed it within about a minute. */
export async function getProfile(id: string, signal?: AbortSignal): Promise<Profile | null> {
  for (let attempt = 0; attempt < 6; attempt++) {
    try {
      const { profile } = await call<{ profile: Profile }>(`${filePath(id)}/profile`, { signal });
      // Profiles from older versions have no suggestions.
      return { ...profile, suggestions: profile.suggestions ?? [] };
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "in_progress") throw error;
      if (error.retryAfter === null) await pause(2 ** attempt);
    }
    if (signal?.aborted) return null;
  }
  return null;
}

export const getLineage = (id: string): Promise<{ parents: Relative[]; children: Relative[] }> =>
  call(`${filePath(id)}/lineage?limit=100`);

/** Returns an address from which the browser itself can download the file. */
export const getDownload = async (fileId: string): Promise<string> =>
  (
    await call<{ download: { url: string; expiresAt: string } }>("/api/downloads", {
      method: "POST",
      body: { fileId },
    })
  ).download.url;

/** Ends an unfinished upload, which frees the storage that it reserves. */
export const endUpload = (url: string): Promise<unknown> =>
  call(new URL(url, location.href).pathname, { method: "DELETE", headers: { "Tus-Resumable": "1.0.0" } });

/** The token for requests that other libraries send. */
export const currentToken = (): Promise<string> => tokens.current();
export const renewToken = (refused: string): Promise<void> => tokens.renew(refused);
