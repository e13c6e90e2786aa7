import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import * as h from "./harness.mjs";
import { mockReceipts, openPanels } from "./panels.mjs";

after(h.close);

const run = promisify(execFile);
const TABLE = "id,city,age\n1,Bern,30\n2,Basel,40\n3,Bern,50\n4,Chur,=1+1\n";
const STATE = {
  columns: ["id", "city"],
  filter: "city = Bern",
  checks: {},
  count: { rows: 2, exact: true },
  estimate: {
    bytesTotal: 1_200_000_000,
    bytesToScan: 12_000_000,
    bytesSkipped: 1_188_000_000,
    costUsd: 0.00002,
  },
};

/** A page with a file. `receipts` are those of the downloads that the page has made. */
async function withFile(options) {
  const page = await h.newPage(options);
  const user = await h.signUp(page);
  await h.upload(page, h.csv("people.csv", TABLE));
  const send = await h.apiOf(user);
  const { files } = await send("/api/files");
  const cutIds = [];
  page.on("response", (response) => {
    const id = response.headers()["x-cut-id"];
    if (id && response.request().method() === "GET") cutIds.unshift(id);
  });
  const receipts = async () =>
    (await Promise.all(cutIds.map((id) => send(`/api/cuts/${id}`)))).map(({ cut }) => cut);
  return { page, send, file: files[0].id, receipts, user };
}

const openExport = async (page) => {
  await page.getByRole("button", { name: "Export", exact: true }).click();
  return page.getByRole("dialog");
};

async function downloadOf(page, dialog, name = "Download") {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    dialog.getByRole("button", { name, exact: true }).click(),
  ]);
  return {
    name: download.suggestedFilename(),
    bytes: readFileSync(await download.path()),
    url: download.url(),
  };
}

