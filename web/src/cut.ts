// A cut as the body of a request, as a link, and as code.

import type { DialectOptions, FileView } from "./api";
import type { Schemas } from "../../clients/typescript/src/index";
import { textOf } from "./filter-text";
import type { Tree } from "./filter-text";
import { outputOf } from "./output";
import type { Output } from "./output";
import { READING_RULES, addressOf, checksOf, record } from "./address";
import type { Checks, View } from "./address";

export type Cut = Schemas["CutBody"];
type Estimate = Schemas["Estimate"];

/** What the page of a file shows, and what can be exported. */
export interface CutState {
  file: FileView;
  /** Null: all columns. */
  columns: string[] | null;
  /** The filter as text; empty: all rows. */
  filter: string;
  q: string;
  reading: DialectOptions;
  checks: Checks;
  /** How the result is written. */
  output: Output;
  count: { rows: number; exact: boolean } | null;
  estimate: Pick<Estimate, "bytesTotal" | "bytesToScan" | "bytesSkipped" | "costUsd"> | null;
}

/** Returns a cut without the members that have no value. */
const compact = (cut: object): Cut =>
  Object.fromEntries(
    Object.entries(cut).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  );

/** Returns the part of a cut that decides which cells it has. */
export const cutOf = ({ columns, filter, q, reading, checks }: CutState): Cut =>
  compact({ ...reading, ...checks, columns, filter, q });

/** Returns the filter of a cut as text. Receipts have it as a tree. */
export const filterOf = ({ filter }: Cut): string =>
  typeof filter === "string" ? filter : filter ? textOf(filter as Tree) : "";

// --- Names --------------------------------------------------------------------------------------------------------------

const EXTENSIONS = /(\.(csv|tsv|tab|txt))?(\.gz)?$/i;

/** Returns the name of a result of this file, as the server chooses it. */
export const resultName = (filename: string, { format = "csv", compress }: Cut): string =>
  `${filename.replace(EXTENSIONS, "")}-cut.${format}${compress ? ".gz" : ""}`;

// --- Links --------------------------------------------------------------------------------------------------------------

/** Returns a cut as the query of `GET /api/files/{id}/cut`. */
export function queryOf(cut: Cut): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of Object.entries(compact({ ...cut, filter: filterOf(cut) }))) {
    const key = name === "quote" ? "quoteCharacter" : name;
    query[key] = Array.isArray(value) ? record(value as string[]) : String(value);
  }
  return query;
}

/** Returns the rules for reading that a cut names. */
const readingOf = (cut: Cut): DialectOptions =>
  Object.fromEntries(
    READING_RULES.filter((name) => cut[name] !== undefined).map((name) => [name, cut[name]]),
  );

/** Returns what the page that shows this cut has in its address, besides the file. */
export const viewOf = (cut: Cut): Omit<View, "file"> => ({
  columns: cut.columns ?? cut.selectedColumns ?? null,
  filter: filterOf(cut),
  q: cut.q ?? "",
  row: null,
  reading: readingOf(cut),
  checks: checksOf(cut),
  output: outputOf(cut),
});

/** Returns the address of the page that shows this cut. */
export const cutterOf = (file: string, cut: Cut): string => addressOf({ file, ...viewOf(cut) });

export const receiptAddress = (cutId: string): string => `/receipt?cut=${encodeURIComponent(cutId)}`;
