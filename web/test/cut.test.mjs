import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

let page;
let send;
before(async () => {
  page = await h.newPage();
  send = await h.apiOf(await h.signUp(page));
});

afterEach(async () => {
  await page.goto("about:blank");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  page.faults.length = 0;
});

const post = async (name, text) =>
  (await send("/api/files", text, { "content-type": "text/csv", "x-file-name": name })).file.id;
const grid = () => page.getByRole("grid");
const button = (name) => page.getByRole("button", { name, exact: true });
const text = () => page.getByLabel("Filter as text");
const range = () => page.locator(".range-text");

/** The texts of the cells of a row that is in view, without the number of the row. */
const cellsOf = async (row) => {
  await page.locator(`.grid-row[data-row="${row}"] .grid-cell :not(.wait)`).first().waitFor();
  return page
    .locator(`.grid-row[data-row="${row}"] > [role=gridcell]`)
    .evaluateAll((cells) => cells.map((cell) => cell.textContent));
};

/** Opens the page of a file and waits for its rows. */
async function open(id, query = "") {
  await page.goto(`${h.URL_}/cut?file=${id}${query}`);
  await page.locator(".grid-row .grid-cell :not(.wait)").first().waitFor();
}

async function goTo(row) {
  await page.getByLabel(/^Go to/).fill(String(row));
  await page.keyboard.press("Enter");
  await page
    .locator(`.grid-row.on[data-row="${row - 1}"] .grid-cell :not(.wait)`)
    .first()
    .waitFor();
}

const noFaults = async () => {
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
};

const bins = (from, width, counts) => ({
  kind: "number",
  bins: counts.map((count, at) => ({
    from: String(from + at * width),
    to: String(from + (at + 1) * width),
    count,
  })),
});

const CITIES = ["Bern", "Basel", "La Chaux-de-Fonds", "Zürich"];
const voters = Array.from({ length: 3000 }, (_, at) => [
  String(at).padStart(6, "0"),
  CITIES[(at * 7) % 4],
  String(18 + ((at * 13) % 60)),
  at % 5 ? `zoe.${at}@example.com` : "",
]);
const votersText = `id,city,age,email\n${voters.map((row) => row.join(",")).join("\n")}\n`;
test("the name of a file leads to its rows, and the cells are those of the file, wherever one looks", async () => {
  await post("voters.csv", votersText);
  await page.goto(`${h.URL_}/`);
  await page.getByRole("link", { name: "voters.csv" }).click();
  await page.waitForURL(/\/cut\?file=/);
  await page.locator(".grid-row").first().waitFor();
  await page.getByRole("heading", { name: "voters.csv" }).waitFor();
  await page.getByText("3,000 rows · 4 columns").waitFor();
  await range()
    .getByText(/^rows 1–\d+ of 3,000$/)
    .waitFor();
  assert.equal(await grid().getAttribute("aria-rowcount"), "3001");
  assert.equal(await grid().getAttribute("aria-colcount"), "5");
  for (let round = 0; round < 20; round++) {
    const at = Math.floor(Math.random() * voters.length);
    await goTo(at + 1);
    assert.deepEqual(
      await cellsOf(at),
      voters[at].map((cell) => cell || "empty"),
      `row ${at}`,
    );
    assert.equal(
      await page.locator(`.grid-row[data-row="${at}"] > .grid-number`).innerText(),
      (at + 1).toLocaleString("en-GB"),
    );
  }
  await noFaults();
});

test("the grid by keyboard: cells keep the focus, Enter opens a cell and a column, a column moves", async () => {
  const id = await post("keys.csv", votersText);
  await open(id);
  await grid().focus();
  const active = () =>
    page.evaluate(() => {
      const id = document.activeElement.getAttribute("aria-activedescendant");
      const cell = id && document.getElementById(id);
      const row = cell?.closest("[role=row]");
      return cell && [row.getAttribute("aria-rowindex"), cell.getAttribute("aria-colindex")].map(Number);
    });
  const press = async (key, expected) => {
    await page.keyboard.press(key);
    await page
      .waitForFunction(
        ([row, column]) => {
          const id = document.activeElement.getAttribute("aria-activedescendant");
          const cell = id && document.getElementById(id);
          return (
            Number(cell?.closest("[role=row]").getAttribute("aria-rowindex")) === row &&
            Number(cell.getAttribute("aria-colindex")) === column
          );
        },
        expected,
        { timeout: 3000 },
      )
      .catch(async () => assert.deepEqual(await active(), expected, key));
  };
  await press("ArrowDown", [3, 2]);
  await press("ArrowRight", [3, 3]);
  await press("End", [3, 5]);
  await press("Home", [3, 2]);
  await press("Control+End", [3001, 5]);
  assert.deepEqual((await cellsOf(2999))[3], voters.at(-1)[3] || "empty");
  await press("Control+Home", [2, 2]);
  await page.keyboard.press("PageDown");
  await page.waitForFunction(
    () => Number(document.querySelector("#active-cell")?.closest("[role=row]").dataset.row) > 8,
  );
  await press("Control+Home", [2, 2]);
  await page.keyboard.press("Enter");
  await page
    .getByRole("dialog", { name: /Row 1, .*id/ })
    .getByText("000000", { exact: true })
    .waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await press("ArrowUp", [1, 2]);
  await press("Alt+ArrowRight", [1, 3]);
  await page.waitForURL(/columns=city%2Cid%2Cage%2Cemail/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "id" }).getByText("Distinct values").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.activeElement.getAttribute("role") === "grid");
  await noFaults();
});

