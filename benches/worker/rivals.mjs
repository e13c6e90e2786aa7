/**
 * The reference cut in JavaScript: keep the rows whose integer column is at least a bound, write three columns.
 *
 * Each function takes an async iterable of text and yields text. `splitter` is the simplest program; it is right only
 * if no cell is quoted. The others parse CSV.
 */
import { parse } from "csv-parse/browser/esm";
import Papa from "papaparse";

/** `column=11&minimum=9000&selected=2,9,16` */
export function jobOf(parameters) {
  return {
    column: Number(parameters.get("column")),
    minimum: Number(parameters.get("minimum")),
    selected: parameters.get("selected").split(",").map(Number),
  };
}

const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

async function* splitter(texts, { column, minimum, selected }) {
  let rest = "";
  let isHeader = true;
  for await (const text of texts) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    let out = "";
    for (const line of lines) {
      const cells = line.split(",");
      if (isHeader || Number(cells[column]) >= minimum) {
        out += selected.map((at) => cells[at]).join(",") + "\n";
      }
      isHeader = false;
    }
    if (out) yield out;
  }
}

/** Calls papaparse's parser as its streamers do: the unparsed rest of a text goes before the next text. */
async function* papaparse(texts, { column, minimum, selected }) {
  const parser = new Papa.Parser({ delimiter: ",", newline: "\n" });
  let rest = "";
  let isHeader = true;
  const cut = (rows) => {
    let out = "";
    for (const cells of rows) {
      if (isHeader || Number(cells[column]) >= minimum) {
        out += selected.map((at) => cell(cells[at])).join(",") + "\n";
      }
      isHeader = false;
    }
    return out;
  };
  for await (const text of texts) {
    rest += text;
    const { data, meta } = parser.parse(rest, 0, true);
    rest = rest.slice(meta.cursor);
    yield cut(data);
  }
  if (rest) yield cut(parser.parse(rest, 0, false).data.filter((cells) => cells.length > 1));
}

async function* csvParse(texts, { column, minimum, selected }) {
  const parser = parse();
  let out = "";
  let isHeader = true;
  parser.on("readable", () => {
    for (let cells = parser.read(); cells !== null; cells = parser.read()) {
      if (isHeader || Number(cells[column]) >= minimum) {
        out += selected.map((at) => cell(cells[at])).join(",") + "\n";
      }
      isHeader = false;
    }
  });
  const ended = new Promise((resolve, reject) => parser.on("end", resolve).on("error", reject));
  for await (const text of texts) {
    if (!parser.write(text)) await new Promise((resolve) => parser.once("drain", resolve));
    if (out) yield out;
    out = "";
  }
  parser.end();
  await ended;
  yield out;
}

export const RIVALS = { splitter, papaparse, "csv-parse": csvParse };
