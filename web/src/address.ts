// The state of the page /cut, which its address holds: a view can be shared, and back and forward work.

import type { DialectOptions } from "./api";
import type { Schemas } from "../../clients/typescript/src/index";
import { outputQuery, readOutput } from "./output";
import type { Output } from "./output";

type Cut = Schemas["CutBody"];

/** `strict` refuses malformed records; `as` compares all values as text. Recipes bring them. */
export type Checks = Pick<Cut, "strict" | "as">;

export interface View {
  file: string;
  /** The columns of the cut, in order; null means all. */
  columns: string[] | null;
  /** The filter as text; empty means none. */
  filter: string;
  /** Text that a column of each row contains; empty means none. */
  q: string;
  /** The row to begin with, counted from 1; with a filter, among the rows that match. */
  row: number | null;
  /** How the file is read, where it differs from the rules of the file. */
  reading: DialectOptions;
  checks: Checks;
  /** How the result of the cut is written, where it differs from the defaults. */
  output: Output;
}

/** Writes texts as one CSV record, as queries want it. */
export const record = (values: string[]): string =>
  values
    .map((value) => (/[",\r\n]|^\s|\s$|^$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
    .join(",");

/** Reads one CSV record. */
export function fields(text: string): string[] {
  const found: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/gy;
  for (let match = field.exec(text); match; match = field.exec(text)) {
    found.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'));
    if (match[3] === "") break;
  }
  return found;
}

const WORDS = [
  "encoding",
  "delimiter",
  "quote",
  "escape",
  "comment",
  "trim",
  "ragged",
  "repeatedHeaders",
] as const;
const NUMBERS = ["skipRows", "skipFooter"] as const;
/** Every rule for reading. */
export const READING_RULES = [...WORDS, ...NUMBERS, "inputHeader", "nullValues"] as const;

function readReading(params: URLSearchParams): DialectOptions {
  const found: Record<string, unknown> = {};
  for (const name of WORDS) if (params.get(name)) found[name] = params.get(name);
  for (const name of NUMBERS) {
    const value = params.get(name);
    if (value && /^\d+$/.test(value)) found[name] = Number(value);
  }
  const header = params.get("inputHeader");
  if (header === "true" || header === "false") found.inputHeader = header === "true";
  const words = params.get("nullValues");
  if (words !== null) found.nullValues = fields(words);
  return found as DialectOptions;
}

const asOf = (value: string | null): Checks["as"] => (value === "text" ? value : undefined);

/** Returns the checks of a cut that differ from the defaults. */
export const checksOf = ({ strict, as }: Checks): Checks => ({
  ...(strict && { strict }),
  ...(as && { as }),
});

/** The checks of a view, as texts of a query. */
const checksQuery = (checks: Checks): Record<string, string> =>
  Object.fromEntries(Object.entries(checks).map(([name, value]) => [name, String(value)]));

export function readView(search: string): View {
  const params = new URLSearchParams(search);
  const columns = params.get("columns");
  const row = Number(params.get("row"));
  return {
    file: params.get("file") ?? "",
    columns: columns ? fields(columns) : null,
    filter: params.get("filter") ?? "",
    q: params.get("q") ?? "",
    row: Number.isSafeInteger(row) && row > 0 ? row : null,
    reading: readReading(params),
    checks: checksOf({ strict: params.get("strict") === "true", as: asOf(params.get("as")) }),
    output: readOutput(params),
  };
}

/** The options of reading, as texts of a query. `quote` is the name in the address. */
export function readingQuery(reading: DialectOptions): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(reading)) {
    if (value === null || value === undefined) continue;
    query[name] = Array.isArray(value) ? record(value) : String(value);
  }
  return query;
}

export function addressOf({ file, columns, filter, q, row, reading, checks, output }: View): string {
  const params = new URLSearchParams({ file, ...checksQuery(checks) });
  if (filter) params.set("filter", filter);
  if (q) params.set("q", q);
  if (columns) params.set("columns", record(columns));
  for (const [name, value] of Object.entries(readingQuery(reading))) params.set(name, value);
  for (const [name, value] of Object.entries(outputQuery(output))) params.set(name, value);
  if (row && row > 1) params.set("row", String(row));
  return `/cut?${params}`;
}

export const isRead = (reading: DialectOptions): boolean => Object.keys(reading).length > 0;
