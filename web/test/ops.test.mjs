import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const skip = !h.operatorToken && "needs the operators' token";
const LIST = "Entries, newest first";

const rows = (page) => page.getByRole("list", { name: LIST }).getByRole("listitem");

async function openOps(page, query = "?view=audit") {
  await page.goto(`${h.URL_}/ops${query}`);
  await page.getByRole("heading", { name: "Audit log", exact: true }).waitFor();
}

/** An account with a file that was changed once. Waits until the database has the entries. */
async function newHistory() {
  const { username, send } = await h.newUser();
  const file = await h.post(send, "people.csv");
  await send(`/api/files/${file.id}`, { tags: ["2026"] }, {}, "PATCH");
  const { user } = await send("/api/auth/user");
  await h.eventually(async () => {
    const { entries } = await h.operate(`/api/admin/audit?user=${user.id}&limit=100`);
    return ["register", "login", "upload", "update"].every((name) =>
      entries.some(({ action }) => action === name),
    );
  }, "the registration, the sign-in, the upload and the change");
  return { username, user: user.id, file: file.id };
}

test("the page of the administration is for admins only", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Storage and cost" }).waitFor();
  assert.equal(await page.getByRole("menuitem", { name: "Administration" }).count(), 0);
  await page.goto(`${h.URL_}/ops`);
  await page.getByRole("heading", { name: "Only admins see this page" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Verify the log" }).count(), 0);
  assert.deepEqual(page.faults, []);
  await page.getByRole("link", { name: "Go to your files" }).click();
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  await page.context().close();
});

test("an admin filters the audit log, and the address holds the filter", { skip }, async () => {
  const { page } = await h.newAdmin();
  const { username, user, file } = await newHistory();
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Administration" }).click();
  await page.waitForURL(`${h.URL_}/ops`);
  await page.getByRole("link", { name: "Audit log" }).click();
  await page.waitForURL(`${h.URL_}/ops?view=audit`);
  await rows(page).first().waitFor();
  const show = () => page.getByRole("button", { name: "Show", exact: true }).click();

  await page.getByLabel("Account", { exact: true }).fill("no-such-user-at-all");
  await show();
  await page.getByText("No account has this name.").waitFor();
  await page.getByLabel("Account", { exact: true }).fill(username);
  await page.getByLabel("File", { exact: true }).fill("people.csv");
  await show();
  await page.getByText("This is not an id of a file.").waitFor();
  await page.getByLabel("File", { exact: true }).fill("");
  await page.getByLabel("Action").selectOption("update");
  await page.getByLabel("Result").selectOption("true");
  await show();
  await page.waitForURL(`${h.URL_}/ops?user=${user}&action=update&success=true`);
  await h.eventually(async () => (await rows(page).count()) === 1, "one entry");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Show");
  await rows(page).locator("summary").click();
  const facts = rows(page).locator("dl");
  await facts.getByText(`user:${user}`).waitFor();
  await facts.getByText(file, { exact: true }).waitFor();

  // The state survives a reload, and a link in an entry makes another view.
  await page.reload();
  await h.eventually(async () => (await rows(page).count()) === 1, "one entry after the reload");
  assert.equal(await page.getByLabel("Action").inputValue(), "update");
  assert.equal(await page.getByLabel("Account", { exact: true }).inputValue(), user);
  await rows(page).locator("summary").click();
  await page.getByRole("link", { name: "Only this file" }).click();
  await page.waitForURL(`${h.URL_}/ops?file=${file}`);
  await rows(page).filter({ hasText: "upload" }).first().waitFor();
  assert.equal(await page.getByLabel("File", { exact: true }).inputValue(), file);
  await page.goBack();
  await page.waitForURL(/action=update/);
  await h.eventually(async () => (await rows(page).count()) === 1, "one entry after going back");

  // A time in the past has no entry, and a wrong order is refused.
  await page.getByLabel("From").fill("2020-01-02T00:00:00");
  await page.getByLabel("Until").fill("2020-01-01T00:00:00");
  await show();
  await page.getByText("The end must be later than the start.").waitFor();
  await page.getByLabel("Until").fill("2020-01-03T00:00:00");
  await show();
  await page.getByRole("heading", { name: "No entry matches this filter." }).waitFor();
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await page.waitForURL(`${h.URL_}/ops?view=audit`);
  await rows(page).first().waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("a list can begin with one entry, and the next page follows", { skip }, async () => {
  const { page } = await h.newAdmin();
  await newHistory();
  const { entries } = await h.operate("/api/admin/audit?limit=3");
  const { id } = entries[2];
  await openOps(page, `?at=${id}`);
  await page.getByText(`The list begins with the entry ${id}.`).waitFor();
  await rows(page).first().locator("dd", { hasText: id }).first().waitFor();
  await page.getByRole("button", { name: "Begin with the newest entry" }).click();
  await page.waitForURL(`${h.URL_}/ops?view=audit`);
  await page.goto(`${h.URL_}/ops?at=00000000-0000-7000-8000-000000000000`);
  await page.getByText("The database has no entry 00000000-0000-7000-8000-000000000000").waitFor();
  await page.context().close();
});

test("the list of entries has pages, and the first new entry gets the focus", { skip }, async () => {
  const { page } = await h.newAdmin();
  await page.route("**/api/admin/audit?*", async (route) => {
    const isFirst = !new URL(route.request().url()).searchParams.has("cursor");
    const entries = Array.from({ length: isFirst ? 50 : 5 }, (_, at) => entryOf(isFirst ? at : 50 + at));
    await route.fulfill({
      json: { success: true, entries, hasMore: isFirst, nextCursor: isFirst ? "next" : null },
    });
  });
  await openOps(page);
  await rows(page).first().waitFor();
  assert.equal(await rows(page).count(), 50);
  await page.getByRole("button", { name: "Show older entries" }).click();
  await h.eventually(async () => (await rows(page).count()) === 55, "55 entries");
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  assert.match(await focused(), /user:51-/);
  await page.context().close();
});

const idOf = (number) => `01930000-0000-7000-8000-${String(number).padStart(12, "0")}`;

/** An entry with every fact. */
const entryOf = (number) => ({
  seq: number % 3 === 0 ? null : 1000 - number,
  id: idOf(number),
  timestamp: new Date(Date.now() - number * 60_000).toISOString(),
  action: ["download", "login", "refuse", "process"][number % 4],
  userId: `019300000000-${number}`,
  principal: number % 5 === 4 ? null : `user:${number + 1}-of-the-page`,
  fileId: idOf(number + 500),
  subject: "a-share",
  route: "GET /api/files/{id}",
  counts: number % 5 === 4 ? { unauthenticated: 3, rate_limited: 1 } : null,
  success: number % 4 !== 2,
  errorCode: number % 4 === 2 ? "forbidden" : null,
  errorMessage: number % 4 === 2 ? "The credentials do not allow this." : null,
  bytesTransferred: 3_200_000,
  durationMs: 120,
  ipAddress: "2001:db8:1234:5678:9abc:def0:1234:5678",
  userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36",
  requestId: "0193-request",
  hash: "0123456789abcdef".repeat(4),
});

test("the log is verified", { skip }, async () => {
  const { page } = await h.newAdmin();
  await newHistory();
  await h.operate("/api/admin/sweeps", "POST", {});
  await openOps(page);
  await page.getByRole("button", { name: "Verify the log" }).click();
  await page.getByText("The log is intact").waitFor();
  await page.getByText(/entries checked\. The last number in the chain is/).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("a broken log is found after some parts, and the page leads to the entry", { skip }, async () => {
  const { page } = await h.newAdmin();
  await newHistory();
  const { entries } = await h.operate("/api/admin/audit?limit=2");
  const { id } = entries[1];
  const cursors = [];
  const broken = { seq: 150_007, id, reason: "changed" };
  await page.route("**/api/admin/audit/verify", async (route) => {
    const { cursor = null } = route.request().postDataJSON();
    cursors.push(cursor);
    const part = { success: true, unsealed: 0, lastSeq: 100_000 * cursors.length };
    const json =
      cursors.length < 2
        ? { ...part, valid: true, checked: 100_000, firstBroken: null, complete: false, nextCursor: "two" }
        : { ...part, valid: false, checked: 50_006, firstBroken: broken, complete: true, nextCursor: null };
    await route.fulfill({ json });
  });
  await openOps(page);
  await page.getByRole("button", { name: "Verify the log" }).click();
  await page.getByText("The log is broken").waitFor();
  assert.deepEqual(cursors, [null, "two"]);
  await page.getByText("The first broken entry is not as the service wrote it.").waitFor();
  await page.getByText("Number in the chain: 150,007.").waitFor();
  await page.getByText("150,006 entries checked").waitFor();
  const found = [];
  await h.look(page, "broken log", found);
  assert.deepEqual(found, []);
  await page.getByRole("link", { name: "Show this entry" }).click();
  await page.waitForURL(`${h.URL_}/ops?at=${id}`);
  await page.getByText(`The list begins with the entry ${id}.`).waitFor();
  await page.context().close();
});

test("a verification can be stopped, and a failure can be tried again", { skip }, async () => {
  const { page } = await h.newAdmin();
  let parts = 0;
  let answer = null;
  await page.route("**/api/admin/audit/verify", async (route) => {
    if (++parts > 1) return (answer = () => route.abort());
    const json = { success: true, valid: true, checked: 100_000, unsealed: 0, lastSeq: 100_000 };
    await route.fulfill({ json: { ...json, firstBroken: null, complete: false, nextCursor: "two" } });
  });
  await openOps(page);
  await page.getByRole("button", { name: "Verify the log" }).click();
  await page.getByText("Verifying: 100,000 entries checked").waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByText("Stopped. 100,000 entries checked, without a fault so far.").waitFor();
  await h.eventually(() => answer, "the second part");
  await answer().catch(() => undefined);
  await page.getByRole("button", { name: "Verify the log" }).click();
  await h.eventually(() => parts > 2, "the part of the second run");
  await answer().catch(() => undefined);
  await page.getByRole("alert").waitFor();
  await page.context().close();
});

/** Clicks a button and returns the text of the file that the page stores. */
async function exported(page, button) {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: button, exact: true }).click(),
  ]);
  const text = readFileSync(await download.path(), "utf8");
  return { name: download.suggestedFilename(), text };
}

test("the entries of the filter are exported as CSV and as NDJSON", { skip }, async () => {
  const { page } = await h.newAdmin();
  const { user } = await newHistory();
  await openOps(page, `?user=${user}&action=update`);
  await page.getByText("All entries of the filter in the database").waitFor();
  const csv = await exported(page, "Export as CSV");
  assert.equal(csv.name, "audit.csv");
  const lines = csv.text.trim().split(/\r?\n/);
  assert.match(lines[0], /^seq,id,timestamp,action,userId,principal/);
  assert.equal(lines.length, 2);
  assert.ok(lines[1].includes(user));
  await page.getByText("audit.csv").waitFor();
  const ndjson = await exported(page, "Export as NDJSON");
  assert.equal(ndjson.name, "audit.ndjson");
  const [entry, ...rest] = ndjson.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([entry.action, entry.userId, rest.length], ["update", user, 0]);
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("an export can be stopped, and a failure is explained", { skip }, async () => {
  const { page } = await h.newAdmin();
  let held = null;
  await page.route("**/api/admin/audit?*format=csv*", (route) => void (held = route));
  await openOps(page);
  await page.getByRole("button", { name: "Export as CSV" }).click();
  await page.getByRole("button", { name: "Stop: Export as CSV" }).click();
  await page.getByText("The export was stopped. Nothing is stored.").waitFor();
  await h.eventually(() => held, "the request");
  await held.abort().catch(() => undefined);
  held = null;
  await page.getByRole("button", { name: "Export as CSV", exact: true }).click();
  await h.eventually(() => held, "the second request");
  await held.abort();
  await page.getByText("The export broke off").waitFor();
  await page.context().close();
});

test("the usage of all users is listed by month, and exported", { skip }, async () => {
  const { page } = await h.newAdmin();
  const { username, user } = await newHistory();
  await openOps(page);
  await page.getByRole("link", { name: "Usage", exact: true }).click();
  await page.getByRole("heading", { name: "Usage of all users" }).waitFor();
  const table = page.getByRole("table", { name: /^Usage in/ });
  const link = table.getByRole("link", { name: username });
  await link.waitFor();
  assert.equal(await link.getAttribute("href"), `/ops?user=${user}`);
  const csv = await exported(page, "Export as CSV");
  assert.match(csv.name, /^usage-\d{4}-\d\d\.csv$/);
  assert.match(csv.text, /^userId,username,month,/);
  assert.equal(csv.text.split("userId,username,month").length, 2);
  assert.ok(csv.text.includes(username));
  await page.getByLabel("Month").fill("2020-01");
  await page.waitForURL(`${h.URL_}/ops?view=usage&month=2020-01`);
  await page.getByText("Nobody used the service in this month.").waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("the export of the usage joins the pages of the server", { skip }, async () => {
  const { page } = await h.newAdmin();
  await page.route("**/api/admin/usage?*format=csv*", async (route) => {
    const isFirst = !new URL(route.request().url()).searchParams.has("cursor");
    const next = '</api/admin/usage?month=2026-11&format=csv&limit=1000&cursor=two>; rel="next"';
    await route.fulfill({
      contentType: "text/csv",
      headers: isFirst ? { Link: next } : {},
      body: `userId,month\r\n${isFirst ? "one" : "two"},2026-11\r\n`,
    });
  });
  await page.goto(`${h.URL_}/ops?view=usage&month=2026-11`);
  const csv = await exported(page, "Export as CSV");
  assert.equal(csv.text, "userId,month\r\none,2026-11\r\ntwo,2026-11\r\n");
  await page.context().close();
});

test("axe-core finds nothing in the administration, also on a phone", { skip }, async () => {
  const { page } = await h.newAdmin({ reducedMotion: "reduce" });
  const found = [];
  await page.route("**/api/admin/audit?*", async (route) => {
    const entries = Array.from({ length: 8 }, (_, at) => entryOf(at));
    await route.fulfill({ json: { success: true, entries, hasMore: true, nextCursor: "next" } });
  });
  const userMonth = (number) => ({
    userId: `user-${number}`,
    username: number === 2 ? null : `somebody-with-a-rather-long-name-${number}`,
    month: "2026-11",
    operations: { upload: { count: 12_000, failed: number } },
    bytesIn: 4.2e9,
    bytesOut: 9.9e9,
    bytesScanned: 120e9,
    storageByteDays: 1,
    storagePeakBytes: 6e9,
    costUsd: { storage: 0.1, operations: 1, total: 1.1 },
  });
  await page.route("**/api/admin/usage?*", (route) =>
    route.fulfill({
      json: {
        success: true,
        usage: [0, 1, 2].map(userMonth),
        estimate: true,
        pricesReadOn: "2026-11-15",
        pricesSource: "",
        hasMore: true,
        nextCursor: "next",
      },
    }),
  );
  await openOps(page, `?at=${idOf(0)}`);
  await rows(page).nth(2).locator("summary").click();
  await rows(page).nth(4).locator("summary").click();
  await page.getByLabel("File", { exact: true }).fill("x");
  await page.getByRole("button", { name: "Show", exact: true }).click();
  await page.getByText("This is not an id of a file.").waitFor();
  await h.look(page, "audit log", found);
  await page.goto(`${h.URL_}/ops?view=usage&month=2026-11`);
  await page.getByRole("table", { name: /^Usage in/ }).waitFor();
  await h.look(page, "usage of users", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("the page of somebody who is no admin has no violation", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  await h.signUp(page);
  await page.goto(`${h.URL_}/ops`);
  await page.getByRole("heading", { name: "Only admins see this page" }).waitFor();
  await h.look(page, "no admin", found);
  assert.deepEqual(found, []);
  await page.context().close();
});