test("a link leads to a row; back and forward return to views", async () => {
  const id = await post("deep.csv", votersText);
  await open(id, "&row=2000");
  await page.locator('.grid-row.on[data-row="1999"]').waitFor();
  assert.deepEqual(
    await cellsOf(1999),
    voters[1999].map((cell) => cell || "empty"),
  );
  await goTo(100);
  await page.waitForURL(/row=100$/);
  await page.keyboard.press("f");
  await page.getByLabel("Column", { exact: true }).fill("city");
  await page.getByLabel("Value", { exact: true }).fill("Bern");
  await page.getByText("750 rows match").waitFor();
  await page.waitForURL(/filter=city\+%3D\+Bern/);
  await page.goBack();
  await page.waitForURL(/row=100$/);
  await page.locator('.grid-row.on[data-row="99"]').waitFor();
  assert.deepEqual(
    await cellsOf(99),
    voters[99].map((cell) => cell || "empty"),
  );
  await page.goBack();
  await page.waitForURL(/row=2000$/);
  await page.locator('.grid-row.on[data-row="1999"]').waitFor();
  await page.goForward();
  await page.goForward();
  await page.getByText("750 rows match").waitFor();
  await page.reload();
  await page.getByText("750 rows match").waitFor();
  await page.getByRole("button", { name: "Change \u2068city = Bern\u2069" }).waitFor();
  await noFaults();
});

test("filters as chips and as text are in step; faults are explained; the rows of the file keep their numbers", async () => {
  const id = await post("filters.csv", votersText);
  const expected = voters
    .map((row, at) => [row, at])
    .filter(([row]) => row[1] === "Bern" && Number(row[2]) >= 30);
  await open(id);
  await button("As text").click();
  await text().fill("city = Bern AND age >= 30");
  await page.getByText(`${expected.length} rows match`).waitFor();
  await page.getByRole("button", { name: "Change \u2068age >= 30\u2069" }).waitFor();
  await page.getByText(/^reads .* of .* · about US\$/).waitFor();
  await page.waitForFunction(
    (text) => document.querySelector(".grid-row .grid-number")?.textContent === text,
    String(expected[0][1] + 1),
  );
  assert.deepEqual(
    await cellsOf(1),
    expected[1][0].map((cell) => cell || "empty"),
  );
  assert.equal(
    await page.locator('.grid-row[data-row="1"] .grid-number').innerText(),
    String(expected[1][1] + 1),
  );
  assert.equal(await page.locator(".grid-title.filtered").count(), 2);
  await range()
    .getByText(new RegExp(`of ${expected.length}$`))
    .waitFor();

  // A chip changes the text.
  await page.getByRole("button", { name: "Change \u2068age >= 30\u2069" }).click();
  await page.getByLabel("Condition", { exact: true }).selectOption("less than");
  await page.getByLabel("Value", { exact: true }).fill("25");
  await page.waitForFunction(
    () => document.getElementById("filter-text").value === "city = Bern AND age < 25",
  );
  await button("Done").click();
  await page.getByRole("button", { name: "Remove \u2068city = Bern\u2069" }).click();
  await page.waitForFunction(() => document.getElementById("filter-text").value === "age < 25");
  await page.waitForURL(/filter=age\+%3C\+25/);

  // A wrong name: where it is, the nearest name, and a button that uses it.
  await text().fill("cty = Bern AND age < 25");
  await page.getByText('There is no column "cty"').waitFor();
  assert.equal(await page.locator("mark").innerText(), "cty");
  await page.waitForURL(/filter=age\+%3C\+25/);
  await button("Use \u2068city\u2069").click();
  await page.waitForURL(/filter=city\+%3D\+Bern\+AND\+age\+%3C\+25/);
  await text().fill("city = Bern AND");
  await page.getByText("Expected here: column.").waitFor();
  // The chips are the conditions of the rows that are shown, also while the text is wrong.
  await text().fill("cty = Basel");
  await page.getByText('There is no column "cty"').waitFor();
  assert.deepEqual(await page.locator(".chip bdi").allInnerTexts(), ["city = Bern", "age < 25"]);
  await page.getByRole("button", { name: "Remove \u2068age < 25\u2069" }).click();
  await page.waitForURL((url) => url.searchParams.get("filter") === "city = Bern");

  // The range of a column must make sense. A dialog closes when the page goes back.
  await page.getByTitle("age", { exact: true }).click();
  const dialog = page.getByRole("dialog");
  const keep = async (from, below) => {
    await dialog.getByLabel("From").fill(from);
    await dialog.getByLabel("Below").fill(below);
    await dialog.getByRole("button", { name: "Keep this range" }).click();
  };
  await keep("abc", "");
  await dialog.getByText("Write a number, such as 20 or 1.5.").waitFor();
  await keep("44", "30");
  await dialog.getByText("Write a value above the one in From.").waitFor();
  await page.goBack();
  await dialog.waitFor({ state: "detached" });
  await page.waitForURL(/filter=city\+%3D\+Bern\+AND\+age\+%3C\+25/);
  await text().fill("");
  await page.waitForURL((url) => !url.searchParams.has("filter"));
  await page.keyboard.press("Tab");
  await page.getByLabel("Any column contains").fill("basel");
  await page.waitForURL(/q=basel/);
  await page.getByText("750 rows match").waitFor();

  // A page that rests does nothing: soon there is a second without a change.
  const isQuiet = await page.evaluate(async () => {
    let last = performance.now();
    const change = () => (last = performance.now());
    const observer = new MutationObserver(change);
    observer.observe(document.body, {
      subtree: true,
      childList: true,
      attributes: true,
      characterData: true,
    });
    const { replaceState } = history;
    history.replaceState = (...all) => (change(), replaceState.apply(history, all));
    for (let tries = 0; tries < 40; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (performance.now() - last > 1000) return true;
    }
    return false;
  });
  assert.ok(isQuiet);
  await noFaults();
});

