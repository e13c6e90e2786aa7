import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const TEXT = "id,city\n1,Bern\n2,Basel\n3,Bern\n";
const SECRET = "seven grüne parrots 🦜";

/** Creates an account with a file, without a page. */
async function owner(text = TEXT, filename = "list.csv") {
  const username = h.newName();
  const response = await fetch(`${h.URL_}/api/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password: h.PASSWORD, password2: h.PASSWORD }),
  });
  assert.ok(response.ok, await response.clone().text());
  const api = await h.apiOf(username);
  const headers = { "content-type": "text/csv", "x-file-name": encodeURIComponent(filename) };
  const { file } = await api("/api/files", text, headers);
  const share = async (body) => (await api(`/api/files/${file.id}/share`, body)).share;
  const ask = async (body) => (await api("/api/shares", { kind: "upload", ...body })).share;
  return { username, api, file, share, ask };
}

/** Signs in on a page. */
async function signIn(page, username, path = "/") {
  await page.goto(h.URL_ + path);
  await page.getByLabel("Username or email").fill(username);
  await page.getByLabel("Password", { exact: true }).fill(h.PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** Opens a link in a browser that has no account. Records the address of each request. */
async function visit(link, options) {
  const page = await h.newPage(options);
  page.asked = [];
  page.on("request", (request) => page.asked.push(request.url()));
  await page.goto(link);
  return page;
}

const download = async (page, name = "Download") => {
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name, exact: true }).click(),
  ]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
};

const openMenu = async (page, name, item) => {
  await h
    .row(page, name)
    .getByRole("button", { name: /^Actions/ })
    .click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};

/** A file that can be chosen again after a reload. */
function fileOnDisk(name, bytes) {
  const path = join(mkdtempSync(join(tmpdir(), "cutty-share-")), name);
  writeFileSync(path, bytes);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  return path;
}

test("a file is shared by a link, and a browser without an account reads and downloads it", async () => {
  const { username, file } = await owner();
  const page = await h.newPage();
  await signIn(page, username);
  await openMenu(page, "list.csv", "Share");
  const dialog = page.getByRole("dialog", { name: /Share.*list\.csv/ });
  await dialog.getByText("This file is not shared.").waitFor();
  assert.deepEqual(await h.axe(page), []);
  await dialog.getByRole("button", { name: "Make a link" }).click();
  await dialog.getByText("The link is ready").waitFor();
  const link = await dialog.getByLabel("Link for people").inputValue();
  const url = await dialog.getByLabel("Link for programs").inputValue();
  assert.match(link, /\/s#s1\./);
  // The text of the link has the focus, so that it can be copied at once.
  assert.equal(await page.evaluate(() => document.activeElement.value), link);
  assert.equal(await (await fetch(url)).text(), TEXT);
  await dialog.getByRole("listitem").getByText("Link to the file").waitFor();
  assert.deepEqual(await h.axe(page), []);
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Actions/);
  assert.deepEqual(page.faults, []);
  await page.context().close();

  const visitor = await visit(link);
  await visitor.getByRole("heading", { name: "list.csv" }).waitFor();
  await visitor.getByText("3 rows, 2 columns").waitFor();
  await visitor.getByRole("cell", { name: "Basel" }).waitFor();
  assert.deepEqual(await download(visitor), { name: "list.csv", text: TEXT });
  assert.deepEqual(await h.axe(visitor), []);
  // No code of accounts, no session, and no token where others can read it.
  assert.ok(!visitor.asked.some((address) => address.includes("/api/auth") || address.includes(file.id)));
  assert.equal(await visitor.title(), "list.csv · Cutty");
  const scripts = visitor.asked.filter((address) => address.endsWith(".js"));
  for (const script of scripts) {
    assert.ok(!(await (await fetch(script)).text()).includes("/api/auth/"), script);
  }
  assert.deepEqual(await visitor.evaluate(() => [localStorage.length, sessionStorage.length]), [0, 0]);
  assert.deepEqual([...visitor.faults, ...(await h.violations(visitor))], []);
  await visitor.context().close();
});

test("the page of links is served at /s, is found by no search engine, and sends no referrer", async () => {
  const response = await fetch(`${h.URL_}/s`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("x-robots-tag"), "noindex");
  assert.equal(response.headers.get("referrer-policy"), "no-referrer");
  assert.match(response.headers.get("content-security-policy"), /default-src 'none'/);
  assert.match(await response.text(), /<meta name="robots" content="noindex"/);
  const page = await visit(`${h.URL_}/s`);
  await page.getByRole("heading", { name: "This link is not complete" }).waitFor();
  await page.goto(`${h.URL_}/s#s1.AAAA.BBBB`);
  await page.getByRole("heading", { name: "This link does not work" }).waitFor();
  await page.getByText("There is no such link").waitFor();
  assert.deepEqual(await h.axe(page), []);
  await page.context().close();
});

