// The requests of the page /cut: columns, rows, counts, estimates and filters of one file.

import { done } from "../../clients/typescript/src/index";
import type { Result, Schemas } from "../../clients/typescript/src/index";
import * as api from "./api";
import type { Dialect, DialectOptions, Problem, Profile } from "./api";
import type { Tree } from "./filter-text";
import { readingQuery } from "./address";
import type { Checks } from "./address";

export type Histogram = Schemas["Histogram"];
export type TopValues = Schemas["TopValues"];

/** The statistics of a column. Profiles of older versions have no bins and no frequent values. */
export type Facts = Profile["columns"][number];

export type Column = Schemas["Column"];
export type RowCount = Schemas["RowCount"];
export type Estimate = Schemas["Estimate"];
export type FilterError = Schemas["FilterError"];
export type Defect = Schemas["MalformedRecord"];

/** What decides which rows there are. */
export interface Selection {
  file: string;
  filter: string;
  q: string;
  reading: DialectOptions;
  as: Checks["as"];
}

/** A page of rows; `notice` is the value of `X-Cutty-Notice`. */
export type RowsAnswer = Schemas["RowsResponse"] & { notice: string };

/** The problem of a page that begins after a record that cannot be read. */
export class Unreadable extends api.Problem {
  constructor(
    problem: Problem,
    readonly defect: Defect,
  ) {
    super(problem.status, problem.code, problem.title, problem.detail, problem.requestId, problem.retryAfter);
  }
}

interface Options {
  query?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  parseAs?: "stream";
}

/** Sends a request whose query is made of texts. */
type Send = (path: string, options: object) => Promise<Result<unknown>>;

const { cutty, streaming, texts } = api.clients;

function ask(send: unknown, path: string, id: string | null, options: Options): Promise<Result<unknown>> {
  const { query, body, signal, headers, parseAs } = options;
  const params = { query, ...(id && { path: { id } }) };
  return (send as Send)(path, { params, body, signal, headers, parseAs });
}

const bodyOf = async <T>(result: Promise<Result<unknown>>): Promise<T> => (await done(result, texts)) as T;

const conditions = ({ filter, q, reading, as }: Selection): Record<string, string> => ({
  ...(filter && { filter }),
  ...(q && { q }),
  ...(as && { as }),
  ...readingQuery(reading),
});

export const getColumns = (
  file: string,
  reading: DialectOptions,
  signal: AbortSignal,
): Promise<{ columns: Column[]; dialect?: Dialect | null }> =>
  bodyOf(
    ask(cutty.GET, "/api/files/{id}/columns", file, { query: nameQuote(readingQuery(reading)), signal }),
  );

/** Queries call the option `quote` by its longer name. */
function nameQuote({ quote, ...query }: Record<string, string>): Record<string, string> {
  return quote ? { ...query, quoteCharacter: quote } : query;
}

export async function getRows(
  selection: Selection,
  offset: number,
  limit: number,
  columns: string | null,
  signal: AbortSignal,
): Promise<RowsAnswer> {
  const query = {
    offset: String(offset),
    limit: String(limit),
    ...(columns && { columns }),
    ...nameQuote(conditions(selection)),
  };
  const result = await ask(cutty.GET, "/api/files/{id}/rows", selection.file, { query, signal });
  const body = await bodyOf<RowsAnswer>(Promise.resolve(result)).catch((error: unknown) => {
    const { record, line, byte } = (result.error ?? {}) as Partial<Defect>;
    if (!(error instanceof api.Problem) || error.code !== "malformed_csv" || !record || !line) throw error;
    // The detail is a place, what is wrong there, and what to do.
    const reason = error.detail.replace(/^[^:]*\): /, "").replace(/\.( Repair the file.*)?$/s, "");
    throw new Unreadable(error, { record, line, byte: byte ?? 0, reason });
  });
  return { ...body, notice: result.response.headers.get("X-Cutty-Notice") ?? "" };
}

export const getEstimate = async (selection: Selection, signal: AbortSignal): Promise<Estimate> =>
  (
    await bodyOf<{ estimate: Estimate }>(
      ask(cutty.GET, "/api/files/{id}/estimate", selection.file, {
        query: nameQuote(conditions(selection)),
        signal,
      }),
    )
  ).estimate;

export interface Parsed {
  tree: Tree | null;
  text: string | null;
  errors: FilterError[];
}

/** Reads a filter. With `fileId`, the columns and operands are checked, too. */
export const parseFilter = (text: string, fileId: string | null, signal: AbortSignal): Promise<Parsed> =>
  bodyOf(ask(cutty.POST, "/api/filters/parse", null, { body: { text, ...(fileId && { fileId }) }, signal }));

type CountLine =
  | { progress: RowCount; bytesTotal: number }
  | { success: true; count: RowCount }
  | { success: false; detail?: string };

/** Counts the rows of a selection. `onProgress` receives what is known so far. */
export async function countRows(
  selection: Selection,
  onProgress: (count: RowCount, bytesTotal: number) => void,
  signal: AbortSignal,
): Promise<RowCount> {
  const result = await ask(streaming.GET, "/api/files/{id}/count", selection.file, {
    query: nameQuote(conditions(selection)),
    headers: { accept: "application/x-ndjson" },
    parseAs: "stream",
    signal,
  });
  const { response } = result;
  if (!response.ok) await done(result, texts);
  for await (const text of linesOf(response.body!, signal)) {
    const line = JSON.parse(text) as CountLine;
    if ("progress" in line) onProgress(line.progress, line.bytesTotal);
    else if (line.success) return line.count;
    else throw api.problemOf(422, () => null, text);
  }
  throw api.noConnection();
}

async function* linesOf(body: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await read(reader, signal);
      rest += decoder.decode(value, { stream: !done });
      const lines = rest.split("\n");
      rest = done ? "" : lines.pop()!;
      for (const line of lines) if (line.trim()) yield line;
      if (done) return;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

async function read(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) {
  try {
    return await reader.read();
  } catch (error) {
    if (signal.aborted) throw error;
    api.setReach(navigator.onLine ? "down" : "offline");
    throw api.noConnection();
  }
}
