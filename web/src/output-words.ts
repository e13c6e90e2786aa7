// How the result of a cut is written, in words.

import type { Cut } from "./cut";
import { o } from "./export-strings";
import { isForExcel, isTable, membersOf, outputOf } from "./output";
import type { Output } from "./output";

const rest = ({ outQuote, newline, limit, offset }: Output): string[] =>
  [
    outQuote && o.quotes[outQuote],
    newline && o.newlines[newline],
    offset ? o.offset(offset) : "",
    limit !== undefined && o.limit(limit!),
  ].filter((text): text is string => Boolean(text));

/** Returns what the cut says about its result, in words. */
export function outputWords(cut: Cut): string[] {
  const output = outputOf(membersOf(outputOf(cut)));
  const {
    format = "csv",
    outDelimiter = "comma",
    bom,
    spreadsheetSafe,
    header = true,
    typed,
    compress,
  } = output;
  const isSafe = spreadsheetSafe && o.safe;
  const forTables = [bom && o.bom, isSafe, header ? o.header : o.noHeader];
  return [
    o.formats[format],
    format === "csv" && o.separated(outDelimiter),
    ...(isTable(format) ? forTables : [typed && o.typed]),
    ...rest(output),
    compress && o.zipped,
  ].filter((text): text is string => Boolean(text));
}

/** Returns the options that have no control in the panel, in words. Recipes of other programs have them. */
export function hiddenWords(output: Output): string[] {
  const { bom, spreadsheetSafe, ...members } = outputOf(membersOf(output));
  const one = isForExcel(output) ? [] : [bom && o.bom, spreadsheetSafe && o.safe];
  return [...one.filter((text): text is string => Boolean(text)), ...rest(members)];
}

/** Returns the options without those that have no control. */
export function shownOnly(output: Output): Output {
  const { outQuote: _quote, newline: _newline, limit: _limit, offset: _offset, ...shown } = output;
  return isForExcel(output) ? shown : { ...shown, bom: undefined, spreadsheetSafe: undefined };
}