test("a click on a bar and a drag over bars are filters, and so is a click on a value", async () => {
  const id = await post("bars.csv", votersText);
  await open(id);
  const bars = (name) => page.getByRole("img", { name: `Values of \u2068${name}\u2069` });
  await bars("age").waitFor();
  const { x, y, width, height } = await bars("age").boundingBox();
  const at = (bar) => [x + ((bar + 0.5) / 30) * width, y + height - 4];
  await page.mouse.click(...at(6));
  await page.waitForURL((url) => url.searchParams.get("filter") === "age >= 30 AND age < 32");
  await page.mouse.move(...at(20));
  await page.mouse.down();
  await page.mouse.move(...at(12), { steps: 3 });
  await page.mouse.up();
  await page.waitForURL((url) => url.searchParams.get("filter") === "age >= 42 AND age < 60");
  const city = await bars("city").boundingBox();
  await page.mouse.click(city.x + city.width * 0.6, city.y + city.height - 4);
  await page.waitForURL(
    (url) => url.searchParams.get("filter") === "age >= 42 AND age < 60 AND city = 'La Chaux-de-Fonds'",
  );

  // The same by keyboard, in the panel of the column.
  await grid().focus();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await button("Keep only rows with \u2068Basel\u2069").click();
  await page.waitForURL(
    (url) => url.searchParams.get("filter") === "age >= 42 AND age < 60 AND city = Basel",
  );
  await noFaults();
});

test("very long cells, NULs, marks of direction, right-to-left text and empty cells", async () => {
  // A record has at most 4 MiB.
  const long = "x".repeat((4 << 20) - 64);
  const rows = [
    ["1", "a\u0001b\u0007c", "שלום, עולם"],
    ["2", long, "\u202eevil"],
    ["3", "", "  "],
    ["4", '"two\nlines"', "a\u0000b"],
  ];
  const id = await post("odd.csv", `n,a,b\n${rows.map(([n, a, b]) => `${n},${a},"${b}"`).join("\n")}\n`);
  await open(id);
  await page.locator('.grid-row[data-row="3"] .grid-cell :not(.wait)').first().waitFor();
  assert.deepEqual(await cellsOf(0), ["1", "a␁b␇c", "שלום, עולם"]);
  assert.deepEqual(await cellsOf(2), ["3", "empty", "␣␣"]);
  assert.deepEqual(await cellsOf(3), ["4", "two↵lines", "a␀b"]);
  const [, excerpt, evil] = await cellsOf(1);
  assert.equal(evil, "U+202Eevil");
  assert.ok(excerpt.length < 400 && excerpt.startsWith("xxx"));
  await page.locator('.grid-row[data-row="1"] .grid-cell').nth(1).dblclick();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The first 4,096 of 4,194,240 characters").waitFor();
  await dialog.getByRole("button", { name: "Show the whole value" }).click();
  await dialog.getByText("4,194,240 characters", { exact: true }).waitFor();
  const length = await page.locator(".value-text").evaluate((element) => element.textContent.length);
  assert.equal(length, (4 << 20) - 64);
  await page.keyboard.press("Escape");
  assert.equal(
    await page
      .locator('.grid-row[data-row="0"] bdi')
      .nth(2)
      .evaluate((cell) => getComputedStyle(cell).direction),
    "rtl",
  );
  await noFaults();
});

