import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const closeContext = (page) => page.context().close();

test("a first visit makes no failed request and no console message", async () => {
  const page = await h.newPage();
  await page.goto(`${h.URL_}/`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
  await closeContext(page);
});

test("pages revalidate, assets are immutable, and a missing asset is a 404", async () => {
  const index = await fetch(`${h.URL_}/`);
  assert.equal(index.headers.get("cache-control"), "no-cache");
  assert.match(
    index.headers.get("content-security-policy"),
    /default-src 'none'.*require-trusted-types-for 'script'/,
  );
  const html = await index.text();
  const again = await fetch(`${h.URL_}/`, { headers: { "if-none-match": index.headers.get("etag") } });
  assert.equal(again.status, 304);
  const script = /src="(\/assets\/[^"]+)"/.exec(html)[1];
  const asset = await fetch(h.URL_ + script);
  assert.match(asset.headers.get("cache-control"), /immutable/);
  const missing = await fetch(`${h.URL_}/assets/missing.js`);
  assert.equal(missing.status, 404);
  assert.match(missing.headers.get("content-type"), /problem\+json/);
  const navigation = await fetch(`${h.URL_}/api/openapi.json`, {
    headers: { accept: "text/html", "sec-fetch-mode": "navigate" },
  });
  assert.match(navigation.headers.get("content-type"), /json/);
});

test("the whole journey by keyboard", async () => {
  const page = await h.newPage();
  const name = h.newName();
  const { keyboard } = page;
  await page.goto(`${h.URL_}/`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  /** Presses Tab until the focused element has this name. */
  const tabTo = async (text, key = "Tab") => {
    const label = () =>
      page.evaluate(() => {
        const element = document.activeElement;
        const label = element.labels?.[0]?.textContent;
        return (element.getAttribute("aria-label") ?? label ?? element.textContent).trim();
      });
    for (let presses = 0; presses < 60; presses++) {
      if ((await label()) === text) return;
      await keyboard.press(key);
    }
    assert.fail(`Tab does not reach ${text}`);
  };

  // Sign up
  await tabTo("New here? Create an account");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Create an account" }).waitFor();
  await tabTo("Username");
  await keyboard.type(name);
  await tabTo("Password");
  await keyboard.type(h.PASSWORD);
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Your first file" }).waitFor();

  // Upload: `u` opens the file chooser
  const [fileChooser] = await Promise.all([page.waitForEvent("filechooser"), keyboard.press("u")]);
  await fileChooser.setFiles([h.csv("voters.csv"), h.csv("donors.csv", "id;amount\n1;10\n2;20;9\n")]);
  await h.row(page, "voters.csv").getByText("2 rows").first().waitFor();
  await h.row(page, "donors.csv").getByText("semicolon-separated").waitFor();
  await h.row(page, "donors.csv").getByText("1 row is wider than the header").waitFor();

  // Search: `/` focuses the field, Esc empties it
  await keyboard.press("/");
  await keyboard.type("donors");
  await h.row(page, "voters.csv").waitFor({ state: "detached" });
  assert.match(page.url(), /\?q=donors/);
  await keyboard.press("Escape");
  await h.row(page, "voters.csv").waitFor();

  // Tags: the menu of a row opens the details at its tags
  await tabTo("Actions for \u2068voters.csv\u2069");
  await keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  for (let i = 0; i < 5; i++) await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await page.getByRole("dialog").getByLabel("Tags", { exact: true }).waitFor();
  await page.waitForFunction(() => document.activeElement?.name === "tags");
  await keyboard.type("2026, people");
  await keyboard.press("Enter");
  await page.getByText("Saved.").waitFor();
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await h.row(page, "voters.csv").getByText("people").waitFor();

  // Rename
  await tabTo("Actions for \u2068voters.csv\u2069");
  await keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  for (let i = 0; i < 4; i++) await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement?.name === "name");
  await keyboard.press("Control+a");
  await keyboard.type("voters-2026.csv");
  await keyboard.press("Enter");
  await page.getByText("Saved.").waitFor();
  await keyboard.press("Escape");
  await h.row(page, "voters-2026.csv").waitFor();

  // Trash with the keyboard, and undo
  await page.evaluate(() => document.activeElement?.blur());
  await page.locator("main").focus();
  await keyboard.press("ArrowDown");
  await page.waitForFunction(() => document.activeElement?.className === "open");
  const first = await page.evaluate(() => document.activeElement.textContent);
  await keyboard.press("x");
  await page.getByText("1 selected").waitFor();
  await tabTo("Move to trash", "Shift+Tab");
  await keyboard.press("Enter");
  await page.getByText(`${"\u2068"}${first}${"\u2069"} is in the trash.`).waitFor();
  await h.row(page, first).waitFor({ state: "detached" });
  await keyboard.press("z");
  await h.row(page, first).waitFor();

  // Shortcuts, and sign out
  await keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await tabTo(`Account of \u2068${name}\u2069`, "Shift+Tab");
  await keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  await keyboard.press("End");
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await closeContext(page);
});

