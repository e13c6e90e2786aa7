import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import { mkdtempSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as h from "./harness.mjs";

after(h.close);

const MIB = 1024 * 1024;

/** A file of several chunks, on disk, so that it can be chosen again after a reload. */
function bigFile(name, mebibytes) {
  const line = "0123456789,abcdefghijklmnopqrstuvwxyz,ABCDEFGHIJKLMNOPQRSTUVW\n";
  const bytes = Buffer.from(
    "number,small,capital\n" + line.repeat(Math.floor((mebibytes * MIB) / line.length)),
  );
  const path = join(mkdtempSync(join(tmpdir(), "cutty-page-")), name);
  writeFileSync(path, bytes);
  utimesSync(path, 1_700_000_000, 1_700_000_000);
  return { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Counts the bytes that each request of an upload begins with. */
function watch(page) {
  const offsets = [];
  let creations = 0;
  page.on("request", (request) => {
    const path = new URL(request.url()).pathname;
    if (request.method() === "PATCH" && path.startsWith("/api/uploads/")) {
      offsets.push(Number(request.headers()["upload-offset"]));
    }
    if (request.method() === "POST" && path === "/api/uploads") creations++;
  });
  return { offsets, creations: () => creations };
}

async function digest(page, name) {
  await h.row(page, name).locator(".shape", { hasText: /\d/ }).waitFor({ timeout: 60_000 });
  await h.openDetails(page, name);
  const cell = page.getByRole("dialog").locator("dt:has-text('SHA-256') + dd");
  await cell.waitFor();
  const text = await cell.innerText();
  await page.keyboard.press("Escape");
  return text;
}

const problem = (status, code) => ({
  status,
  contentType: "application/problem+json",
  headers: status === 429 ? { "retry-after": "1" } : {},
  body: JSON.stringify({ type: `/problems/${code}`, title: code, status, detail: `${code}.`, code }),
});

/** Delays each chunk of an upload. The page may end a request meanwhile, and then there is nothing to continue. */
const delayChunks = (page, ms) =>
  page.route("**/api/uploads/*", async (route) => {
    if (route.request().method() === "PATCH") await new Promise((resolve) => setTimeout(resolve, ms));
    await route.continue().catch(() => undefined);
  });

test("pause and resume, then a 401 and a 429 on HEAD: no byte is sent again from zero", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const file = bigFile("big.csv", 30);
  const seen = watch(page);
  // Slow enough to pause in the middle.
  await delayChunks(page, 300);
  await h.chooser(page).setInputFiles(file.path);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 8 * 1024 * 1024);
  await page.getByRole("button", { name: /^Pause the upload/ }).click();
  await page.getByText("Paused").waitFor();
  // The button that takes its place has the focus.
  await page.waitForFunction(() =>
    /^Continue/.test(document.activeElement?.getAttribute("aria-label") ?? ""),
  );
  const paused = seen.offsets.length;
  const answers = [problem(401, "token_expired"), problem(429, "rate_limited")];
  await page.route("**/api/uploads/*", async (route) => {
    const answer = route.request().method() === "HEAD" ? answers.shift() : undefined;
    return answer ? route.fulfill(answer) : route.fallback();
  });
  await page.getByRole("button", { name: /^Continue the upload/ }).click();
  assert.equal(await digest(page, "big.csv"), file.sha256);
  assert.deepEqual(answers, []);
  assert.equal(seen.creations(), 1);
  assert.ok(
    seen.offsets.slice(paused).every((offset) => offset > 0),
    String(seen.offsets),
  );
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await page.context().close();
});

test("after a reload, the same file continues where it was; another file is refused", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const file = bigFile("again.csv", 30);
  await delayChunks(page, 500);
  await h.chooser(page).setInputFiles(file.path);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 8 * 1024 * 1024);
  const head = page.waitForResponse((response) => response.request().method() === "HEAD");
  await page.reload();
  await page.unroute("**/api/uploads/*");
  const waiting = page.locator("li.upload.needsFile");
  await waiting.waitFor();
  // The page shows what the server has, not what this browser has noted.
  const offset = Number((await head).headers()["upload-offset"]);
  assert.equal(await waiting.locator("progress").evaluate(({ value }) => value), offset);
  const seen = watch(page);
  await waiting.locator("input[type=file]").setInputFiles(bigFile("again.csv", 1).path);
  await waiting.getByText("This is another file").waitFor();
  await waiting.locator("input[type=file]").setInputFiles(file.path);
  assert.equal(await digest(page, "again.csv"), file.sha256);
  assert.equal(seen.creations(), 0);
  assert.ok(seen.offsets.length > 0 && seen.offsets.every((offset) => offset > 0), String(seen.offsets));
  await page.context().close();
});