test("another reading is live and in the address; defects lead to their rows", async () => {
  const lines = Array.from({ length: 400 }, (_, at) => `${at};x`);
  const id = await post("reading.csv", `a;b\n${lines.join("\n")}\n1;2;3\n7\n`);
  await open(id);
  await page.getByText("402 rows · 2 columns").waitFor();
  await page.getByText(/notices about the file/).click();
  await page.getByRole("button", { name: /^Row 401 / }).click();
  await page.locator('.grid-row.on[data-row="400"]').waitFor();
  await page.locator(".foot").getByText("3 fields where the header has 2").waitFor();
  await page.getByRole("button", { name: "How the file is read: UTF-8 · ;" }).click();
  await page.getByLabel("Delimiter", { exact: true }).selectOption("comma");
  await page.waitForURL(/delimiter=comma/);
  await page.getByText("1 column", { exact: true }).waitFor();
  await page.getByLabel("First record").selectOption("Is a row");
  await page.waitForURL(/inputHeader=false/);
  await page.waitForFunction(
    () => document.querySelector('.grid-row[data-row="0"] .grid-cell')?.textContent === "a;b",
  );
  await page.reload();
  await page.waitForFunction(
    () => document.querySelector('.grid-row[data-row="0"] .grid-cell')?.textContent === "a;b",
  );
  await page.goBack();
  await page.goBack();
  await page.waitForURL((url) => !url.searchParams.has("delimiter"));
  await page.getByText("402 rows · 2 columns").waitFor();
  await noFaults();
});

test("columns: find, hide, show and move", async () => {
  const id = await post("columns.csv", votersText);
  await open(id);
  await page.keyboard.press("c");
  await page.getByLabel("Show \u2068age\u2069").uncheck();
  await page.waitForURL((url) => url.searchParams.get("columns") === "id,city,email");
  await page.getByLabel("Move \u2068email\u2069 up").click();
  await page.waitForURL((url) => url.searchParams.get("columns") === "id,email,city");
  await page.getByLabel("Show \u2068email\u2069").focus();
  await page.keyboard.press("Alt+ArrowUp");
  await page.waitForURL((url) => url.searchParams.get("columns") === "email,id,city");
  await page.getByText("\u2068email\u2069 is column 1 of 3.").waitFor();
  await page.getByLabel("Find a column").fill("cit");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.waitForFunction(() =>
    document.querySelector(".grid-title.active")?.textContent.includes("city"),
  );
  assert.deepEqual(await cellsOf(1), [voters[1][3], voters[1][0], voters[1][1]]);
  await page.keyboard.press("c");
  await button("Show all").click();
  await page.waitForURL((url) => !url.searchParams.has("columns"));
  await page.keyboard.press("Escape");
  await open(id, "&columns=city,nothing");
  await page.getByText("The address names columns that this file does not have: nothing.").waitFor();
  assert.deepEqual(await cellsOf(1), [voters[1][1]]);
  await noFaults();
});

test("states: no file, a missing file, the trash, no rows, no match, a wrong filter in the address, offline", async () => {
  await page.goto(`${h.URL_}/cut`);
  await page.getByText("This page shows the rows of one file").waitFor();
  await noFaults();
  await page.goto(`${h.URL_}/cut?file=00000000-0000-7000-8000-000000000000`);
  await page.getByText("This file does not exist, or it belongs to somebody else.").waitFor();
  await page.getByRole("link", { name: "Go to the files" }).waitFor();

  const id = await post("states.csv", votersText);
  await send(`/api/files/${id}`, "", {}, "DELETE");
  await page.goto(`${h.URL_}/cut?file=${id}`);
  await page.getByRole("heading", { name: "This file is in the trash" }).waitFor();
  await button("Restore").click();
  await page.locator(".grid-row").first().waitFor();

  const empty = await post("header.csv", "a,b,c\n");
  await page.goto(`${h.URL_}/cut?file=${empty}`);
  await page.getByText("This file has a header, and no rows.").waitFor();

  const broken = await post("broken.csv", `a,b\n1,${"x".repeat(5 << 20)}\n2,3\n`);
  await page.goto(`${h.URL_}/cut?file=${broken}`);
  await page.getByText(/Record 1 \(line 2, byte 4\): longer than/).waitFor();
  await button("Change how it is read").first().click();
  await page.getByLabel("Delimiter", { exact: true }).waitFor();

  await page.goto(`${h.URL_}/cut?file=${id}&filter=city%20%3D%20Nowhere`);
  await page.getByText("No row matches.").waitFor();
  await button("Remove all conditions").click();
  await page.locator('.grid-row[data-row="0"]').waitFor();
  await page.goto(`${h.URL_}/cut?file=${id}&filter=city%20%3D`);
  await page.getByText("This filter cannot be used, so no rows are shown.").waitFor();
  assert.equal(await grid().count(), 0);

  await open(id);
  await page.context().setOffline(true);
  await page.getByLabel("Go to row").fill("2900");
  await page.keyboard.press("Enter");
  await page.locator(".rows .note").getByText("You are offline").waitFor();
  await page.context().setOffline(false);
  await page.locator(".rows .note").getByRole("button", { name: "Try again" }).click();
  await page.locator('.grid-row.on[data-row="2899"] .grid-cell :not(.wait)').first().waitFor();
  page.faults.length = 0;
});