test("the sample list, and another reading of a file", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await page.getByRole("button", { name: "Try a sample list" }).click();
  await h.row(page, "sample-customers.csv").getByText("Read as comma-separated").waitFor();
  await h.row(page, "sample-customers.csv").getByText("500 rows").first().waitFor();

  // A total in the last line: the page suggests to leave it out.
  await h.upload(page, h.csv("sales.csv", "day,amount\n2026-01-01,5\n2026-01-02,7\nTotal,12\n"));
  const sales = h.row(page, "sales.csv");
  await sales.getByRole("button", { name: "Leave out" }).click();
  await sales.locator(".shape", { hasText: "2 rows" }).waitFor();

  // Another delimiter
  await sales.getByRole("button", { name: "Change", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Delimiter").selectOption("semicolon");
  await dialog.getByRole("button", { name: "Read the file this way" }).click();
  await dialog.getByText("Read as semicolon-separated").waitFor();
  await dialog.getByRole("button", { name: "Detect everything again" }).click();
  await dialog.getByText("Read as comma-separated").waitFor();
  assert.deepEqual(await h.violations(page), []);
  await closeContext(page);
});

test("tags filter together, bulk actions change several files, the trash restores them", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await h.upload(page, h.csv("a.csv"), h.csv("b.csv"), h.csv("c.csv"));
  await page.getByLabel("Select all files shown").check();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  await page.getByLabel("Tags to add").fill("red, blue");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Tags of 3 files are changed.").waitFor();
  await h.row(page, "a.csv").getByText("blue").waitFor();
  await page.getByLabel("Select \u2068a.csv\u2069").check();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  await page.getByRole("dialog").getByLabel("blue").check();
  await page.getByRole("button", { name: "Save" }).click();
  await h.row(page, "a.csv").getByText("blue").waitFor({ state: "detached" });

  const tags = page.getByLabel("Filter by tag");
  await tags.fill("red");
  await tags.press("Enter");
  await tags.fill("blue");
  await tags.press("Enter");
  await h.row(page, "a.csv").waitFor({ state: "detached" });
  await h.row(page, "b.csv").waitFor();
  assert.match(page.url(), /tag=red&tag=blue/);
  await page.reload();
  await h.row(page, "b.csv").waitFor();
  assert.equal(await page.locator("li.file").count(), 2);

  await page.getByLabel("Select all files shown").check();
  await page.getByRole("button", { name: "Move to trash" }).click();
  await page.getByText("2 files are in the trash.").waitFor();
  await page.goto(`${h.URL_}/?show=deleted`);
  await h.row(page, "c.csv").waitFor();
  await page.getByLabel("Select \u2068c.csv\u2069").check();
  await page.getByRole("button", { name: "Restore" }).click();
  await h.row(page, "c.csv").waitFor({ state: "detached" });
  await page.getByLabel("Select \u2068b.csv\u2069").check();
  await page.getByRole("button", { name: "Delete permanently" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete permanently" }).click();
  await page.getByText("The trash is empty.").waitFor();
  await closeContext(page);
});

test("hostile names and tags are text", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const names = [
    "<script>alert(1)<!-- .csv",
    "\u202Evsc.exe gnp.csv",
    "<img src=x onerror=alert(1)>.csv",
    "عربي ١.csv",
    "'\"&amp;.csv",
  ];
  let alerts = 0;
  page.on("dialog", () => alerts++);
  await chooserUpload(page, names);
  const shown = await page.locator("li.file .open bdi").allTextContents();
  assert.equal(shown.length, names.length);
  for (const part of ["<script>alert(1)", "<img src=x onerror=alert(1)>.csv", "عربي ١.csv", "'\"&amp;.csv"]) {
    assert.ok(
      shown.some((name) => name.includes(part)),
      `${part} in ${shown}`,
    );
  }
  // The rest of the row stays where it is, whatever the name contains.
  assert.equal(await page.locator("li.file script, li.file img").count(), 0);
  const first = await page.locator("li.file").first().locator(".open").innerText();
  await h.openDetails(page, first);
  await page.getByRole("dialog").getByText("SHA-256").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  // The page of its rows has the name, too.
  await page.locator("li.file .open").first().click();
  await page.locator(".grid-row").first().waitFor();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), first);
  assert.equal(alerts, 0);
  assert.deepEqual(await h.violations(page), []);
  await closeContext(page);
});

async function chooserUpload(page, names) {
  await h.chooser(page).setInputFiles(names.map((name) => h.csv(name)));
  await page.waitForFunction(
    (count) => document.querySelectorAll("li.file .shape").length === count,
    names.length,
  );
}

