import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import * as h from "./harness.mjs";
import { mockReceipts } from "./panels.mjs";

after(h.close);

const TABLE = "id,city\n1,Bern\n2,Basel\n3\n4,Bern,Chur\n";
const RECIPE = { filter: "city = Bern OR city = Basel", columns: ["city", "id"] };

/** A page with a file and a cut of it. */
async function withCut(recipe = RECIPE, table = TABLE) {
  const page = await h.newPage();
  const user = await h.signUp(page);
  await h.upload(page, h.csv("people.csv", table));
  const send = await h.apiOf(user);
  const { files } = await send("/api/files");
  const file = files[0].id;
  const { download } = await send("/api/downloads", { fileId: file, recipe });
  const response = await fetch(h.URL_ + download.url);
  const bytes = Buffer.from(await response.arrayBuffer());
  const id = response.headers.get("x-cut-id");
  const { cut } = await send(`/api/cuts/${id}`);
  return { page, send, file, id, bytes, cut, url: `${h.URL_}/receipt?cut=${id}` };
}

const drop = (page, name, bytes) =>
  page.evaluate(
    ([name, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([bytes], name));
      for (const type of ["dragenter", "dragover", "drop"])
        document.body.dispatchEvent(
          new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }),
        );
    },
    [name, bytes.toString("base64")],
  );

const choose = (page, name, bytes) =>
  page.locator("input[type=file]").setInputFiles({ name, mimeType: "text/csv", buffer: bytes });

