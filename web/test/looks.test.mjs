import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";
import { mockReceipts, openPanels } from "./panels.mjs";

after(h.close);

test("axe-core finds nothing on the page of rows", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  const send = await h.apiOf(await h.signUp(page));
  const rows = Array.from(
    { length: 300 },
    (_, at) => `${at},${["Bern", "Basel", ""][at % 3]},${20 + (at % 50)}`,
  );
  const text = `id,city,age\n${rows.join("\n")}\n1,2\n`;
  const { file } = await send("/api/files", text, { "content-type": "text/csv", "x-file-name": "rows.csv" });
  await page.route("**/profile", async (route) => {
    const response = await route.fetch();
    if (!response.ok()) return route.fulfill({ response });
    const json = await response.json();
    const [, city, age] = json.profile.columns;
    city.topValues = {
      exact: true,
      values: [
        { value: "Bern", count: 100 },
        { value: "Basel", count: 100 },
      ],
    };
    age.histogram = {
      kind: "number",
      bins: Array.from({ length: 10 }, (_, at) => ({
        from: `${20 + at * 5}`,
        to: `${25 + at * 5}`,
        count: 30,
      })),
    };
    await route.fulfill({ response, json });
  });
  await page.goto(`${h.URL_}/cut?file=${file.id}`);
  await page.locator(".bars").first().waitFor();
  await page.getByRole("grid").focus();
  await page.keyboard.press("ArrowDown");
  await h.look(page, "rows", found);
  await page.getByText(/about the file/).click();
  await page.keyboard.press("f");
  await page.getByRole("button", { name: "As text" }).click();
  await page.getByLabel("Filter as text").fill("cty = Bern AND age > 3");
  await page.getByText('There is no column "cty"').waitFor();
  await h.look(page, "filter", found);
  await page.getByRole("button", { name: /^How the file is read/ }).click();
  await page.getByLabel("Delimiter", { exact: true }).waitFor();
  await h.look(page, "reading", found);
  await page.getByRole("button", { name: "Close" }).click();
  await page.getByRole("button", { name: "Columns", exact: true }).click();
  await page.getByLabel("Find a column").waitFor();
  await h.look(page, "columns", found);
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByTitle("age", { exact: true }).click();
  await page.getByRole("dialog").getByText("Keep this range").waitFor();
  await h.look(page, "column", found);
  await page.keyboard.press("Escape");
  await page.locator('.grid-row[data-row="1"] .grid-cell').first().dblclick();
  await page.getByRole("dialog").getByText("Keep only rows with this value").waitFor();
  await h.look(page, "cell", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("axe-core finds nothing, in each colour scheme, at 360 and 1280 px and at 400 % zoom (320 px); nothing is wider than the window", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  await page.goto(`${h.URL_}/`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await h.look(page, "sign in", found);
  const name = await h.signUp(page);
  await page.getByRole("heading", { name: "Your first file" }).waitFor();
  await h.look(page, "empty", found);
  await h.upload(
    page,
    h.csv("a.csv"),
    h.csv("a-very-long-name-without-any-blank-that-does-not-fit-into-a-narrow-window-at-all.csv"),
  );
  await h.upload(page, h.csv("totals.csv", "day;amount\n2026-01-01;5;9\n2026-01-02;7\nTotal;12\n"));
  await page.getByLabel("Select \u2068a.csv\u2069").check();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  await page.getByLabel("Tags to add").fill("red, a long tag with several words in it");
  await h.look(page, "tags", found);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Tags of 1 file").waitFor();
  await h.look(page, "list", found);
  await page.getByLabel("Select \u2068a.csv\u2069").check();
  await h.look(page, "selection", found);
  await page.getByRole("button", { name: "Delete permanently" }).click();
  await h.look(page, "confirm", found);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await h
    .row(page, "a.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  await h.look(page, "menu", found);
  await page.keyboard.press("Escape");
  await h.openDetails(page, "totals.csv");
  await page.getByRole("dialog").getByText("Read as").waitFor();
  await page.getByRole("button", { name: "Change how it is read" }).click();
  await page.getByText("More rules").click();
  await h.look(page, "details", found);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Keyboard shortcuts" }).click();
  await h.look(page, "shortcuts", found);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Password and sessions" }).click();
  await page.getByText("this session").waitFor();
  await h.look(page, "sessions", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("axe-core finds nothing in the export panel, in recipes and in receipts", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const send = await h.apiOf(await h.signUp(page));
  await h.upload(page, h.csv("people.csv", "id;city\n1;Bern\n2\n3;4;5\n"));
  const { files } = await send("/api/files");
  const file = files[0].id;
  const filter = "city = Bern OR city IN ('La Chaux-de-Fonds', Lausanne, Genève, 'Yverdon-les-Bains')";
  const { cutId } = await send(`/api/files/${file}/save`, { filter, columns: ["id"], filename: "bern.csv" });
  const { cut } = await send(`/api/cuts/${cutId}`);
  const failed = { ...cut, id: crypto.randomUUID(), status: "failed", complete: false, checksum: null };
  const running = { ...failed, id: crypto.randomUUID(), status: "running" };
  const receipts = [cut, failed, running];
  let known = [failed];
  await mockReceipts(page, () => known);
  await send("/api/recipes", { name: "Bern", cut: { filter } });
  await send("/api/recipes", { name: "Voters", cut: { columns: ["ward", "party"] } });
  const found = [];
  await openPanels(page, file, { filter, columns: ["id"] });
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Download", exact: true }).click();
  await dialog.getByText("Its receipt will appear here.").waitFor();
  for (const section of ["Save as a file", "Save as a recipe", "Copy as"])
    await dialog.locator("summary", { hasText: section }).click();
  await dialog.getByLabel("Python").check();
  await dialog.getByLabel("Name of the recipe").fill("Bern");
  await dialog.getByRole("button", { name: "Save the recipe" }).click();
  await dialog.getByText("already").waitFor();
  known = [cut, failed];
  await dialog.getByText("Complete", { exact: true }).waitFor();
  await h.look(page, "export", found);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Recipes" }).click();
  await dialog.getByText("This file does not have the columns").waitFor();
  await h.look(page, "recipes", found);
  known = receipts;
  await page.goto(`${h.URL_}/receipt`);
  await page.getByText("Broken").waitFor();
  await h.look(page, "receipts", found);
  await page.goto(`${h.URL_}/receipt?cut=${cutId}`);
  await page.getByText("Read as").waitFor();
  const buffer = Buffer.alloc(cut.bytesOut, "x");
  await page.locator("input[type=file]").setInputFiles({ name: "x.csv", mimeType: "text/csv", buffer });
  await page.getByText("but other bytes").waitFor();
  await h.look(page, "receipt", found);
  await page.route(`**/api/cuts/${cutId}`, (route) =>
    route.fulfill({ json: { success: true, cut: failed } }),
  );
  await page.reload();
  await page.getByText("Broken", { exact: true }).waitFor();
  await h.look(page, "broken", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
