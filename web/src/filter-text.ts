// Writes filters as text (docs/api.md, "Filters as text"), exactly as src/csv/filter/text/render.rs does.

export type Value = string | number | boolean;

export interface Condition {
  column: string;
  /** A name, such as `gte`, or a sign. */
  op: string;
  value?: Value | Value[];
}

export type Tree = { and: Tree[] } | { or: Tree[] } | { not: Tree } | { q: string } | Condition;

interface Operator {
  /** The sign of the operator, if it has one. */
  sign?: string;
  /** The operator that keeps exactly the rows that this operator drops. */
  negative?: string;
  values: "none" | "one" | "two" | "list";
}

const one = (negative?: string, sign?: string): Operator => ({ negative, sign, values: "one" });

/** The positive operators. */
const OPERATORS: Record<string, Operator> = {
  eq: one("ne", "="),
  gt: one(undefined, ">"),
  gte: one(undefined, ">="),
  lt: one(undefined, "<"),
  lte: one(undefined, "<="),
  ieq: one("ine"),
  numeq: one("numne"),
  on: one("noton"),
  contains: one("ncontains"),
  startswith: one("nstartswith"),
  endswith: one("nendswith"),
  like: one("nlike"),
  regex: one("nregex"),
  in: { negative: "notin", values: "list" },
  iin: { negative: "notiin", values: "list" },
  between: { negative: "notbetween", values: "two" },
  isempty: { negative: "notempty", values: "none" },
};

const POSITIVE = new Map(
  Object.entries(OPERATORS).flatMap(([name, { negative }]) => (negative ? [[negative, name] as const] : [])),
);

const OTHER_NAMES: Record<string, string> = {
  "=": "eq",
  "==": "eq",
  "!=": "ne",
  "<>": "ne",
  ">": "gt",
  ">=": "gte",
  "<": "lt",
  "<=": "lte",
  isnull: "isempty",
  notnull: "notempty",
};

/** Returns the name of an operator, which may be written as a sign or in capitals. */
export function nameOf(op: string): string {
  const name = op.toLowerCase();
  return OTHER_NAMES[name] ?? name;
}

/** Returns the operator that keeps exactly the rows that this operator drops; null if there is none. */
export const opposite = (op: string): string | null =>
  POSITIVE.get(nameOf(op)) ?? OPERATORS[nameOf(op)]?.negative ?? null;

/** How many values an operator takes. */
export const valuesOf = (op: string): Operator["values"] =>
  (OPERATORS[POSITIVE.get(nameOf(op)) ?? nameOf(op)] ?? one()).values;

export const isCondition = (tree: Tree): tree is Condition => "column" in tree;

// --- Trees --------------------------------------------------------------------------------------------------------------

export const condition = (column: string, op: string, value?: Value | Value[]): Condition =>
  value === undefined ? { column, op } : { column, op, value };

/** Joins filters, so that all of them must hold. Null keeps every row. */
export function and(...parts: (Tree | null)[]): Tree | null {
  const flat = parts.flatMap((part) => (part === null ? [] : "and" in part ? part.and : [part]));
  return flat.length > 1 ? { and: flat } : (flat[0] ?? null);
}

/** Returns the conditions that must all hold; null if the filter has another form. */
export function conditionsOf(tree: Tree | null): Condition[] | null {
  if (tree === null) return [];
  const parts = "and" in tree ? tree.and : [tree];
  const conditions = parts.map((part) => simplified(part));
  return conditions.every((part): part is Condition => part !== null && isCondition(part))
    ? conditions
    : null;
}

/** Writes `NOT` before a condition as its negative operator. */
function simplified(tree: Tree): Tree | null {
  if (!("not" in tree)) return tree;
  const inner = simplified(tree.not);
  if (!inner || !isCondition(inner)) return null;
  const op = opposite(inner.op);
  return op ? { ...inner, op } : null;
}

// --- Texts --------------------------------------------------------------------------------------------------------------

/** Returns the text of a filter. The text of no filter is empty. */
export const textOf = (tree: Tree | null): string => (tree === null ? "" : write(tree));

function write(tree: Tree): string {
  if ("and" in tree) return writeList(tree.and, " AND ");
  if ("or" in tree) return writeList(tree.or, " OR ");
  if ("not" in tree) return writeNot(tree.not);
  if ("q" in tree) return writeAny("", tree.q);
  return writeCondition(tree);
}

function writeList(parts: Tree[], join: string): string {
  if (parts.length === 0) return "()";
  return parts.length === 1 ? write(parts[0]!) : parts.map(writePart).join(join);
}

/** Writes a part of a list, in parentheses if it is a list itself. */
function writePart(tree: Tree): string {
  const parts = "and" in tree ? tree.and : "or" in tree ? tree.or : null;
  if (parts?.length === 1) return writePart(parts[0]!);
  return parts && parts.length > 0 ? `(${write(tree)})` : write(tree);
}

function writeNot(inner: Tree): string {
  if ("not" in inner) return write(inner.not);
  if ("q" in inner) return writeAny("NOT ", inner.q);
  const op = isCondition(inner) ? opposite(inner.op) : null;
  return op ? writeCondition({ ...(inner as Condition), op }) : `NOT ${writePart(inner)}`;
}

const writeAny = (not: string, text: string): string => `* ${not}CONTAINS ${quoted(text, "'")}`;

function writeCondition({ column, op, value = [] }: Condition): string {
  const name = nameOf(op);
  const positive = POSITIVE.get(name);
  const not = positive ? "NOT " : "";
  const { sign, values } = OPERATORS[positive ?? name] ?? one();
  const subject = quoted(column, '"');
  if (values === "none") return `${subject} IS ${not}EMPTY`;
  const texts = [value].flat().map((text) => quoted(String(text), "'"));
  const verb = sign ? (positive ? "!=" : sign) : not + (positive ?? name).toUpperCase();
  if (values === "list") return `${subject} ${verb} (${texts.join(", ")})`;
  return `${subject} ${verb} ${texts.join(" AND ")}`;
}

const PLAIN = /^[\p{Alphabetic}\p{N}_.:+\-#@/%]+$/u;
const JOINS = /^(and|or|not)$/i;

/** Writes a name or a value, in quotes if it is not a word or a number. */
const quoted = (text: string, quote: string): string =>
  PLAIN.test(text) && !JOINS.test(text) ? text : quote + text.replaceAll(quote, quote + quote) + quote;
