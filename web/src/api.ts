// Every request of the page to the API goes through this file, with the client of clients/typescript.

import { createClient, done } from "../../clients/typescript/src/index";
import type { Result, Schemas, Tokens as TokenSource, operations } from "../../clients/typescript/src/index";
import { Problem, noConnection, open, send, setReach, texts } from "./net";
import { t } from "./strings";

export { Problem, currentReach, noConnection, onReach, problemOf, setReach } from "./net";
export type { Reach } from "./net";

export type User = Schemas["User"];
export type Usage = Schemas["UsageView"];
export type Relative = Schemas["Relative"];
export type Status = Schemas["LifecycleStatus"];
export type Token = Pick<Schemas["TokensView"], "access_token" | "expires_in">;
export type Session = Schemas["CookieSession"];
export type Page = Schemas["ListResponse"];

/** One page of a list, and the cursor of the next page. */
export interface PageOf<T> {
  items: T[];
  next: string | null;
}

/** The rules that a user can set. A rule that is absent is detected. */
export type DialectOptions = Schemas["DialectOptions"];
export type Changes = Schemas["PatchBody"];
export type FileView = Schemas["FileView"];
export type Dialect = Schemas["Dialect"];
export type Profile = Schemas["Profile"];

export interface Query {
  q: string;
  tags: string[];
  sort: string;
  status: Status;
}

/** Supplies the access token. `current` waits while the user has to sign in again. auth.ts sets it. */
export type Tokens = Required<TokenSource>;

let tokens: Tokens;
export const useTokens = (source: Tokens): void => void (tokens = source);

const baseUrl = location.origin;
const cutty = createClient({
  baseUrl,
  fetch: send,
  tokens: { current: () => tokens.current(), renew: (refused) => tokens.renew(refused) },
});

/** Does not wait for a busy server. */
const impatient = createClient({
  baseUrl,
  fetch: send,
  tokens: { current: () => tokens.current(), renew: (refused) => tokens.renew(refused) },
  retries: 0,
});

/** Does not read the body, which may be a stream. */
async function begin(request: Request): Promise<Response> {
  try {
    const response = await fetch(request);
    setReach("ok");
    return response;
  } catch (error) {
    if (request.signal.aborted) throw error;
    setReach(navigator.onLine ? "down" : "offline");
    throw noConnection();
  }
}

const streaming = createClient({
  baseUrl,
  fetch: begin,
  tokens: { current: () => tokens.current(), renew: (refused) => tokens.renew(refused) },
});

/** The clients, for modules of one page. */
export const clients = { cutty, impatient, open, streaming, texts };

const bodyOf = <T>(result: Promise<Result<T>>): Promise<T> => done(result, texts);

const pause = (seconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.min(seconds, 10) * 1000));

// --- Accounts -------------------------------------------------------------------------------------------------------

/** Returns the session of the cookie; null if there is none. */
export const getSession = async (): Promise<Session | null> =>
  (await bodyOf(open.GET("/api/auth/session"))).session ?? null;

const sessionOf = ({ user, tokens: token }: Schemas["SessionResponse"]): Session => ({
  user,
  access_token: token.access_token,
  expires_in: token.expires_in,
});

export const login = async (username: string, password: string): Promise<Session> =>
  sessionOf(await bodyOf(open.POST("/api/auth/login", { body: { username, password, session: "cookie" } })));

export async function register(username: string, password: string, email: string): Promise<Session> {
  const account = { username, password, password2: password, ...(email ? { email } : {}) };
  return sessionOf(
    await bodyOf(open.POST("/api/auth/register", { body: { ...account, session: "cookie" } })),
  );
}

/** Exchanges the token in the cookie. The cookie may meanwhile have the session of another user. */
export async function refresh(): Promise<Session> {
  const { user, tokens: token } = await bodyOf(open.POST("/api/auth/refresh", { body: {} }));
  return { user, access_token: token.access_token, expires_in: token.expires_in };
}

/** Changes the password. Every session ends, and the cookie gets a new one. */
export async function changePassword(token: string, current: string, chosen: string): Promise<Session> {
  const body = { current_password: current, new_password: chosen, session: "cookie" as const };
  return sessionOf(await bodyOf(open.POST("/api/auth/password", { body, headers: bearer(token) })));
}

export const endAllSessions = (token: string): Promise<unknown> =>
  bodyOf(open.DELETE("/api/auth/sessions", { headers: bearer(token) }));

/** Deletes the account, with everything that belongs to it. */
export const deleteAccount = (token: string, password: string): Promise<unknown> =>
  bodyOf(
    open.POST("/api/auth/user/delete", { body: { current_password: password }, headers: bearer(token) }),
  );

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