test("an upload waits while the connection is down, and continues by itself", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const file = bigFile("offline.csv", 30);
  const seen = watch(page);
  await delayChunks(page, 300);
  await h.chooser(page).setInputFiles(file.path);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 8 * 1024 * 1024);
  await page.context().setOffline(true);
  await page.getByText("Trying again soon").waitFor();
  await page.context().setOffline(false);
  assert.equal(await digest(page, "offline.csv"), file.sha256);
  assert.equal(seen.creations(), 1);
  assert.equal(seen.offsets.filter((offset) => offset === 0).length, 1);
  await page.context().close();
});

test("a cancelled upload leaves nothing", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const file = bigFile("cancelled.csv", 30);
  await delayChunks(page, 500);
  await h.chooser(page).setInputFiles(file.path);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 8 * 1024 * 1024);
  const ended = page.waitForResponse((response) => response.request().method() === "DELETE");
  await page.getByRole("button", { name: /^Cancel the upload/ }).click();
  assert.equal((await ended).status(), 204);
  await page.waitForFunction(() => document.activeElement?.textContent === "Choose files");
  await page.getByRole("heading", { name: "Your first file" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Your first file" }).waitFor();
  await page.context().close();
});

test("files that are dropped anywhere are uploaded; folders and text are not", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["a,b\n1,2\n"], "dropped.csv", { type: "text/csv" }));
    const send = (type, dataTransfer) =>
      document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
    send("dragenter", data);
    send("dragover", data);
    send("drop", data);
    const text = new DataTransfer();
    text.setData("text/plain", "no file");
    send("drop", text);
  });
  await h.row(page, "dropped.csv").getByText("Read as comma-separated").waitFor();
  assert.equal(await page.locator(".drop-cover").count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("two tabs do not send the same file, and each user sees only own unfinished uploads", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const file = bigFile("tabs.csv", 30);
  await delayChunks(page, 1500);
  await h.chooser(page).setInputFiles(file.path);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 8 * 1024 * 1024);
  const second = await h.withFaults(await page.context().newPage());
  await second.goto(`${h.URL_}/`);
  await second.getByRole("heading", { name: "Your first file" }).waitFor();
  await h.chooser(second).setInputFiles(file.path);
  await second.getByText("Another tab uploads this file").waitFor();
  await second.close();

  await page.getByRole("button", { name: /^Pause the upload/ }).click();
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await h.signUp(page);
  await page.getByRole("heading", { name: "Your first file" }).waitFor();
  assert.equal(await page.locator("li.upload").count(), 0);
  await page.context().close();
});

test("after a crash of the server, the upload continues by itself", { skip: h.server === null }, async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const file = bigFile("crash.csv", 40);
  const seen = watch(page);
  await delayChunks(page, 300);
  await h.chooser(page).setInputFiles(file.path);
  await page.waitForFunction(() => document.querySelector("li.upload progress")?.value >= 16 * 1024 * 1024);
  await h.server.kill();
  await page.getByText("The server does not respond. This page").waitFor();
  await h.server.start();
  await page
    .getByText("The server does not respond. This page")
    .waitFor({ state: "detached", timeout: 90_000 });
  assert.equal(await digest(page, "crash.csv"), file.sha256);
  assert.equal(seen.creations(), 1);
  assert.equal(seen.offsets.filter((offset) => offset === 0).length, 1);
  await page.context().close();
});