test("a page of another origin downloads a shared file with fetch", async () => {
  const { share } = await owner();
  const { url } = await share({ kind: "download" });
  const other = createServer((_, response) => response.end("<!doctype html><title>Other</title>"));
  // A test that fails must not leave the server behind.
  other.unref();
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  const page = await h.newPage();
  await page.goto(`http://localhost:${other.address().port}/`);
  const read = await page.evaluate(async (url) => {
    const info = await (await fetch(`${url}/info`)).json();
    return [info.filename, await (await fetch(url)).text()];
  }, url);
  assert.deepEqual(read, ["list.csv", TEXT]);
  // The rest of the API stays closed to other origins.
  const closed = await page.evaluate(
    (url) =>
      fetch(url).then(
        () => "open",
        () => "closed",
      ),
    `${h.URL_}/api/files`,
  );
  assert.equal(closed, "closed");
  await page.context().close();
  other.close();
});

test("a link with a password and one use: the page says what a use costs, and a reload needs no other use", async () => {
  const { api, share } = await owner();
  const made = await share({ kind: "download", password: SECRET, maxUses: 1 });
  const page = await visit(made.pageUrl);
  const password = page.getByLabel("Password");
  await password.waitFor();
  await page.getByText("this was its last use").waitFor();
  // The name of the file is not known before the link is open.
  assert.equal(await page.getByText("list.csv").count(), 0);
  assert.deepEqual(await h.axe(page), []);
  await password.fill("wrong password");
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByText("This password is wrong.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.type), "password");
  assert.deepEqual(await h.axe(page), []);
  assert.equal((await api(`/api/shares/${made.id}`)).share.uses, 0);
  await password.fill(SECRET);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByRole("heading", { name: "list.csv" }).waitFor();
  await page.getByRole("cell", { name: "Basel" }).waitFor();
  assert.equal((await download(page)).text, TEXT);
  await page.reload();
  await page.getByRole("cell", { name: "Basel" }).waitFor();
  assert.equal((await download(page)).text, TEXT);
  assert.equal((await api(`/api/shares/${made.id}`)).share.uses, 1);
  const hidden = encodeURIComponent(SECRET).slice(0, 12);
  assert.ok(!page.asked.some((address) => address.includes(hidden) || address.includes("wrong")));
  assert.equal(page.url(), made.pageUrl);
  await page.context().close();

  const late = await visit(made.pageUrl);
  await late.getByRole("heading", { name: "This link does not work" }).waitFor();
  await late.getByText("This link was used as often as it may be used.").waitFor();
  assert.deepEqual(await h.axe(late), []);
  await late.context().close();
});

test("the rows of a shared file have pages, and names and cells are text", async () => {
  const rows = Array.from({ length: 120 }, (_, at) => `${at + 1},<img src=x onerror=alert(1)>`);
  const { share } = await owner(`id,<b>html</b>\n${rows.join("\n")}\n`, "\u202e<script>.csv");
  const { pageUrl } = await share({ kind: "download" });
  const page = await visit(pageUrl);
  await page.getByText("Rows 1 to 50 of 120").waitFor();
  await page.getByRole("button", { name: "Next rows" }).click();
  await page.getByText("Rows 51 to 100 of 120").waitFor();
  await page.getByRole("button", { name: "Next rows" }).click();
  await page.getByText("Rows 101 to 120 of 120").waitFor();
  assert.equal(await page.getByRole("row").count(), 21);
  await page.getByRole("button", { name: "Previous rows" }).click();
  await page.getByText("Rows 51 to 100 of 120").waitFor();
  assert.equal(await page.locator("img, h1 script, th b").count(), 0);
  assert.deepEqual([...page.faults, ...(await h.violations(page))], []);
  await page.context().close();
});

test("the page of a file shares the cut that it shows, and nothing else of the file", async () => {
  const { username, file } = await owner();
  const page = await h.newPage();
  await signIn(page, username, `/cut?file=${file.id}&filter=${encodeURIComponent("city = Bern")}`);
  await page.getByText("2 rows match").first().waitFor();
  await page.getByRole("button", { name: "Share", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: /Share/ });
  assert.ok(await dialog.getByLabel("Anybody with a link, only this cut").isChecked());
  await dialog.getByRole("button", { name: "Make a link" }).click();
  const link = await dialog.getByLabel("Link for people").inputValue();
  await dialog.getByText("Link to a cut").waitFor();
  assert.deepEqual(await h.axe(page), []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
  const visitor = await visit(link);
  await visitor.getByText("Rows 1 to 2 of 2").waitFor();
  assert.equal((await download(visitor)).text, "id,city\n1,Bern\n3,Bern\n");
  await visitor.context().close();
});

test("the list of shares gives a link a new end, and revokes it", async () => {
  const { username, share } = await owner();
  const { url, pageUrl } = await share({ kind: "download", expiresIn: 600, name: "for Bob", maxUses: 5 });
  const page = await h.newPage();
  await signIn(page, username, "/shares");
  const item = page.getByRole("listitem").filter({ hasText: "for Bob" });
  await item.getByText(/Active · 0 of 5 uses · ends/).waitFor();
  await item.getByRole("link", { name: "list.csv" }).waitFor();
  assert.deepEqual(await h.axe(page), []);
  const choose = async (name) => {
    await item.getByRole("button", { name: /^Actions for the share/ }).click();
    await page.getByRole("menuitem", { name, exact: true }).click();
  };
  await choose("Ends 7 days from now");
  await item.getByText("The link has a new end, so it is a new link.").waitFor();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await item.getByRole("button", { name: "Copy the link" }).click();
  await item.getByText("Copied").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /\/s#s1\./);
  assert.notEqual(copied, pageUrl);
  await choose("Revoke");
  const question = page.getByRole("dialog", { name: "Revoke this share?" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
  await question.getByRole("button", { name: "Revoke" }).click();
  await item.getByText("Revoked").waitFor();
  assert.equal(await item.getByRole("button").count(), 0);
  assert.equal((await fetch(url)).status, 410);
  assert.deepEqual(page.faults, []);
  const visitor = await visit(copied);
  await visitor.getByText("This link was revoked").waitFor();
  await visitor.context().close();
  await page.context().close();
});

test("a wrong term of a share is explained at its field", async () => {
  const { username } = await owner();
  const page = await h.newPage();
  await signIn(page, username);
  await openMenu(page, "list.csv", "Share");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Another account").check();
  await dialog.getByLabel("Username").fill("nobody-has-this-name");
  await dialog.getByRole("button", { name: "Share", exact: true }).click();
  await dialog.locator(".field-error").getByText("There is no other account").waitFor();
  await dialog.getByLabel("Anybody with a link", { exact: true }).check();
  await dialog.getByLabel("Password (optional)").fill("password");
  await dialog.getByRole("button", { name: "Make a link" }).click();
  await dialog.locator(".field-error").waitFor();
  assert.equal(await dialog.getByLabel("Password (optional)").getAttribute("aria-invalid"), "true");
  assert.deepEqual(await h.axe(page), []);
  await page.context().close();
});

test("somebody without an account sends files, and the page explains what the link does not take", async () => {
  const { username, api } = await owner();
  const page = await h.newPage();
  await signIn(page, username, "/shares");
  await page.getByText("You share nothing yet.").waitFor();
  await page.getByRole("button", { name: "Ask for files" }).click();
  const dialog = page.getByRole("dialog", { name: "Ask for files" });
  await dialog.getByLabel("Name", { exact: true }).fill("Lists for the survey");
  await dialog.getByLabel("Number of files").fill("2");
  await dialog.getByLabel("Greatest size of a file, in MB").fill("1");
  await dialog.getByLabel("Tags of the files").fill("inbox");
  await dialog.getByLabel("Password (optional)").fill(SECRET);
  assert.deepEqual(await h.axe(page), []);
  await dialog.getByRole("button", { name: "Make a link" }).click();
  const link = await dialog.getByLabel("Link for people").inputValue();
  await page.keyboard.press("Escape");
  await page.getByText(/Active · 0 of 2 files · ends .* · with a password/).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();

  const sender = await visit(link);
  await sender.getByRole("heading", { name: "Lists for the survey" }).waitFor();
  await sender.getByText("CSV and TSV files, each of at most 1 MB.").waitFor();
  await sender.getByLabel("Password").fill("wrong password");
  await sender.getByRole("button", { name: "Continue" }).click();
  const files = sender.locator("main input[type=file]");
  await files.setInputFiles([h.csv("first.csv", TEXT)]);
  await sender.getByText("This password is wrong.").waitFor();
  assert.deepEqual(await h.axe(sender), []);
  await sender.getByLabel("Password").fill(SECRET);
  await sender.getByRole("button", { name: "Continue" }).click();
  // The upload goes on with the new password.
  await sender.locator("li.upload.done").waitFor();
  await sender.getByText("The link takes 1 more file.").waitFor();
  const before = sender.asked.length;
  await files.setInputFiles([h.csv("large.csv", "a\n" + "1\n".repeat(600_000))]);
  await sender.getByRole("alert").getByText("This file is too large").waitFor();
  assert.equal(sender.asked.length, before);
  await files.setInputFiles([h.csv("no-table.csv", Buffer.from("%PDF-1.4\n\0\0\0"))]);
  await sender.locator("li.upload.failed").nth(1).getByRole("alert").waitFor();
  assert.deepEqual(await h.axe(sender), []);
  await files.setInputFiles([h.csv("second.csv", TEXT)]);
  await sender.getByText("Everything has arrived").waitFor();
  await sender.getByText("2 files arrived.").waitFor();
  assert.equal(await files.count(), 0);
  assert.deepEqual(await h.axe(sender), []);
  assert.deepEqual(await h.violations(sender), []);
  // This browser keeps nothing of the link.
  const kept = await sender.evaluate(
    () =>
      new Promise((resolve) => {
        const opened = indexedDB.open("cutty");
        opened.onsuccess = () => {
          const all = opened.result.transaction("uploads").objectStore("uploads").getAll();
          all.onsuccess = () => resolve(JSON.stringify(all.result));
        };
      }),
  );
  assert.ok(!kept.includes("s1."), kept);
  await sender.context().close();
  const { files: arrived } = await api("/api/files?tag=inbox");
  assert.deepEqual(arrived.map(({ filename }) => filename).sort(), ["first.csv", "second.csv"]);
  const late = await visit(link);
  await late.getByText("This link was used as often as it may be used.").waitFor();
  await late.context().close();
});

test("files that are chosen before a link is ready, or before its password, are sent as soon as they can be", async () => {
  const { api, ask } = await owner();
  const { pageUrl } = await ask({ tags: ["early"], maxUses: 2, password: SECRET });
  const page = await h.newPage();
  await page.addInitScript(() => {
    const query = navigator.locks.query.bind(navigator.locks);
    navigator.locks.query = async () => {
      await new Promise((resolve) => (window.letReady = resolve));
      return query();
    };
  });
  await page.goto(pageUrl);
  const drop = (name) =>
    page.evaluate((name) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File(["a,b\n1,2\n"], name, { type: "text/csv" }));
      dispatchEvent(new DragEvent("drop", { dataTransfer }));
    }, name);
  await page.getByLabel("Password").waitFor();
  await drop("before-password.csv");
  await page.getByLabel("Password").fill(SECRET);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByRole("button", { name: "Choose files" }).waitFor();
  await drop("before-ready.csv");
  assert.equal(await page.locator("li.upload").count(), 0);
  await page.evaluate(() => window.letReady());
  await page.getByText("Everything has arrived").waitFor();
  const { files } = await api("/api/files?tag=early");
  assert.deepEqual(files.map(({ filename }) => filename).sort(), ["before-password.csv", "before-ready.csv"]);
  await page.context().close();
});

test("an upload through a link is paused, survives a reload, and no byte is sent again from zero", async () => {
  const { api, ask } = await owner();
  const { pageUrl } = await ask({ maxBytes: 50_000_000, tags: ["inbox"] });
  const line = "0123456789,abcdefghijklmnopqrstuvwxyz,ABCDEFGHIJKLMNOPQRSTUVW\n";
  const buffer = Buffer.from("a,b,c\n" + line.repeat(400_000));
  const path = fileOnDisk("big.csv", buffer);
  const page = await visit(pageUrl);
  const offsets = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH") offsets.push(Number(request.headers()["upload-offset"]));
  });
  // The second part is held back until the upload was paused, so the upload cannot end before.
  const paused = Promise.withResolvers();
  await page.route("**/uploads/*", async (route) => {
    const request = route.request();
    if (request.method() === "PATCH" && request.headers()["upload-offset"] !== "0") await paused.promise;
    await route.continue().catch(() => undefined);
  });
  const first = page.waitForResponse((response) => response.request().method() === "PATCH", {
    timeout: 60_000,
  });
  await page.locator("main input[type=file]").setInputFiles(path);
  assert.equal((await first).status(), 204);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 8 * 1024 * 1024);
  await page.getByRole("button", { name: /^Pause the upload/ }).click();
  await page.getByText("Paused").waitFor();
  paused.resolve();
  await page.reload();
  await page.locator("li.upload.needsFile").waitFor();
  const sent = offsets.length;
  await page.locator("main .drop input[type=file]").setInputFiles(path);
  await page.getByText("Everything has arrived").waitFor();
  assert.ok(offsets.length > sent && offsets.slice(sent).every((offset) => offset > 0), String(offsets));
  const { files } = await api("/api/files?tag=inbox");
  assert.deepEqual(
    files.map(({ filename, size }) => [filename, size]),
    [["big.csv", buffer.length]],
  );
  await page.context().close();
});