export const logout = (): Promise<unknown> => bodyOf(open.POST("/api/auth/logout", { body: {} }));

export const getUsage = async (): Promise<Usage> => (await bodyOf(cutty.GET("/api/usage"))).usage;

// --- Files ----------------------------------------------------------------------------------------------------------

type Sort = NonNullable<operations["list_files"]["parameters"]["query"]>["sort"];

const fileOf = (id: string) => ({ params: { path: { id } } });

const viewOf = ({ file }: Schemas["FileResponse"]): FileView => file;

/** Number of files in a page of the list, and the maximum of the API. */
export const PAGE_FILES = 50;
export const MAX_PAGE_FILES = 1000;

export async function listFiles(
  query: Query,
  cursor: string | null,
  limit: number,
  signal?: AbortSignal,
): Promise<Page> {
  const { q, tags, sort, status } = query;
  const wanted = {
    limit,
    sort: sort as Sort,
    status,
    ...(q && { q }),
    ...(tags.length > 0 && { tag: tags }),
    ...(cursor && { cursor }),
  };
  return bodyOf(cutty.GET("/api/files", { params: { query: wanted }, signal }));
}

/** The API does not distinguish a file in the trash from a missing file. This problem does. */
async function ofFile<T>(id: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "not_found") throw error;
    const file = await getFile(id).catch(() => null);
    if (file?.lifecycleStatus !== "deleted") throw error;
    throw new Problem(404, "in_trash", t.problems.inTrashTitle, t.problems.inTrash(file.filename));
  }
}

export const getFile = async (id: string): Promise<FileView> =>
  viewOf(await bodyOf(cutty.GET("/api/files/{id}/metadata", fileOf(id))));

export const changeFile = async (id: string, changes: Changes): Promise<FileView> =>
  viewOf(await ofFile(id, bodyOf(cutty.PATCH("/api/files/{id}", { ...fileOf(id), body: changes }))));

export const trashFile = (id: string): Promise<unknown> =>
  bodyOf(cutty.DELETE("/api/files/{id}", fileOf(id)));

export const deleteFile = (id: string): Promise<unknown> =>
  bodyOf(cutty.DELETE("/api/files/{id}", { params: { path: { id }, query: { permanent: true } } }));

export const restoreFile = async (id: string): Promise<FileView> =>
  viewOf(await bodyOf(cutty.POST("/api/files/{id}/restore", fileOf(id))));

const PROFILE_TRIES = 19;
const QUICK_TRIES = 8;
const FIRST_PAUSE_SECONDS = 0.3;

/**
 * Returns the profile; null if Cutty has not computed it within about a minute. The profile of a small file is ready
 * long before `Retry-After` says, so the first tries follow each other quickly.
 */
export async function getProfile(id: string, signal?: AbortSignal): Promise<Profile | null> {
  for (let attempt = 0; attempt < PROFILE_TRIES; attempt++) {
    try {
      return (await bodyOf(impatient.GET("/api/files/{id}/profile", { ...fileOf(id), signal }))).profile;
    } catch (error) {
      const isBusy = error instanceof Problem && (error.code === "in_progress" || error.status === 503);
      if (!isBusy) throw error;
      await pause(FIRST_PAUSE_SECONDS * 1.5 ** Math.max(0, attempt - QUICK_TRIES));
    }
    if (signal?.aborted) return null;
  }
  return null;
}

export const getLineage = (id: string): Promise<{ parents: Relative[]; children: Relative[] }> =>
  bodyOf(cutty.GET("/api/files/{id}/lineage", { params: { path: { id }, query: { limit: 100 } } }));

/** Returns an address from which the browser itself can download the file. */
export const getDownload = async (fileId: string): Promise<string> =>
  (await ofFile(fileId, bodyOf(cutty.POST("/api/downloads", { body: { fileId } })))).download.url;

const uploadOf = (url: string) => ({
  params: {
    path: { id: new URL(url, location.href).pathname.split("/").pop() ?? "" },
    header: { "Tus-Resumable": "1.0.0" as const },
  },
});

/** Ends an unfinished upload, which frees the storage that it reserves. */
export const endUpload = (url: string): Promise<unknown> =>
  bodyOf(cutty.DELETE("/api/uploads/{id}", uploadOf(url)));

/** Returns how many bytes of an unfinished upload the server has. */
export async function getOffset(url: string): Promise<number> {
  const result = await cutty.HEAD("/api/uploads/{id}", uploadOf(url));
  await done(result, texts);
  return Number(result.response.headers.get("Upload-Offset") ?? NaN);
}

/** The token for requests that other libraries send. */
export const currentToken = async (): Promise<string> => tokens.current();
export const renewToken = async (refused: string): Promise<void> => tokens.renew(refused);