test("back and forward: an answer about a filter that was left changes nothing", async () => {
  const id = await post("stale.csv", votersText);
  const parse = "**/api/filters/parse";
  let answers = 0;
  await page.route(parse, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 800));
    await route.continue().catch(() => undefined);
    answers++;
  });
  await open(id);
  await button("As text").click();
  const request = page.waitForRequest(parse);
  await page.evaluate(() => {
    history.pushState(null, "", `${location.href}&filter=city+%3D+Bern`);
    dispatchEvent(new PopStateEvent("popstate"));
  });
  await request;
  await page.goBack();
  await page.waitForTimeout(1500);
  assert.equal(answers, 1);
  assert.equal(await text().inputValue(), "");
  assert.equal(await page.locator(".chip").count(), 0);
  assert.equal(await page.locator(".grid-title.filtered").count(), 0);
  await range()
    .getByText(/of 3,000$/)
    .waitFor();

  // A filter that the page made, and then quick steps.
  await text().fill("city = Basel");
  await page.getByText("750 rows match").waitFor();
  await page.evaluate(async () => {
    for (const by of [-1, 1, -1]) {
      history.go(by);
      await new Promise((resolve) => addEventListener("popstate", resolve, { once: true }));
    }
  });
  await page.waitForTimeout(1200);
  assert.ok(!page.url().includes("filter="));
  assert.equal(await text().inputValue(), "");
  assert.equal(await page.locator(".chip").count(), 0);
  await range()
    .getByText(/of 3,000$/)
    .waitFor();
  await page.goForward();
  await page.getByText("750 rows match").waitFor();
  assert.equal(await text().inputValue(), "city = Basel");
  await noFaults();
});

test("rows that end before a record that cannot be read are shown as such", async () => {
  const lines = Array.from({ length: 3000 }, (_, at) => (at === 1499 ? "1,2,3" : `${at},${at % 2}`));
  const id = await post("cut-off.csv", `a,b\n${lines.join("\n")}\n`);
  const warning =
    /^Record 1,500 \(line 1,501\) cannot be read: .*[^.]\. The rows end before it\. Read the file another way/;
  const shown = page.locator(".rows > .warn");
  for (const query of ["", "&row=1450", "&row=2000"]) {
    await open(id, `&ragged=refuse${query}`);
    await shown.getByText(warning).waitFor();
    await range()
      .getByText(/of 1,499 that can be read$/)
      .waitFor();
  }
  await page.locator('.grid-row.on[data-row="1498"]').waitFor();
  assert.deepEqual(await cellsOf(1498), ["1498", "0"]);
  await page.getByLabel("Go to row").fill("1500");
  await page.keyboard.press("Enter");
  await page.locator(".foot").getByText("Only 1,499 rows can be read.").waitFor();

  // A filter, of which nobody knows how many rows match.
  await page.goto(`${h.URL_}/cut?file=${id}&ragged=refuse&filter=b+%3D+1&row=2500`);
  await shown.getByText(warning).waitFor();
  await page.goto(`${h.URL_}/cut?file=${id}&ragged=refuse&filter=b+%3D+1`);
  assert.deepEqual(await cellsOf(0), ["1", "1"]);
  await goTo(749);
  await shown.getByText(warning).waitFor();
  await range()
    .getByText(/–749 of 749 that can be read$/)
    .waitFor();
  await button("Change how it is read").first().click();
  await page.getByLabel("Delimiter", { exact: true }).waitFor();
  page.faults.length = 0;
});

test("go to a row: only whole numbers; a row that does not exist is explained, also before the rows are counted", async () => {
  const id = await post("go.csv", votersText);
  await open(id);
  const field = page.getByLabel(/^Go to/);
  for (const wrong of ["1.5", "0", "-5", "abc", "1,00"]) {
    await field.fill(wrong);
    await page.keyboard.press("Enter");
    await page.locator(".foot").getByText("Write a whole number from 1.").waitFor();
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.ok(!page.url().includes("row="), wrong);
    await field.fill("");
    await page.getByText("Write a whole number from 1.").waitFor({ state: "detached" });
  }
  await field.fill("1,500");
  await page.keyboard.press("Enter");
  await page.locator('.grid-row.on[data-row="1499"]').waitFor();
  await field.fill("4000");
  await page.keyboard.press("Enter");
  await page.locator(".foot").getByText("There are only 3,000 rows.").waitFor();
  await page.locator('.grid-row.on[data-row="2999"]').waitFor();

  // The count does not end.
  await page.route("**/count?*", () => undefined);
  await open(id, "&filter=city+%3D+Bern");
  await button("Stop").click();
  await range()
    .getByText(/of at least 100$/)
    .waitFor();
  await goTo(700);
  const bern = voters.filter((row) => row[1] === "Bern");
  assert.equal((await cellsOf(699))[0], bern[699][0]);
  await field.fill("5000");
  await page.keyboard.press("Enter");
  await page.locator(".foot").getByText("There are only 750 matches.").waitFor();
  await page.locator('.grid-row.on[data-row="749"] .grid-cell :not(.wait)').first().waitFor();
  await range()
    .getByText(/–750 of 750$/)
    .waitFor();
  await noFaults();
});

