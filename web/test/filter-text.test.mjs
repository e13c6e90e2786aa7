// The writer of filters as text gives the same texts as the server. Node removes the types from web/src/filter-text.ts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { and, condition, conditionsOf, opposite, textOf } from "../src/filter-text.ts";
import * as h from "./harness.mjs";

after(h.close);

const vectors = JSON.parse(readFileSync("tests/filters.json", "utf8"));

test("each tree of the shared vectors has its text", () => {
  for (const { text, tree } of vectors) assert.equal(textOf(tree), text);
  assert.equal(textOf(null), "");
  assert.equal(textOf(condition("a", "==", 5)), "a = 5");
  assert.equal(textOf(condition("a", "ISNULL")), "a IS EMPTY");
});

test("filters are joined, and are taken apart into conditions", () => {
  const [a, b, c] = ["a", "b", "c"].map((name) => condition(name, "eq", "1"));
  assert.equal(and(), null);
  assert.equal(and(null, a), a);
  assert.deepEqual(and({ and: [a, b] }, null, c), { and: [a, b, c] });
  assert.deepEqual(and({ or: [a, b] }, c), { and: [{ or: [a, b] }, c] });
  assert.deepEqual(conditionsOf(null), []);
  assert.deepEqual(conditionsOf(a), [a]);
  assert.deepEqual(conditionsOf({ and: [a, { not: b }] }), [a, { ...b, op: "ne" }]);
  assert.equal(conditionsOf({ or: [a, b] }), null);
  assert.equal(conditionsOf({ and: [a, { or: [b, c] }] }), null);
  assert.equal(conditionsOf({ and: [a, { q: "x" }] }), null);
  assert.equal(conditionsOf({ not: condition("a", "gt", "1") }), null);
  assert.equal(opposite("notin"), "in");
});

/** Numbers that look random and are the same in each run. */
function randomOf(seed) {
  const below = (limit) => {
    seed = (seed * 48271) % 2147483647;
    return seed % limit;
  };
  return { below, pick: (list) => list[below(list.length)] };
}

const ONE = "eq ne ieq ine contains ncontains startswith nstartswith endswith nendswith like nlike".split(
  " ",
);
const ORDER = ["gt", "gte", "lt", "lte", "=", "==", "!=", "<>", ">", ">=", "<", "<="];
const PIECES = [
  "a",
  "Zoë",
  "名前",
  "0",
  "-1.5",
  " ",
  "'",
  '"',
  ",",
  "(",
  ")",
  "=",
  "<",
  "AND",
  "or",
  "not",
  "*",
  "\\",
  "%",
  "#3",
  "½",
  "😀",
  "\t",
];

function randomText({ below, pick }) {
  return Array.from({ length: 1 + below(3) }, () => pick(PIECES)).join("");
}

function randomCondition(random) {
  const { below, pick } = random;
  const column = randomText(random);
  const text = () => randomText(random);
  switch (below(8)) {
    case 0:
      return {
        column,
        op: pick(["in", "notin", "iin", "notiin"]),
        value: Array.from({ length: 1 + below(3) }, text),
      };
    case 1:
      return { column, op: pick(["between", "notbetween"]), value: ["a", text()] };
    case 2:
      return { column, op: pick(["isempty", "notempty"]) };
    case 3:
      return { column, op: pick(["numeq", "numne"]), value: String(below(2000) / 8 - 100) };
    case 4:
      return { column, op: pick(["on", "noton"]), value: `2024-0${1 + below(9)}-15` };
    case 5:
      return { column, op: pick(ORDER), value: text() };
    case 6:
      return { q: text() };
    default:
      return { column, op: pick(ONE), value: text() };
  }
}

function randomTree(random, levels) {
  const { below } = random;
  const list = () => Array.from({ length: below(4) }, () => randomTree(random, levels - 1));
  if (levels === 0 || below(3) === 0) return randomCondition(random);
  if (below(4) === 0) return { not: randomTree(random, levels - 1) };
  return below(2) ? { and: list() } : { or: list() };
}

const hasShortList = ({ and, or, not }) => {
  const parts = and ?? or;
  return parts ? parts.length < 2 || parts.some(hasShortList) : not ? hasShortList(not) : false;
};

test("random trees have the text that the server writes, and the text is read as the same tree", async () => {
  const page = await h.newPage();
  const send = await h.apiOf(await h.signUp(page));
  await page.context().close();
  const random = randomOf(20261130);
  for (let round = 0; round < 300; round++) {
    const tree = randomTree(random, 3);
    const text = textOf(tree);
    const written = await send("/api/filters/parse", { tree });
    if (written.errors.length > 0) continue;
    assert.equal(text, written.text, JSON.stringify(tree));
    const read = await send("/api/filters/parse", { text });
    assert.deepEqual(read.errors, [], text);
    const again = await send("/api/filters/parse", { tree: read.tree });
    assert.equal(textOf(read.tree), read.text, text);
    assert.deepEqual(again.tree, read.tree, text);
    // A list of one is written like its only part, so the text of what was read can differ.
    if (!hasShortList(tree)) assert.equal(read.text, text);
  }
});
