// How the result of a cut is written: its form, and what a spreadsheet needs. The address of `/cut` holds it, too.

import type { Schemas } from "../../clients/typescript/src/index";

type Cut = Schemas["CutBody"];
export type Format = NonNullable<Cut["format"]>;

/** The options of a result that differ from the defaults. Some may have no effect in the format. */
export type Output = Pick<
  Cut,
  | "format"
  | "compress"
  | "outDelimiter"
  | "outQuote"
  | "newline"
  | "bom"
  | "spreadsheetSafe"
  | "header"
  | "typed"
  | "limit"
  | "offset"
>;

const DEFAULTS: { [name in keyof Required<Output>]: Output[name] } = {
  format: "csv",
  compress: undefined,
  outDelimiter: "comma",
  outQuote: "minimal",
  newline: "lf",
  bom: false,
  spreadsheetSafe: false,
  header: true,
  typed: false,
  limit: undefined,
  offset: 0,
};

const NAMES = Object.keys(DEFAULTS) as (keyof Output)[];

const SIGNS: Record<string, string> = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe" };

/** Returns the options of a cut for its result. */
export function outputOf(cut: Cut): Output {
  const { outDelimiter: sign, format = cut.outputFormat } = cut;
  const given: Output = { ...cut, format, outDelimiter: sign && (SIGNS[sign] ?? sign) };
  return Object.fromEntries(
    NAMES.map((name) => [name, given[name]]).filter(
      ([name, value]) => value !== undefined && value !== null && value !== DEFAULTS[name as keyof Output],
    ),
  ) as Output;
}

export const isTable = (format: Format): boolean => format === "csv" || format === "tsv";

/** Returns the members of a cut. The server refuses options that have no effect in the format. */
export function membersOf(output: Output): Cut {
  const { format = "csv", outDelimiter, outQuote, newline, bom, spreadsheetSafe, header, typed } = output;
  const { compress, limit, offset } = output;
  const forTables = { outQuote, newline, bom, spreadsheetSafe, header };
  const members = {
    format,
    ...(format === "csv" && { outDelimiter }),
    ...(isTable(format) ? forTables : { typed }),
    compress,
    limit,
    offset,
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Cut;
}

// --- Spreadsheets -------------------------------------------------------------------------------------------------------

export const SEPARATORS = ["comma", "semicolon", "tab"] as const;

/** In these regions the decimals have a point, but Excel separates with semicolons all the same. */
const WITH_POINT = ["CH", "LI"];

/** Excel splits at the list separator of its language: a semicolon where the comma separates decimals. */
export function excelSeparator(): "semicolon" | "comma" {
  const format = new Intl.NumberFormat();
  const decimal = format.formatToParts(1.5).find(({ type }) => type === "decimal")?.value;
  const { region } = new Intl.Locale(format.resolvedOptions().locale).maximize();
  return decimal !== "." || WITH_POINT.includes(region ?? "") ? "semicolon" : "comma";
}

export const isForExcel = ({ bom, spreadsheetSafe }: Output): boolean => Boolean(bom && spreadsheetSafe);

/** Turns the options for Excel on or off. */
export const forExcel = (isOn: boolean): Output =>
  isOn
    ? { bom: true, spreadsheetSafe: true, outDelimiter: excelSeparator() }
    : { bom: undefined, spreadsheetSafe: undefined, outDelimiter: undefined };

// --- The address --------------------------------------------------------------------------------------------------------

const WORDS: { [name in keyof Output]: RegExp } = {
  format: /^(csv|tsv|json|ndjson)$/,
  compress: /^gzip$/,
  outDelimiter: /^([a-z]+|[^\w\s])$/,
  outQuote: /^(minimal|all|none)$/,
  newline: /^(lf|crlf)$/,
  bom: /^(true|false)$/,
  spreadsheetSafe: /^(true|false)$/,
  header: /^(true|false)$/,
  typed: /^(true|false)$/,
  limit: /^\d{1,15}$/,
  offset: /^\d{1,15}$/,
};

const valueOf = (name: keyof Output, text: string): unknown => {
  if (name === "limit" || name === "offset") return Number(text);
  return text === "true" || text === "false" ? text === "true" : text;
};

export function readOutput(params: URLSearchParams): Output {
  const found: Record<string, unknown> = {};
  for (const name of NAMES) {
    const text = params.get(name);
    if (text !== null && WORDS[name]!.test(text)) found[name] = valueOf(name, text);
  }
  return outputOf(found);
}

export const outputQuery = (output: Output): Record<string, string> =>
  Object.fromEntries(Object.entries(outputOf(output)).map(([name, value]) => [name, String(value)]));