test("no number of rows is made up while nothing is read, and a new selection begins at its first row", async () => {
  const id = await post("made-up.csv", votersText);
  await open(id, "&filter=city+%3D+Bern+AND+age+%3E%3D+30&row=300");
  await page.getByText(/rows match/).waitFor();
  await page.route(/\/(count|rows)\?/, async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await route.continue().catch(() => undefined);
  });
  await page.getByRole("button", { name: "Remove \u2068age >= 30\u2069" }).click();
  await range().getByText("Reading rows…").waitFor();
  const seen = await page.evaluate(async () => {
    const found = new Set();
    while (document.querySelector(".grid-row .wait")) {
      found.add(document.querySelector(".range-text").textContent);
      await new Promise(requestAnimationFrame);
    }
    return [...found];
  });
  assert.deepEqual(seen, ["Reading rows…"]);
  await page.locator('.grid-row[data-row="0"] .grid-cell bdi').first().waitFor();
  await range()
    .getByText(/^rows 1–\d+ of /)
    .waitFor();
  await noFaults();
});

test("the editor of a condition: Enter in the column leads on; a filter that cannot be used asks for nothing", async () => {
  const id = await post("editor.csv", votersText);
  await open(id);
  await page.keyboard.press("f");
  await page.getByLabel("Column", { exact: true }).fill("city");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SELECT");
  await page.keyboard.press("Tab");
  await page.keyboard.type("Bern");
  await page.keyboard.press("Enter");
  await page.getByText("750 rows match").waitFor();

  // The words of each header fit.
  const cut = await page
    .locator(".head-facts > span")
    .evaluateAll((lines) =>
      lines.filter((line) => line.scrollWidth > line.clientWidth).map((line) => line.textContent),
    );
  assert.deepEqual(cut, []);

  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname.split("/").pop()));
  await page.goto(`${h.URL_}/cut?file=${id}&filter=city%20%3D`);
  await page.getByText("This filter cannot be used, so no rows are shown.").waitFor();
  await page.waitForTimeout(300);
  assert.deepEqual(
    asked.filter((kind) => ["rows", "count", "estimate"].includes(kind)),
    [],
  );
  await noFaults();
});

// --- An API of its own: tables that are too large for a test ----------------------------------------------------------------

const HUGE = "00000000-0000-7000-8000-00000000cafe";

/** Answers all requests about one file. `delay` says how long the rows from an offset take. */
async function mock({ rows, columns, delay = () => 0, value = (row, column) => `r${row}c${column}` }) {
  const asked = [];
  const names = Array.from({ length: columns }, (_, at) => `column ${at}`);
  const file = {
    ...(await send("/api/files?limit=1")).files[0],
    id: HUGE,
    filename: "huge.csv",
    rowCount: rows,
    columnCount: columns,
    lifecycleStatus: "active",
  };
  /** The places of the columns that a request names. */
  const places = (url) =>
    url.searchParams
      .get("columns")
      ?.split(",")
      .map((name) => Number(name.slice(1)) - 1) ?? names.map((_, at) => at);
  const answers = {
    metadata: () => ({ success: true, file }),
    columns: () => ({
      success: true,
      columns: names.map((name, at) => ({ name, index: at + 1, type: at % 3 ? "text" : "integer" })),
      dialect: null,
    }),
    profile: () => ({
      success: true,
      profile: {
        sizeBytes: 50e9,
        rowCount: rows,
        rowsShort: 0,
        rowsLong: 0,
        rowsMalformed: 0,
        rejects: [],
        longestRecordBytes: 100,
        undecodable: 0,
        commentLines: 0,
        suggestions: [],
        columns: names.map((name, at) => ({
          name,
          isZoned: true,
          type: at % 3 ? "text" : "integer",
          empties: at,
          distinct: 40,
          isDistinctExact: true,
          histogram:
            at % 3
              ? null
              : bins(
                  0,
                  10,
                  Array.from({ length: 40 }, (_, bin) => bin * 1000),
                ),
          topValues: at % 3 ? { exact: true, values: CITIES.map((value) => ({ value, count: 10 })) } : null,
        })),
      },
    }),
    rows: (url) => {
      const offset = Number(url.searchParams.get("offset"));
      const limit = Math.min(Number(url.searchParams.get("limit")), Math.max(0, rows - offset));
      return {
        success: true,
        columns: names,
        rows: Array.from({ length: limit }, (_, row) =>
          places(url).map((column) => value(offset + row, column)),
        ),
        offset,
        total: rows,
        hasMore: offset + limit < rows,
        failure: null,
      };
    },
  };
  const pattern = `**/api/files/${HUGE}/*`;
  await page.route(pattern, async (route) => {
    const url = new URL(route.request().url());
    const kind = url.pathname.split("/").pop();
    asked.push(url);
    const wait = delay(url);
    if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    await route.fulfill({ json: answers[kind](url) }).catch(() => undefined);
  });
  return asked;
}

test("30 million rows and 500 columns: wheel, End, and a row by its number, without a long task", async () => {
  const longest = await hugeRound();
  assert.ok(longest <= 100, `a task of ${longest} ms`);
  await noFaults();
});

/** Returns the processor time of the longest task. Unlike its duration, other work on the machine does not change it. */
function longestTask(trace) {
  const { traceEvents } = JSON.parse(trace);
  const mains = traceEvents.filter(
    ({ name, args }) => name === "thread_name" && args.name === "CrRendererMain",
  );
  const isMain = ({ pid, tid }) => mains.some((main) => main.pid === pid && main.tid === tid);
  const tasks = traceEvents.filter((event) => /RunTask$/.test(event.name) && event.tdur && isMain(event));
  assert.ok(tasks.length > 100, `${tasks.length} tasks in the trace`);
  return Math.max(...tasks.map(({ tdur }) => tdur / 1000));
}