test("the browser downloads the cut itself, and the panel shows the verdict of its receipt", async () => {
  const { page, file, send } = await withFile();
  await openPanels(page, file, STATE);
  const dialog = await openExport(page);
  await dialog.getByText("2 rows, 2 of 3 columns").waitFor();
  await dialog.getByText("Reads 12 MB of 1.2 GB (99 % skipped), about US$0.00002").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Download");
  const download = await downloadOf(page, dialog);
  assert.equal(download.name, "people-cut.csv");
  assert.equal(download.bytes.toString(), "id,city\n1,Bern\n3,Bern\n");
  assert.ok(download.url.includes("/api/downloads/"), download.url);
  await dialog.getByText("Complete", { exact: true }).waitFor();
  await dialog.getByText("All 2 rows were written.").waitFor();
  await dialog.getByText("4 read or skipped, 2 written").waitFor();
  await dialog.getByText(createHash("sha256").update(download.bytes).digest("hex")).waitFor();
  const { cuts } = await send(`/api/cuts?fileId=${file}`);
  assert.equal(
    await dialog.getByRole("link", { name: "Receipt" }).getAttribute("href"),
    `/receipt?cut=${cuts[0].id}`,
  );
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await dialog.getByRole("button", { name: "Copy the link to this cut" }).click();
  await dialog.getByText("Copied").waitFor();
  const link = new URL(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(link.pathname, "/cut");
  assert.deepEqual(Object.fromEntries(link.searchParams), {
    file,
    filter: "city = Bern",
    columns: "id,city",
  });
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Export");
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("each format, and the options for Excel, are in the ticket", async () => {
  const { page, file } = await withFile({ locale: "de-CH" });
  const german = await withFile({ locale: "de-DE" });
  await openPanels(page, file);
  let dialog = await openExport(page);
  await dialog.getByText("all rows, all columns").waitFor();
  await dialog.getByLabel("NDJSON").check();
  await dialog.getByLabel("Numbers, true and false").check();
  await dialog.getByLabel("Compress (.gz)").check();
  const zipped = await downloadOf(page, dialog);
  assert.equal(zipped.name, "people-cut.ndjson.gz");
  assert.equal(gunzipSync(zipped.bytes).toString().split("\n")[0], '{"id":1,"city":"Bern","age":"30"}');
  await dialog.getByLabel("JSON", { exact: true }).check();
  await dialog.getByLabel("Compress (.gz)").uncheck();
  assert.equal(JSON.parse((await downloadOf(page, dialog, "Download again")).bytes).length, 4);
  await dialog.getByLabel("TSV").check();
  await dialog.getByLabel("Column names").uncheck();
  const tsv = await downloadOf(page, dialog, "Download again");
  assert.equal(tsv.bytes.toString().split("\n")[0], "1\tBern\t30");
  // In Switzerland, Excel separates with semicolons although decimals have a point.
  await dialog.getByLabel("CSV", { exact: true }).check();
  const separator = dialog.getByLabel("Separator");
  assert.equal(await separator.inputValue(), "comma");
  await dialog.getByLabel("For Excel").check();
  assert.equal(await separator.inputValue(), "semicolon");
  await separator.selectOption("Tab");
  const tabs = await downloadOf(page, dialog, "Download again");
  assert.equal(tabs.bytes.toString().split("\n")[0], "\ufeff1\tBern\t30");
  await dialog.getByLabel("For Excel").uncheck();
  assert.equal(await separator.inputValue(), "comma");
  await page.context().close();

  await openPanels(german.page, german.file);
  dialog = await openExport(german.page);
  await dialog.getByLabel("For Excel").check();
  assert.equal(await dialog.getByLabel("Separator").inputValue(), "semicolon");
  const excel = (await downloadOf(german.page, dialog)).bytes.toString();
  assert.equal(excel, "\ufeffid;city;age\n1;Bern;30\n2;Basel;40\n3;Bern;50\n4;Chur;'=1+1\n");
  assert.deepEqual(await h.violations(german.page), []);
  await german.page.context().close();
});

test("a cut that cannot begin says why; a broken cut is shown broken", async () => {
  const { page, file, send } = await withFile();
  const receipts = [];
  await mockReceipts(page, () => receipts);
  await openPanels(page, file, { filter: "cty = Bern" });
  let dialog = await openExport(page);
  await dialog.getByRole("button", { name: "Download" }).click();
  await dialog.getByRole("alert").getByText('no column "cty"').waitFor();
  await openPanels(page, file, STATE);
  dialog = await openExport(page);
  const { url } = await downloadOf(page, dialog);
  const id = (await fetch(url)).headers.get("x-cut-id");
  const { cut } = await send(`/api/cuts/${id}`);
  const broken = { ...cut, status: "failed", complete: false, verified: false, checksum: null, rowsOut: 1 };
  await page.route(`**/api/cuts/${id}`, (route) =>
    route.fulfill({ json: { success: true, cut: receipts[0] } }),
  );
  receipts.unshift({ ...cut, status: "running", complete: false, checksum: null });
  await dialog.getByText("Your browser downloads \u2068people-cut.csv\u2069.").waitFor();
  receipts[0] = { ...broken, error: "The file has a record that exceeds a limit." };
  await dialog.getByText("Broken", { exact: true }).waitFor();
  await dialog.getByText("exceeds a limit").waitFor();
  await dialog.getByText("Delete what was downloaded").waitFor();
  assert.equal(await dialog.getByText("Complete", { exact: true }).count(), 0);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("a cut is saved as a file, with name and tags; a wrong name is explained at its field", async () => {
  const { page, file, send } = await withFile();
  await openPanels(page, file, STATE, "save");
  const dialog = await openExport(page);
  const name = dialog.getByLabel("Name", { exact: true });
  assert.equal(await name.inputValue(), "people-cut.csv");
  await name.fill("a/b.csv");
  await dialog.getByRole("button", { name: "Save as a file" }).click();
  await dialog.getByText("A name cannot contain / or \\.").waitFor();
  assert.equal(await name.evaluate((input) => input === document.activeElement), true);
  await name.fill("bern.csv");
  await dialog.getByLabel("Tags").fill("swiss, swiss, cut");
  await dialog.getByRole("button", { name: "Save as a file" }).click();
  await dialog.getByText("\u2068bern.csv\u2069 is saved, with 2 rows.").waitFor();
  const { files } = await send("/api/files");
  const saved = files.find(({ filename }) => filename === "bern.csv");
  assert.deepEqual([...saved.userTags].sort(), ["cut", "swiss"]);
  assert.equal(
    await dialog.getByRole("link", { name: "Open it" }).getAttribute("href"),
    `/cut?file=${saved.id}`,
  );
  assert.match(
    await dialog.getByRole("link", { name: "Receipt" }).getAttribute("href"),
    /^\/receipt\?cut=[0-9a-f-]{36}$/,
  );
  await page.context().close();
});

test("a recipe is saved; a name that exists can be replaced", async () => {
  const { page, file, send } = await withFile();
  const recipes = async () => (await send("/api/recipes")).recipes;
  await openPanels(page, file, STATE, "recipe");
  const dialog = await openExport(page);
  await dialog.getByLabel("Name of the recipe").fill("Bern");
  await dialog.getByRole("button", { name: "Save the recipe" }).click();
  await dialog.getByText("The recipe \u2068Bern\u2069 is saved.").waitFor();
  const cut = { columns: ["id", "city"], filter: "city = Bern", format: "csv" };
  assert.deepEqual((await recipes())[0].cut, cut);
  await dialog.getByLabel("TSV").check();
  await dialog.getByRole("button", { name: "Save the recipe" }).click();
  await dialog.getByText("You have a recipe \u2068Bern\u2069 already.").waitFor();
  await dialog.getByRole("button", { name: "Replace it" }).click();
  await dialog.getByText("The recipe \u2068Bern\u2069 is replaced.").waitFor();
  assert.deepEqual(
    (await recipes()).map((recipe) => recipe.cut),
    [{ ...cut, format: "tsv" }],
  );
  await dialog.getByRole("button", { name: "Recipes" }).click();
  await dialog.getByRole("button", { name: "Apply \u2068Bern\u2069" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(await page.evaluate(() => globalThis.applied), [{ ...cut, format: "tsv" }]);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("the texts to copy work: curl, Python, link and filter; no token is in them", async () => {
  const { page, file, user } = await withFile();
  const { tokens } = await (
    await fetch(`${h.URL_}/api/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: user, password: h.PASSWORD }),
    })
  ).json();
  const folder = mkdtempSync(join(tmpdir(), "cutty-"));
  const env = { ...process.env, TOKEN: tokens.access_token };
  const filter = "city = 'Bern' OR city = 'O''Brien'";
  await openPanels(page, file, { ...STATE, filter }, "copy");
  const dialog = await openExport(page);
  const code = dialog.locator("pre");
  const wanted = "id,city\n1,Bern\n3,Bern\n";
  const link = new URL(await code.textContent());
  assert.equal(link.searchParams.get("filter"), filter);
  await dialog.getByLabel("Filter", { exact: true }).check();
  assert.equal(await code.textContent(), filter);
  await dialog.getByLabel("curl").check();
  const curl = await code.textContent();
  assert.ok(curl.includes("$TOKEN") && !curl.includes(tokens.access_token));
  await run("bash", ["-c", curl], { cwd: folder, env });
  assert.equal(readFileSync(join(folder, "people-cut.csv"), "utf8"), wanted);
  await dialog.getByLabel("Python").check();
  for (const zip of [false, true]) {
    await dialog.getByLabel("Compress (.gz)").setChecked(zip);
    const python = await code.textContent();
    assert.ok(python.includes('os.environ["TOKEN"]'));
    const { stdout } = await run("python3", ["-c", python], { cwd: folder, env });
    assert.match(stdout, /2 rows, SHA-256 [0-9a-f]{64}/);
  }
  rmSync(folder, { recursive: true });
  await page.context().close();
});

test("saved recipes: search, pages, what does not suit, apply, rename, delete and undo", async () => {
  const { page, file, send } = await withFile();
  const save = (name, cut) => send("/api/recipes", { name, cut });
  await save("Bern", { columns: ["id", "city"], filter: "city = Bern" });
  await save("Voters", { columns: ["ward", "party"] });
  for (let index = 10; index < 40; index++) await save(`List ${index}`, { filter: `age > ${index}` });
  await openPanels(page, file);
  await page.getByRole("button", { name: "Recipes" }).click();
  const dialog = page.getByRole("dialog");
  const items = dialog.getByRole("listitem");
  await items.nth(24).waitFor();
  await dialog.getByRole("button", { name: "Show more recipes" }).click();
  await items.nth(31).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.ariaLabel), "Apply \u2068List 34\u2069");
  await dialog.getByText("This file does not have the columns \u2068ward\u2069, \u2068party\u2069").waitFor();
  assert.equal(await dialog.getByRole("button", { name: "Apply \u2068Voters\u2069" }).isDisabled(), true);
  await dialog.getByLabel("Search recipes").fill("nothing like it");
  await dialog.getByText("No recipe has this name.").waitFor();
  await dialog.getByLabel("Search recipes").fill("bern");
  await items.nth(1).waitFor({ state: "detached" });
  const menu = dialog.getByRole("button", { name: "Actions for \u2068Bern\u2069" });
  await menu.click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.keyboard.type("Voters");
  await page.keyboard.press("Enter");
  await dialog.getByText("You have a recipe of this name already.").waitFor();
  await page.keyboard.press("Control+A");
  await page.keyboard.type("Bern and around");
  await page.keyboard.press("Enter");
  await dialog.getByText("Bern and around").waitFor();
  const names = async () => (await send("/api/recipes")).recipes.map(({ name }) => name);
  assert.equal((await names())[0], "Bern and around");
  await dialog.getByRole("button", { name: "Actions for \u2068Bern and around\u2069" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await dialog.getByText("\u2068Bern and around\u2069 is deleted.").waitFor();
  assert.ok(!(await names()).includes("Bern and around"));
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Undo");
  await page.keyboard.press("Enter");
  await dialog.getByRole("button", { name: "Apply \u2068Bern and around\u2069" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(await page.evaluate(() => globalThis.applied), [
    { columns: ["id", "city"], filter: "city = Bern" },
  ]);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("a recipe brings its format: to the panel, its address, and the download at once", async () => {
  const { page, file, send } = await withFile();
  const excel = { bom: true, spreadsheetSafe: true, outDelimiter: "semicolon" };
  await send("/api/recipes", { name: "Lines", cut: { columns: ["id"], format: "ndjson", compress: "gzip" } });
  await send("/api/recipes", {
    name: "Sheet",
    cut: { filter: "city = Bern", format: "csv", header: false, limit: 1, ...excel },
  });
  await page.goto(`${h.URL_}/cut?file=${file}`);
  const dialog = page.getByRole("dialog");
  const open = async (name) => page.getByRole("main").getByRole("button", { name, exact: true }).click();
  const params = () => Object.fromEntries(new URL(page.url()).searchParams);

  await open("Recipes");
  await dialog.getByText("NDJSON, .gz").waitFor();
  await dialog.getByText("CSV, For Excel").waitFor();
  await dialog.getByRole("button", { name: "Apply \u2068Lines\u2069", exact: true }).click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(params(), { file, columns: "id", format: "ndjson", compress: "gzip" });
  await open("Download");
  assert.equal(await dialog.getByLabel("NDJSON").isChecked(), true);
  assert.equal(await dialog.getByLabel("Compress (.gz)").isChecked(), true);
  assert.equal((await downloadOf(page, dialog)).name, "people-cut.ndjson.gz");
  // What is changed in the panel stays when it is closed.
  await dialog.getByLabel("Compress (.gz)").uncheck();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.reload();
  await open("Download");
  assert.equal(await dialog.getByLabel("NDJSON").isChecked(), true);
  assert.equal(await dialog.getByLabel("Compress (.gz)").isChecked(), false);
  await page.keyboard.press("Escape");

  // From the list, a recipe is applied and downloaded at once.
  await open("Recipes");
  const name = "Download with \u2068Sheet\u2069";
  const sheet = await downloadOf(page, dialog, name);
  assert.equal(sheet.bytes.toString(), "\ufeff1;Bern;30\n");
  await dialog.getByText("The one row was written.").waitFor();
  assert.equal(await dialog.getByLabel("For Excel").isChecked(), true);
  assert.equal(await dialog.getByLabel("Column names").isChecked(), false);
  assert.equal(await dialog.getByLabel("Separator").inputValue(), "semicolon");
  // What has no control is said, and can be left out.
  await dialog.getByText("Also: at most 1 row.").waitFor();
  await dialog.getByRole("button", { name: "Leave this out" }).click();
  const both = await downloadOf(page, dialog, "Download again");
  assert.equal(both.bytes.toString(), "\ufeff1;Bern;30\n3;Bern;50\n");
  // Closing the list of recipes does not download again.
  const begun = [];
  page.on("download", (download) => begun.push(download));
  await dialog.getByText("Save as a recipe").click();
  await dialog.getByRole("button", { name: "Recipes" }).click();
  await dialog.getByLabel("Search recipes").waitFor();
  await page.keyboard.press("Escape");
  await dialog.getByRole("button", { name: "Download", exact: true }).waitFor();
  await page.waitForTimeout(300);
  assert.deepEqual(begun, []);
  await page.keyboard.press("Escape");
  // Back: the recipe before.
  await page.goBack();
  assert.equal(params().format, "ndjson");

  // What a recipe checks is shown, and can be taken away.
  await send("/api/recipes", { name: "Exact", cut: { filter: "city > B", strict: true, as: "text" } });
  await page.goto(`${h.URL_}/cut?file=${file}#recipes`);
  await dialog.getByRole("button", { name: "Apply \u2068Exact\u2069", exact: true }).click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(params(), { file, strict: "true", as: "text", filter: "city > B" });
  await page.getByRole("button", { name: "Remove: Strict" }).click();
  await page.getByRole("button", { name: "Remove: Compared as text" }).waitFor();
  assert.deepEqual(params(), { file, as: "text", filter: "city > B" });
  await page.getByRole("button", { name: "Remove: Compared as text" }).click();
  assert.deepEqual(params(), { file, filter: "city > B" });
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
