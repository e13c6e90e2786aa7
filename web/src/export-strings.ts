// The texts of the export panel, of saved recipes, and of receipts.

import { n, name, plural, rows } from "./strings";

const columns = (value: number): string => plural(value, "column", "columns");

const SEPARATORS: Record<string, string> = {
  comma: "commas",
  semicolon: "semicolons",
  tab: "tabs",
  pipe: "pipes",
};

/** How a result is written. */
export const o = {
  formats: { csv: "CSV", tsv: "TSV", json: "JSON", ndjson: "NDJSON" },
  separated: (separator: string) => `separated by ${SEPARATORS[separator] ?? separator}`,
  bom: "with a byte order mark",
  safe: "an apostrophe before formulas",
  header: "column names in the first row",
  noHeader: "no column names",
  typed: "numbers, true and false without quotes, empty cells as null",
  quotes: { minimal: "", all: "every field in quotes", none: "no field in quotes" },
  newlines: { lf: "", crlf: "lines that end with CR LF" },
  limit: (count: number) => `at most ${rows(count)}`,
  offset: (count: number) => `without the first ${count === 1 ? "row" : rows(count)}`,
  zipped: "compressed (.gz)",
  /** Options that a recipe has, and the panel has not. */
  also: (words: string[]) => `Also: ${words.join(", ")}.`,
  leaveOut: "Leave this out",
};