async function hugeRound() {
  const asked = await mock({ rows: 30_000_000, columns: 500 });
  await page.goto(`${h.URL_}/cut?file=${HUGE}`);
  await page.locator(".grid-row .grid-cell bdi").first().waitFor();
  await page.locator(".bars").first().waitFor();
  const browser = page.context().browser();
  await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline"] });
  const nodes = () => page.locator("[role=gridcell]").count();
  let most = await nodes();
  const box = await grid().boundingBox();
  await page.mouse.move(box.x + 300, box.y + 300);
  for (let step = 0; step < 30; step++) {
    await page.mouse.wheel(0, 240);
    if (step % 10 === 0) most = Math.max(most, await nodes());
  }
  for (let step = 0; step < 10; step++) await page.mouse.wheel(400, 0);
  await page.mouse.wheel(-9000, 0);
  await page.waitForFunction(() => Number(document.querySelector(".grid-row").dataset.row) > 200);
  const shown = async (row) => {
    await page.locator(`.grid-row[data-row="${row}"] .grid-cell bdi`).first().waitFor();
    return (await cellsOf(row))[0];
  };
  const first = Number(await page.locator(".grid-row").nth(2).getAttribute("data-row"));
  assert.match(await shown(first), new RegExp(`^r${first}c\\d+$`));

  await grid().focus();
  await page.keyboard.press("Control+End");
  await page.locator('.grid-row.on[data-row="29999999"] .grid-cell bdi').first().waitFor();
  most = Math.max(most, await nodes());
  assert.equal(await page.locator("#active-cell").innerText(), "r29999999c499");
  await page.keyboard.press("Control+Home");
  await page.locator('.grid-row.on[data-row="0"] .grid-cell bdi').first().waitFor();
  await goTo(17_654_321);
  assert.equal(await shown(17_654_320), "r17654320c0");
  // A small scroll moves by pixels, also in the middle of 30 million rows.
  const before = Number(await page.locator(".grid-row").first().getAttribute("data-row"));
  await page.mouse.move(box.x + 300, box.y + 300);
  await page.mouse.wheel(0, 280);
  await page.waitForFunction(
    (row) => Number(document.querySelector(".grid-row").dataset.row) === row + 10,
    before,
  );
  // The bar: dragging it to the middle shows the middle.
  await grid().evaluate((element) => (element.scrollTop = element.scrollHeight / 2));
  await page.waitForFunction(() => {
    const row = Number(document.querySelector(".grid-row").dataset.row);
    return row > 14_000_000 && row < 16_000_000;
  });
  // The wheel reaches the very first row from near the start.
  await goTo(40);
  for (let step = 0; step < 12; step++) await page.mouse.wheel(0, -400);
  await page.waitForFunction(() => document.querySelector(".grid-row").dataset.row === "0");
  const trace = await browser.stopTracing();
  assert.ok(most <= 2000, `${most} cells`);
  assert.ok(asked.filter(({ pathname }) => pathname.endsWith("/rows")).length < 60);
  return longestTask(trace);
}

test("20,000 columns are read in blocks", async () => {
  const asked = await mock({ rows: 1000, columns: 20_000 });
  await page.goto(`${h.URL_}/cut?file=${HUGE}&row=500`);
  await page.locator('.grid-row.on[data-row="499"] .grid-cell bdi').first().waitFor();
  await grid().focus();
  await page.keyboard.press("End");
  await page.locator("#active-cell").getByText("r499c19999").waitFor();
  await page.keyboard.press("c");
  await page.getByLabel("Find a column").fill("column 12345");
  await page.keyboard.press("Enter");
  await page.locator("#active-cell").getByText("r499c12345").waitFor();
  const wide = asked.filter((url) => url.pathname.endsWith("/rows") && url.searchParams.has("columns"));
  assert.ok(
    wide.length >= 3 && wide.every((url) => url.searchParams.get("columns").split(",").length <= 256),
  );
  await noFaults();
});

