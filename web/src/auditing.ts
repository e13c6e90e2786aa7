// The requests for the audit log and for usage: of a file, of the own account, and of the whole service for admins.

import { done } from "../../clients/typescript/src/index";
import type { Schemas, operations } from "../../clients/typescript/src/index";
import { clients, noConnection, setReach } from "./api";
import type { PageOf } from "./api";

const { cutty, streaming, texts } = clients;

export type Entry = Schemas["AuditEntry"];
export type SignIn = Schemas["SignInView"];
export type Verified = Schemas["VerifyResponse"];
export type Broken = NonNullable<Verified["firstBroken"]>;
export type Report = Schemas["UsageReport"];
export type Month = Schemas["MonthView"];
export type UserMonth = Schemas["UserMonthView"] & { id: string };
export type Prices = Schemas["PricesView"];

type AuditQuery = NonNullable<operations["list_audit"]["parameters"]["query"]>;
/** The name of an action. */
export type ActionName = NonNullable<AuditQuery["action"]>;
export type AuditFilter = Pick<
  AuditQuery,
  "user" | "file" | "action" | "success" | "address" | "from" | "until"
>;

// --- One file, and the own account ------------------------------------------------------------------------------------

const PAGE_HISTORY = 20;

export async function listHistory(
  id: string,
  cursor: string | null,
  signal: AbortSignal,
): Promise<PageOf<Entry>> {
  const params = { path: { id }, query: { limit: PAGE_HISTORY, ...(cursor && { cursor }) } };
  const page = await done(cutty.GET("/api/files/{id}/history", { params, signal }), texts);
  return { items: page.entries, next: page.nextCursor ?? null };
}

const PAGE_SIGN_INS = 10;

export async function listSignIns(cursor: string | null, signal: AbortSignal): Promise<PageOf<SignIn>> {
  const query = { limit: PAGE_SIGN_INS, ...(cursor && { cursor }) };
  const page = await done(cutty.GET("/api/auth/sign-ins", { params: { query }, signal }), texts);
  return { items: page.sign_ins, next: page.next_cursor ?? null };
}

export const getReport = async (signal: AbortSignal): Promise<Report> =>
  (await done(cutty.GET("/api/usage", { signal }), texts)).usage;

// --- The audit log, for admins ----------------------------------------------------------------------------------------

const PAGE_AUDIT = 50;

export async function listAudit(
  filter: AuditFilter,
  cursor: string | null,
  signal: AbortSignal,
): Promise<PageOf<Entry>> {
  const query = { ...filter, limit: PAGE_AUDIT, ...(cursor && { cursor }) };
  const result = await done(cutty.GET("/api/admin/audit", { params: { query }, signal }), texts);
  // Without `format`, the response is JSON.
  const page = result as Schemas["AuditResponse"];
  return { items: page.entries, next: page.nextCursor ?? null };
}

/**
 * Returns the cursor of the list that begins with an entry. A list begins after the entry that its cursor names, and the
 * newest entry is first, so the cursor is the next greater id. Null if the text is not an id.
 */
export function cursorAt(id: string): string | null {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return null;
  const next = (BigInt(`0x${id.replaceAll("-", "")}`) + 1n).toString(16).padStart(32, "0");
  return next.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Verifies one part of the log. `cursor` is that of the part before, null for the first part. */
export const verifyPart = (cursor: string | null, signal: AbortSignal): Promise<Verified> =>
  done(cutty.POST("/api/admin/audit/verify", { body: cursor ? { cursor } : {}, signal }), texts);

// --- The usage of all users, for admins ---------------------------------------------------------------------------------

const PAGE_USAGE = 100;

export interface UsagePage extends PageOf<UserMonth> {
  prices: Prices;
}

export async function listUsage(
  month: string,
  cursor: string | null,
  signal: AbortSignal,
): Promise<UsagePage> {
  const query = { month, limit: PAGE_USAGE, ...(cursor && { cursor }) };
  const result = await done(cutty.GET("/api/admin/usage", { params: { query }, signal }), texts);
  const page = result as Schemas["UsersUsageResponse"];
  const items = page.usage.map((item) => ({ ...item, id: `${item.userId} ${item.month}` }));
  return { items, next: page.nextCursor ?? null, prices: page };
}

/** Returns the id of the account with this username or email; null if there is none. */
export async function findUser(text: string): Promise<string | null> {
  const query = { q: text, limit: 50 };
  const { users } = await done(cutty.GET("/api/admin/users", { params: { query } }), texts);
  const wanted = text.toLowerCase();
  const found = users.find(
    ({ username, email }) => username.toLowerCase() === wanted || email?.toLowerCase() === wanted,
  );
  return found?.id ?? null;
}

// --- Exports ------------------------------------------------------------------------------------------------------------

/** What an export writes, and its filename. */
export type Export =
  { kind: "audit"; format: "csv" | "ndjson"; filter: AuditFilter } | { kind: "usage"; month: string };

const USAGE_LINES = 1000;

/** Reads an export. `onBytes` receives the number of bytes so far. A browser cannot send the token of a download itself. */
export async function readExport(
  wanted: Export,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const append = async ({ response }: { response: Response }): Promise<void> => {
    const reader = response.body!.getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        parts.push(value);
        onBytes((size += value.byteLength));
      }
    } catch (error) {
      if (signal.aborted) throw error;
      setReach(navigator.onLine ? "ok" : "offline");
      throw noConnection();
    } finally {
      void reader.cancel().catch(() => undefined);
    }
  };
  const options = { parseAs: "stream" as const, signal };
  if (wanted.kind === "audit") {
    const query = { ...wanted.filter, format: wanted.format };
    const result = await streaming.GET("/api/admin/audit", { params: { query }, ...options });
    if (!result.response.ok) await done(result, texts);
    await append(result);
    return new Blob(parts, { type: wanted.format === "csv" ? "text/csv" : "application/x-ndjson" });
  }
  // One response has the lines of one page. Each page begins with the names of the columns.
  let cursor: string | undefined;
  for (let page = 0; page === 0 || cursor; page++) {
    const { month } = wanted;
    const query = { month, format: "csv" as const, limit: USAGE_LINES, cursor };
    const result = await streaming.GET("/api/admin/usage", { params: { query }, ...options });
    if (!result.response.ok) await done(result, texts);
    const before = parts.length;
    await append(result);
    if (page > 0) dropFirstLine(parts, before);
    cursor = nextOf(result.response);
  }
  return new Blob(parts, { type: "text/csv" });
}

/** The cursor of the next page in the header `Link`. */
function nextOf({ headers }: Response): string | undefined {
  const next = /<([^>]+)>;\s*rel="next"/.exec(headers.get("Link") ?? "")?.[1];
  return (next && new URL(next, location.href).searchParams.get("cursor")) || undefined;
}

const LINE_FEED = 10;

/** Removes the first line of the parts from `start` on. */
function dropFirstLine(parts: Uint8Array<ArrayBuffer>[], start: number): void {
  for (let at = start; at < parts.length; at++) {
    const end = parts[at]!.indexOf(LINE_FEED);
    parts[at] = parts[at]!.subarray(end < 0 ? parts[at]!.length : end + 1);
    if (end >= 0) return;
  }
}

/** Hands a file to the browser, which stores it with the other downloads. */
export function store(blob: Blob, filename: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = filename;
  link.click();
  // The browser needs the address until it has begun to store the file.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