test("a file that is shared with an account: what the account may do is offered, and nothing else", async () => {
  const { username, file, share } = await owner();
  const page = await h.newPage();
  const guest = await h.signUp(page);
  await share({ kind: "account", username: guest, may: "read" });
  await page.getByRole("link", { name: "Shared with me" }).click();
  const item = page.getByRole("listitem").filter({ hasText: "list.csv" });
  await item.getByText(`from \u2068${username}\u2069 · see and download`).waitFor();
  assert.deepEqual(await h.axe(page), []);
  assert.equal((await download(page, `Download \u2068list.csv\u2069`)).text, TEXT);
  await item.getByRole("link", { name: "list.csv" }).click();
  await page.getByRole("grid").getByText("Basel").waitFor();
  await page.getByText("You may see it and download the whole file.").waitFor();
  for (const name of ["Save", "Share", "Recipes", "Download"])
    assert.equal(await page.getByRole("button", { name, exact: true }).count(), 0, name);
  assert.equal(await page.getByRole("link", { name: "Details" }).count(), 0);
  assert.equal((await download(page, "Download the file")).text, TEXT);
  // A filter shows rows. Counting them would be a cut.
  await page.goto(`${h.URL_}/cut?file=${file.id}&filter=${encodeURIComponent("city = Basel")}`);
  await page.getByRole("grid").getByText("Basel").waitFor();
  assert.deepEqual(await h.axe(page), []);
  assert.deepEqual(page.faults, []);

  await share({ kind: "account", username: guest, may: "cut" });
  await page.reload();
  await page.getByText("You may cut it.").waitFor();
  await page.getByText("1 row matches").first().waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Share", exact: true }).count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

const modes = [
  { colorScheme: "light", forcedColors: "none" },
  { colorScheme: "dark", forcedColors: "none" },
  { colorScheme: "light", forcedColors: "active" },
];

/** Checks a view in each mode and width, and collects what is wrong. */
async function look(page, view, found) {
  for (const mode of modes) {
    await page.emulateMedia(mode);
    for (const width of [320, 360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      const where = `${view} ${mode.colorScheme} ${mode.forcedColors} ${width}`;
      for (const violation of await h.axe(page)) found.push(`${where}: ${violation}`);
      const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (isWide) found.push(`${where}: wider than the window`);
      if (process.env.SHOTS)
        await page.screenshot({ path: `${process.env.SHOTS}/${where.replaceAll(" ", "-")}.png` });
    }
  }
}

test("the views of shares pass in light, dark and forced colours, and on a phone", async () => {
  const found = [];
  const { username, share, ask } = await owner(undefined, `${"a-long-name-".repeat(12)}.csv`);
  const link = await share({ kind: "download", name: "for the team" });
  await share({ kind: "download", maxUses: 3, password: SECRET });
  const drop = await ask({ name: "Lists for the survey", maxUses: 3 });
  const other = await owner();
  await other.share({ kind: "account", username, may: "cut" });
  const visitor = await visit(link.pageUrl);
  await visitor.getByRole("cell", { name: "Basel" }).waitFor();
  await look(visitor, "link", found);
  await visitor.goto(drop.pageUrl);
  await visitor.getByRole("button", { name: "Choose files" }).waitFor();
  await visitor.locator("main input[type=file]").setInputFiles([h.csv("sent.csv")]);
  await visitor.locator("li.upload.done").waitFor();
  await look(visitor, "drop-box", found);
  await visitor.context().close();
  const page = await h.newPage({ reducedMotion: "reduce" });
  await signIn(page, username, "/shares");
  await page.getByText("for the team").waitFor();
  await look(page, "shares", found);
  await page.getByRole("button", { name: "Ask for files" }).click();
  await page.getByRole("dialog").waitFor();
  await look(page, "ask", found);
  await page.goto(`${h.URL_}/shares?with=me`);
  await page.getByRole("link", { name: "list.csv" }).waitFor();
  await look(page, "with-me", found);
  await page.goto(`${h.URL_}/`);
  await page
    .getByRole("button", { name: /^Actions for/ })
    .first()
    .click();
  await page.getByRole("menuitem", { name: "Share", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make a link" }).click();
  await page.getByText("The link is ready").waitFor();
  await look(page, "share", found);
  assert.deepEqual(found, []);
  await page.context().close();
});