test("a late answer never replaces a newer one, and pages that are passed by are given up", async () => {
  const slow = (url) =>
    url.pathname.endsWith("/rows") && url.searchParams.get("filter") === "a = 1" ? 1500 : 0;
  const asked = await mock({
    rows: 1_000_000,
    columns: 4,
    delay: slow,
    value: (row, column) => `r${row}c${column}`,
  });
  const parse = "**/api/filters/parse";
  await page.route(parse, async (route) => {
    const { text } = route.request().postDataJSON();
    await route.fulfill({
      json: {
        success: true,
        tree: { column: "column 0", op: "eq", value: text },
        text,
        conditions: 1,
        errors: [],
      },
    });
  });
  const count = `**/api/files/${HUGE}/count**`;
  await page.route(count, (route) =>
    route.fulfill({
      contentType: "application/x-ndjson",
      body: '{"progress":{"rows":12000,"exact":false,"bytesScanned":5,"bytesSkipped":0},"bytesTotal":10}\n{"success":true,"count":{"rows":1000000,"exact":true,"bytesScanned":10,"bytesSkipped":0}}\n',
    }),
  );
  const estimate = `**/api/files/${HUGE}/estimate**`;
  await page.route(estimate, (route) =>
    route.fulfill({
      json: {
        success: true,
        estimate: {
          basis: "index",
          bytesTotal: 1e9,
          bytesToScan: 1e7,
          bytesSkipped: 99e7,
          costUsd: 0.00002,
          cpuMs: 1,
          d1Calls: 1,
          r2Reads: 1,
          subrequests: 1,
        },
      },
    }),
  );
  await page.goto(`${h.URL_}/cut?file=${HUGE}`);
  await page.locator(".grid-row .grid-cell bdi").first().waitFor();
  await button("As text").click();
  await text().fill("a = 1");
  await page.waitForRequest(
    (request) =>
      (request.url().includes("/rows") && request.url().includes("a+%3D+1")) ||
      request.url().includes("a%20%3D%201"),
  );
  await text().fill("a = 2");
  await page.getByText("1,000,000 rows match").waitFor();
  await page.getByText("reads 10 MB of 1 GB (99 % skipped) · about US$0.00002").waitFor();
  await page.locator(".grid-row .grid-cell bdi").first().waitFor();
  await new Promise((resolve) => setTimeout(resolve, 1800));
  assert.equal((await cellsOf(0))[0], "r0c0");
  assert.match(page.url(), /filter=a\+%3D\+2/);

  // Dragging the bar asks only for the place where it rests.
  asked.length = 0;
  await grid().evaluate(async (element) => {
    for (let step = 1; step <= 20; step++) {
      element.scrollTop = (element.scrollHeight * step) / 25;
      await new Promise(requestAnimationFrame);
    }
  });
  await page.locator(".grid-row .grid-cell bdi").first().waitFor();
  const pages = asked.filter(({ pathname }) => pathname.endsWith("/rows"));
  assert.ok(pages.length <= 6, `${pages.length} pages`);
  await noFaults();
});

test("a count shows how far it is, and the estimate beside it; bars say that a range ends below its end", async () => {
  const asked = await mock({ rows: 1_000_000, columns: 4 });
  await page.route(`**/api/files/${HUGE}/count**`, (route) => {
    asked.push(new URL(route.request().url()));
    return route.fulfill({
      contentType: "application/x-ndjson",
      body: '{"progress":{"rows":0,"exact":false,"bytesScanned":5,"bytesSkipped":7},"bytesTotal":100}\n',
    });
  });
  await page.route(`**/api/files/${HUGE}/estimate**`, (route) => {
    asked.push(new URL(route.request().url()));
    return route.fulfill({
      json: {
        success: true,
        estimate: { bytesTotal: 1e9, bytesToScan: 1e7, bytesSkipped: 99e7, costUsd: 0.00002 },
      },
    });
  });
  await page.goto(`${h.URL_}/cut?file=${HUGE}`);
  await page.locator(".grid-row .grid-cell bdi").first().waitFor();
  await page.locator(".bars").first().waitFor();
  const { x, y, width, height } = await page.locator(".bars").first().boundingBox();
  await page.mouse.move(x + (3.5 / 40) * width, y + height - 4);
  await page.getByText("30 to below 40: 3,000 rows").waitFor();

  // The answer does not end.
  await page.evaluate(() => {
    const { prototype } = ReadableStreamDefaultReader;
    const { read } = prototype;
    prototype.read = async function () {
      const chunk = await read.call(this);
      return chunk.done ? new Promise(() => undefined) : chunk;
    };
  });
  asked.length = 0;
  await page.getByLabel("Any column contains").fill("r");
  await page.locator(".count-line strong").getByText("counting… 12 %", { exact: true }).waitFor();
  await page.getByText("reads 10 MB of 1 GB (99 % skipped) · about US$0.00002").waitFor();
  const kinds = asked.map(({ pathname }) => pathname.split("/").pop());
  assert.ok(kinds.indexOf("estimate") < kinds.indexOf("count"), kinds.join());
  await noFaults();
});

test("on a phone: the grid scrolls by touch, pages have buttons, and controls are large", async () => {
  const old = page;
  page = await h.newPage({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
  send = await h.apiOf(await h.signUp(page));
  const id = await post("phone.csv", votersText);
  await open(id);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  await page.getByRole("button", { name: "Page down" }).tap();
  await page.waitForFunction(() => Number(document.querySelector(".grid-row").dataset.row) > 5);
  await page.getByRole("button", { name: "Last page" }).tap();
  await page.locator('.grid-row[data-row="2999"] bdi').first().waitFor();
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("main button, main select, main summary, main input:not([type=checkbox])")]
      .filter((element) => element.checkVisibility())
      .map((element) => [element.textContent || element.id, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 43.5 || height < 43.5)
      .map(([text, { width, height }]) => `${text}: ${width} × ${height}`),
  );
  assert.deepEqual(small, []);
  await noFaults();
  await page.context().close();
  page = old;
});