test("another user's file looks like a missing file", async () => {
  const owner = await h.newPage();
  await h.signUp(owner);
  await h.upload(owner, h.csv("private.csv"));
  const href = await owner.locator("li.file .open").getAttribute("href");
  const other = await h.newPage();
  await h.signUp(other);
  await other.goto(h.URL_ + href);
  await other
    .getByRole("alert")
    .getByText("This file does not exist, or it belongs to somebody else.")
    .waitFor();
  assert.equal(await other.getByText("private.csv").count(), 0);
  await other.goto(h.URL_ + href.replace("/cut", "/"));
  await other.getByRole("dialog").getByRole("alert").waitFor();
  assert.equal(await other.getByText("private.csv").count(), 0);
  await closeContext(owner);
  await closeContext(other);
});

test("a download by the browser has the bytes of the file", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await h.upload(page, h.csv("bytes.csv", "a,b\n1,é\n"));
  await h
    .row(page, "bytes.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Download" }).click(),
  ]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "a,b\n1,é\n");
  assert.equal(download.suggestedFilename(), "bytes.csv");
  await closeContext(page);
});

test("a long list has pages, and arrows move through it", async () => {
  const page = await h.newPage();
  const api = await h.apiOf(await h.signUp(page));
  for (let number = 0; number < 53; number++) {
    const name = `n${String(number).padStart(3, "0")}.csv`;
    await api("/api/files", "a,b\n1,2\n", { "x-file-name": name, "content-type": "text/csv" });
  }
  await page.goto(`${h.URL_}/?sort=filename`);
  await page.getByText("50 of 53 files").waitFor();
  await page.getByRole("button", { name: "Show more files" }).click();
  await page.getByText("53 files", { exact: true }).waitFor();
  const names = await page.locator("li.file .open").allTextContents();
  assert.deepEqual(names, [...names].sort());
  assert.equal(new Set(names).size, 53);
  await page.locator("li.file .open").first().focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "n002.csv");
  assert.deepEqual(page.faults, []);
  await closeContext(page);
});

test("the details show from which file a cut was made, and what was made of a file", async () => {
  const page = await h.newPage();
  const api = await h.apiOf(await h.signUp(page));
  const { file } = await api("/api/files", "a,b\n1,2\n3,4\n", { "x-file-name": "whole.csv" });
  await api(`/api/files/${file.id}/save`, { filename: "part.csv", whereFilters: { a: "= 1" } });
  await page.goto(`${h.URL_}/`);
  await h.openDetails(page, "part.csv");
  const dialog = page.getByRole("dialog");
  await dialog.getByText("It was cut from").waitFor();
  await dialog.getByRole("link", { name: "whole.csv" }).click();
  await dialog.getByText("Cut from it").waitFor();
  await dialog.getByRole("link", { name: "part.csv" }).waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await closeContext(page);
});

test("expiry and archive", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await h.upload(page, h.csv("kept.csv"));
  const act = async (name) => {
    await h
      .row(page, "kept.csv")
      .getByRole("button", { name: /^Actions/ })
      .click();
    await page.getByRole("menuitem", { name, exact: true }).click();
  };
  await act("Set expiry");
  await page.getByLabel("Moves to the trash on").fill("2099-12-31T12:00");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.keyboard.press("Escape");
  await h.row(page, "kept.csv").getByText("expires 31 Dec 2099").waitFor();
  await act("Archive");
  await h.row(page, "kept.csv").waitFor({ state: "detached" });
  await page.getByLabel("Show", { exact: true }).selectOption("archived");
  await act("Move to trash");
  await page.getByText("The archive is empty.").waitFor();
  await page.keyboard.press("z");
  await h.row(page, "kept.csv").waitFor();
  await act("Move back to active");
  await page.getByText("The archive is empty.").waitFor();
  await page.getByLabel("Show", { exact: true }).selectOption("active");
  await h.row(page, "kept.csv").waitFor();
  assert.deepEqual(page.faults, []);
  await closeContext(page);
});

test("after a row is gone, the row in its place has the focus, and the list is as long as before", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const send = await h.apiOf(name);
  for (let number = 10; number < 65; number++)
    await send("/api/files", "a,b\n1,2\n", { "content-type": "text/csv", "x-file-name": `f${number}.csv` });
  await page.goto(`${h.URL_}/?sort=filename`);
  await page.getByRole("button", { name: "Show more files" }).click();
  await h.row(page, "f64.csv").waitFor();
  await h
    .row(page, "f60.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  await page.getByRole("menuitem", { name: "Move to trash" }).click();
  await h.row(page, "f60.csv").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.activeElement?.textContent === "f61.csv");
  assert.equal(await page.locator("li.file").count(), 54);
  await closeContext(page);
});

test("details with changes that are not saved ask before they close", async () => {
  const page = await h.newPage();
  page.removeAllListeners("dialog");
  await h.signUp(page);
  await h.upload(page, h.csv("kept.csv"));
  await h.openDetails(page, "kept.csv");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Tags" }).fill("red");
  page.once("dialog", (question) => question.dismiss());
  await page.keyboard.press("Escape");
  assert.equal(await dialog.getByRole("textbox", { name: "Tags" }).inputValue(), "red");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved.").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(page.faults, []);
  await closeContext(page);
});