export const e = {
  title: (file: string) => `Export from ${name(file)}`,
  open: "Export",

  summary: {
    rows: (count: number) => rows(count),
    atLeast: (count: number) => `at least ${rows(count)}`,
    unknown: "the rows that match",
    all: "all rows",
    allColumns: "all columns",
    columns: (shown: number, all: number | null) =>
      all === null ? columns(shown) : `${n(shown)} of ${columns(all)}`,
    cost: (read: string, total: string, skipped: number, dollars: string) =>
      skipped > 0
        ? `Reads ${read} of ${total} (${n(skipped)} % skipped), about ${dollars}`
        : `Reads ${read}, about ${dollars}`,
  },

  download: {
    title: "Download",
    format: "Format",
    excel: "For Excel",
    excelHint:
      "The separator of Excel in your language, a byte order mark, and an apostrophe before cells that Excel would run as a formula.",
    excelHintTsv: "A byte order mark, and an apostrophe before cells that Excel would run as a formula.",
    separator: "Separator",
    separators: { comma: "Comma", semicolon: "Semicolon", tab: "Tab", pipe: "Pipe" } as Record<
      string,
      string
    >,
    header: "Column names in the first row",
    gzip: "Compress (.gz)",
    typed: "Numbers, true and false without quotes, empty cells as null",
    button: "Download",
    again: "Download again",
  },

  /** What became of a download. */
  progress: {
    asking: "Checking the cut…",
    waiting: (file: string) => `Your browser downloads ${name(file)}. Its receipt will appear here.`,
    running: (file: string) => `Your browser downloads ${name(file)}.`,
    late: "The download has not begun yet. If your browser asked where to save the file, answer it.",
    disk: "This is what the server made. To check the file on your disk, drop it on the receipt.",
  },

  verdict: {
    complete: "Complete",
    failed: "Broken",
    running: "Running",
    verified: "verified",
    completeText: (count: number) =>
      count === 1 ? "The one row was written." : `All ${rows(count)} were written.`,
    verifiedText: "Every byte that was read is a byte that was uploaded.",
    unverifiedText: "The bytes that were read could not be checked, because the file has no digests yet.",
    failedText: "The result is not complete. Delete what was downloaded, and run the cut again.",
    runningText: "The cut is not finished. This page looks again every few seconds.",
  },

  receipt: {
    title: "Receipt of a cut",
    link: "Receipt",
    copyLink: "Copy the link to this cut",
    rows: "Rows",
    rowsText: (read: number, written: number) => `${n(read)} read or skipped, ${n(written)} written`,
    bytes: "Bytes",
    bytesText: (read: string, skipped: string, written: string) =>
      `${read} read, ${skipped} skipped, ${written} written`,
    bytesTextAll: (read: string, written: string) => `${read} read, ${written} written`,
    hash: "SHA-256",
    noHash: "none, because the result is not complete",
    pageTitle: (file: string) => `Receipt of a cut of ${name(file)} – Cutty`,
    file: "File",
    time: "Time",
    timeText: (began: string, took: string) => `${began}, took ${took}`,
    deletedFile: "a deleted file",
    defects: "What was unusual",
    noDefects: "Nothing: each row has as many fields as the header, and every character could be read.",
    noneYet: "Nothing in the part that was read.",
    long: (count: number) =>
      `${rows(count)} ${count === 1 ? "has" : "have"} more fields than the header. The extra fields are left out.`,
    short: (count: number) =>
      `${rows(count)} ${count === 1 ? "has" : "have"} fewer fields than the header. The missing cells are empty.`,
    malformed: (count: number) => `${plural(count, "record has", "records have")} a quote in a wrong place.`,
    undecodable: (count: number, encoding: string) =>
      `${plural(count, "byte sequence is", "byte sequences are")} not valid in ${encoding}, and ${count === 1 ? "was" : "were"} replaced by �.`,
    undecodableAt: (line: number) => `The first one is in line ${n(line)}.`,
    invalidUtf8: (count: number) =>
      `${plural(count, "byte sequence is", "byte sequences are")} not valid UTF-8, and ${count === 1 ? "was" : "were"} replaced by �.`,
    comments: (count: number) =>
      `${plural(count, "line", "lines")} below the header ${count === 1 ? "begins like a comment and is" : "begin like comments and are"} left out.`,
    notComparable: (count: number) =>
      `${plural(count, "filled cell", "filled cells")} could not be compared with the filter, because ${count === 1 ? "it is" : "they are"} of another kind, such as a word in a column of numbers.`,
    rejected: "A row was refused, which ended the cut.",
    reading: "Reading",
    recipe: "Recipe",
    filter: "Filter",
    noFilter: "none: all rows",
    columns: "Columns",
    allColumns: "all",
    format: "Format",
    recipeGone: "The recipe of this cut is not stored any more.",
    openCutter: "Open in the cutter",
    runAgain: "Run again",
    sameAgain: "The new result is the same, byte for byte.",
    otherAgain: "The new result has other bytes than this one.",
    missingTitle: "There is no such receipt",
    missing: "The receipt does not exist, or it belongs to somebody else.",
    all: "All receipts",
  },

  check: {
    title: "Is your file this cut?",
    text: "Drop a file here, or choose it. It is compared on this device, and is not uploaded.",
    choose: "Choose a file",
    another: "Check another file",
    drop: "Drop the file to compare it",
    hashing: (file: string) => `Comparing ${name(file)}`,
    progress: (read: string, total: string) => `${read} of ${total}`,
    stop: "Stop",
    yes: "Yes",
    no: "No",
    same: (file: string) => `${name(file)} is this cut, byte for byte.`,
    sameZipped: (file: string) => `${name(file)} is this cut, byte for byte, after it was unzipped.`,
    emptyFile: (file: string) => `${name(file)} is not this cut: it is empty.`,
    shorter: (file: string, has: number, wrote: number) =>
      `${name(file)} is not this cut: it has ${n(has)} bytes, and the cut wrote ${n(wrote)}. The download may have stopped early.`,
    longer: (file: string, has: number, wrote: number) =>
      `${name(file)} is not this cut: it has ${n(has)} bytes, and the cut wrote ${n(wrote)}.`,
    different: (file: string) =>
      `${name(file)} is not this cut: it is as long, but other bytes. A program may have changed it when it saved the file.`,
    damagedZip: (file: string) =>
      `${name(file)} is not this cut: it cannot be unzipped to its end. The download may have stopped early.`,
    unreadable: (file: string) =>
      `${name(file)} could not be read. If it was changed or moved meanwhile, choose it again.`,
  },

  receipts: {
    title: "Receipts",
    of: (file: string) => `Receipts of ${name(file)}`,
    place: "Receipts",
    emptyTitle: "No receipts yet",
    empty: "Each cut leaves a receipt: what was read, what was written, and its hash.",
    toFiles: "Go to the files",
    more: "Show more receipts",
    heads: { file: "File", rows: "Rows", bytes: "Size", time: "Time", verdict: "Verdict" },
    list: "Receipts, newest first",
  },

  save: {
    title: "Save as a file",
    name: "Name",
    tags: "Tags",
    tagsHint: "Separated by commas",
    button: "Save as a file",
    working: "Cutting and saving. This can take a while for a large file; keep the page open.",
    done: (file: string, count: number | null) =>
      count === null ? `${name(file)} is saved.` : `${name(file)} is saved, with ${rows(count)}.`,
    open: "Open it",
  },

  recipe: {
    title: "Save as a recipe",
    text: "A recipe keeps the columns, the filter and the format under a name, for this and other files.",
    name: "Name of the recipe",
    button: "Save the recipe",
    exists: (recipe: string) => `You have a recipe ${name(recipe)} already.`,
    replace: "Replace it",
    gone: "The recipe of this name was deleted meanwhile. Save it again.",
    saved: (recipe: string) => `The recipe ${name(recipe)} is saved.`,
    replaced: (recipe: string) => `The recipe ${name(recipe)} is replaced.`,
  },

  copy: {
    title: "Copy as",
    kinds: { link: "Link", curl: "curl", python: "Python", filter: "Filter" },
    text: (kind: string) => `The cut as ${kind}`,
    button: "Copy",
    copied: "Copied",
    failed: "The browser did not allow it: select the text and copy it.",
    token: "Set TOKEN to an access token first. It is not in the text.",
    noFilter: "There is no filter: all rows are kept.",
  },

  recipes: {
    title: "Recipes",
    search: "Search recipes",
    list: "Recipes",
    apply: "Apply",
    applyTo: (recipe: string) => `Apply ${name(recipe)}`,
    download: "Download",
    downloadOf: (recipe: string) => `Download with ${name(recipe)}`,
    menu: (recipe: string) => `Actions for ${name(recipe)}`,
    suits: "Suits this file",
    missing: (names: string[], more: number) =>
      names.length === 1 && more <= 0
        ? `This file has no column ${name(names[0]!)}`
        : `This file does not have the columns ${names.map(name).join(", ")}${more > 0 ? ` and ${n(more)} more` : ""}`,
    noFilter: "all rows",
    columns: (count: number) => columns(count),
    allColumns: "all columns",
    rename: "Rename",
    newName: (recipe: string) => `New name of ${name(recipe)}`,
    nameTaken: "You have a recipe of this name already.",
    remove: "Delete",
    removed: (recipe: string) => `${name(recipe)} is deleted.`,
    undo: "Undo",
    more: "Show more recipes",
    empty: "No recipes yet. Filter this file or pick columns, then save it as a recipe.",
    noMatch: "No recipe has this name.",
  },
};