test("a receipt says whether the cut is complete, what was read and written, and how to make it again", async () => {
  const { page, url, file, cut, id } = await withCut();
  await page.goto(url);
  await page.getByText("All 3 rows were written.").waitFor();
  const main = page.getByRole("main");
  await main.getByText("Complete", { exact: true }).waitFor();
  await main.getByText("4 read or skipped, 3 written").waitFor();
  await main.getByText(cut.checksum).waitFor();
  await main.getByText("1 row has more fields than the header.").waitFor();
  await main.getByText("1 row has fewer fields than the header.").waitFor();
  await main.getByText(RECIPE.filter, { exact: true }).waitFor();
  await main.getByText("city, id", { exact: true }).waitFor();
  await main.getByText("CSV, separated by commas, column names in the first row", { exact: true }).waitFor();
  await main.getByText("Read as comma-separated, UTF-8").waitFor();
  const link = await main.getByRole("link", { name: "people.csv" }).getAttribute("href");
  assert.equal(link, `/cut?file=${file}`);
  const cutter = new URL(
    await main.getByRole("link", { name: "Open in the cutter" }).getAttribute("href"),
    h.URL_,
  );
  assert.deepEqual(Object.fromEntries(cutter.searchParams), {
    file,
    columns: "city,id",
    filter: RECIPE.filter,
  });
  // Run again: the receipt of the new cut has the same hash.
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    main.getByRole("button", { name: "Run again" }).click(),
  ]);
  assert.equal(download.suggestedFilename(), "people-cut.csv");
  await main.getByText("The new result is the same, byte for byte.").waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("a receipt names the options of the result, and opens the cutter with them", async () => {
  const options = { bom: true, spreadsheetSafe: true, outDelimiter: ";", header: false, compress: "gzip" };
  const { page, url, file } = await withCut({ ...RECIPE, ...options });
  let answer;
  const isAsked = new Promise((resolve) => (answer = resolve));
  await page.route(`**/api/files/${file}/metadata`, async (route) => {
    await isAsked;
    await route.continue();
  });
  await page.goto(url);
  const main = page.getByRole("main");
  await main
    .getByText(
      "CSV, separated by semicolons, with a byte order mark, an apostrophe before formulas, no column names, compressed (.gz)",
    )
    .waitFor();
  // The name is not there yet, and nothing looks like one.
  assert.equal(await main.getByText("…").count(), 0);
  assert.equal(await main.locator(".awaited").count(), 1);
  answer();
  await main.getByRole("link", { name: "people.csv" }).waitFor();
  const href = await main.getByRole("link", { name: "Open in the cutter" }).getAttribute("href");
  assert.deepEqual(Object.fromEntries(new URL(href, h.URL_).searchParams), {
    file,
    columns: "city,id",
    filter: RECIPE.filter,
    outDelimiter: "semicolon",
    bom: "true",
    spreadsheetSafe: "true",
    header: "false",
    compress: "gzip",
  });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("a file is compared with the cut: the same, cut short, changed, zipped, zipped and damaged", async () => {
  const { page, url, bytes } = await withCut();
  await page.goto(url);
  const say = (text) => page.getByRole("main").getByText(text).waitFor();
  await page.getByText("Is your file this cut?").waitFor();
  await choose(page, "mine.csv", bytes);
  await say("\u2068mine.csv\u2069 is this cut, byte for byte.");
  await drop(page, "short.csv", bytes.subarray(0, -5));
  await say(
    `it has ${bytes.length - 5} bytes, and the cut wrote ${bytes.length}. The download may have stopped early.`,
  );
  await page.getByText("No", { exact: true }).waitFor();
  const changed = Buffer.from(bytes);
  changed[0] ^= 1;
  await drop(page, "changed.csv", changed);
  await say("\u2068changed.csv\u2069 is not this cut: it is as long");
  await choose(page, "long.csv", Buffer.concat([bytes, bytes]));
  await say(`it has ${bytes.length * 2} bytes`);
  await drop(page, "mine.csv.gz", gzipSync(bytes));
  await say("after it was unzipped.");
  await page.getByText("Yes", { exact: true }).waitFor();
  await drop(page, "damaged.csv.gz", gzipSync(bytes).subarray(0, -9));
  await say("it cannot be unzipped to its end");
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("a large file is hashed away from the page, with progress, and can be stopped", async () => {
  const { page, url, bytes, cut } = await withCut();
  // Files of another length are not hashed at all.
  const size = 300 << 20;
  await page.route(`**/api/cuts/${cut.id}`, (route) =>
    route.fulfill({ json: { success: true, cut: { ...cut, bytesOut: size } } }),
  );
  await page.goto(url);
  await page.getByText("Is your file this cut?").waitFor();
  // A file that takes a while, so that there is time to stop.
  const folder = mkdtempSync(join(tmpdir(), "cutty-"));
  const large = join(folder, "large.csv");
  writeFileSync(large, "");
  truncateSync(large, size);
  await page.locator("input[type=file]").setInputFiles(large);
  await page.getByRole("progressbar", { name: "Comparing \u2068large.csv\u2069" }).waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("progressbar").waitFor({ state: "detached" });
  await page.unroute(`**/api/cuts/${cut.id}`);
  await page.reload();
  await page.getByText("Is your file this cut?").waitFor();
  await choose(page, "mine.csv", bytes);
  await page.getByText("is this cut, byte for byte.").waitFor();
  assert.deepEqual(page.faults, []);
  rmSync(folder, { recursive: true });
  await page.context().close();
});

test("a broken cut is shown broken, and has nothing to compare with", async () => {
  const { page, url, cut } = await withCut();
  const broken = {
    ...cut,
    status: "failed",
    complete: false,
    verified: false,
    checksum: null,
    rowsOut: 1,
    rowsRejected: 1,
    error: "The record in line 4 exceeds a limit.",
  };
  const show = (shown) =>
    page.route(`**/api/cuts/${cut.id}`, (route) => route.fulfill({ json: { success: true, cut: shown } }));
  await show(broken);
  await page.goto(url);
  await page.getByText("Broken", { exact: true }).waitFor();
  await page.getByText("The record in line 4 exceeds a limit.").waitFor();
  await page.getByText("Delete what was downloaded").waitFor();
  await page.getByText("A row was refused, which ended the cut.").waitFor();
  assert.equal(await page.getByText("Complete", { exact: true }).count(), 0);
  assert.equal(await page.getByText("Is your file this cut?").count(), 0);
  // A receipt that calls itself complete, but has no last byte, is not complete.
  await show({ ...cut, complete: false });
  await page.reload();
  await page.getByText("Broken", { exact: true }).waitFor();
  await page.context().close();
});

test("a running cut is looked at again; a receipt without recipe or file still shows the rest", async () => {
  const { page, url, cut, file, send } = await withCut();
  let shown = { ...cut, status: "running", complete: false, finishedAt: null, checksum: null };
  await page.route(`**/api/cuts/${cut.id}`, (route) =>
    route.fulfill({ json: { success: true, cut: shown } }),
  );
  await page.goto(url);
  await page.getByText("Running", { exact: true }).waitFor();
  shown = cut;
  await page.getByText("All 3 rows were written.").waitFor();
  await page.unroute(`**/api/cuts/${cut.id}`);
  await page.route(`**/api/cuts/${cut.id}/recipe`, (route) =>
    route.fulfill({
      status: 410,
      json: { code: "gone", title: "Gone", detail: "The recipe is not stored any more." },
    }),
  );
  await send(`/api/files/${file}`, undefined, {}, "DELETE");
  await page.goto(url);
  await page.getByText("The recipe of this cut is not stored any more.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Run again" }).count(), 0);
  await page.goto(`${h.URL_}/receipt?cut=00000000-0000-7000-8000-000000000000`);
  await page.getByText("There is no such receipt").waitFor();
  await page.context().close();
});

test("the list shows recent cuts, newest first, page by page", async () => {
  const { page, cut } = await withCut();
  const receipts = Array.from({ length: 30 }, (_, index) => ({
    ...cut,
    fileName: "people.csv",
    id: index === 0 ? cut.id : crypto.randomUUID(),
    rowsOut: 1000 + index,
    ...(index === 1 && { status: "failed", complete: false }),
  }));
  await mockReceipts(page, () => receipts);
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Receipts of cuts" }).click();
  const rows = page.getByRole("list", { name: "Receipts, newest first" }).getByRole("listitem");
  await rows.nth(24).waitFor();
  await rows.nth(0).getByText("people.csv").waitFor();
  await rows.nth(0).getByText("1,000 rows").waitFor();
  await rows.nth(1).getByText("Broken").waitFor();
  await page.getByRole("button", { name: "Show more receipts" }).click();
  await rows.nth(29).waitFor();
  assert.match(await page.evaluate(() => document.activeElement.textContent), /1,025 rows/);
  assert.equal(await page.getByRole("button", { name: "Show more receipts" }).count(), 0);
  await rows.nth(0).getByRole("link").click();
  await page.getByText("All 3 rows were written.").waitFor();
  await page.goto(`${h.URL_}/receipt?file=${cut.fileId}`);
  await page.getByRole("heading", { name: "Receipts of \u2068people.csv\u2069" }).waitFor();
  receipts.length = 0;
  await page.goto(`${h.URL_}/receipt`);
  await page.getByText("No receipts yet").waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
