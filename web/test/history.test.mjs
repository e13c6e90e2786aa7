import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const LIST = "History of this file, newest first";

/** Opens the details of a file and its history. */
async function openHistory(page, id) {
  await page.goto(`${h.URL_}/?file=${id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Who did what with this file").click();
  const list = dialog.getByRole("list", { name: LIST });
  await list.waitFor();
  return { dialog, list };
}

test("the history of a file is read when it is opened, and says who did what", async () => {
  const page = await h.newPage();
  const send = await h.apiOf(await h.signUp(page));
  const { id } = await h.post(send, "people.csv");
  await send(`/api/files/${id}`, { tags: ["2026"] }, {}, "PATCH");
  await send(`/api/files/${id}/rows?offset=1&limit=1`);
  await h.eventually(async () => {
    const { entries } = await send(`/api/files/${id}/history`);
    return ["upload", "update", "view"].every((name) => entries.some(({ action }) => action === name));
  }, "the upload, the change and the look");

  let reads = 0;
  page.on("request", (request) => {
    if (request.url().includes("/history")) reads++;
  });
  await page.goto(`${h.URL_}/?file=${id}`);
  await page.getByRole("heading", { name: "History" }).waitFor();
  assert.equal(reads, 0);
  const { dialog, list } = await openHistory(page, id);
  assert.ok(reads > 0);
  const row = (text) => list.getByRole("listitem").filter({ hasText: text }).first();
  await row(/Uploaded by you, \d+ B/).waitFor();
  await row("Looked at by you").waitFor();
  // The browser of an own act: these requests come from Node.
  await row("Changed by you").getByText("node").waitFor();
  await dialog.getByText("is listed some seconds later").waitFor();
  const before = reads;
  await dialog.getByRole("button", { name: "Read again" }).click();
  await h.eventually(() => reads > before, "another request for the history");
  await list.waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

/** An entry of a history. */
const entry = (number, rest) => ({
  id: `019300000000700080000000000${String(number).padStart(5, "0")}`,
  timestamp: new Date(Date.now() - number * 60_000).toISOString(),
  action: "download",
  principal: null,
  success: true,
  bytesTransferred: null,
  errorCode: null,
  errorMessage: null,
  ipAddress: null,
  userAgent: null,
  ...rest,
});

/** Answers with entries of every kind, in two pages. */
async function mockHistory(page) {
  const first = [
    entry(1, { principal: "share:a", bytesTransferred: 3_200_000 }),
    entry(2, { principal: "share:a", success: false, errorCode: "rate_limited" }),
    entry(3, { action: "process", principal: "api_key:b", success: false, errorCode: "internal" }),
    entry(4, { action: "process", principal: "api_key:b", bytesTransferred: 900 }),
    entry(5, { action: "view", principal: "user:somebody-else" }),
    entry(10, { action: "view", principal: "user:somebody-else" }),
    entry(6, { action: "run_fsck", principal: "operator" }),
    entry(7, { action: "refuse", success: false, errorCode: "forbidden", errorMessage: "It is not yours." }),
    entry(8, { action: "an_action_of_a_newer_server", principal: "something:else" }),
    ...Array.from({ length: 12 }, (_, at) => entry(20 + at, { principal: "share:a" })),
  ];
  const second = [entry(40, { action: "upload", principal: "share:a", bytesTransferred: 5 })];
  await page.route("**/api/files/*/history*", async (route) => {
    const isFirst = !new URL(route.request().url()).searchParams.has("cursor");
    const entries = isFirst ? first : second;
    await route.fulfill({
      json: { success: true, entries, hasMore: isFirst, nextCursor: isFirst ? "next" : null },
    });
  });
}

test("the history has sentences for each kind of principal and failure, and pages", async () => {
  const page = await h.newPage();
  const send = await h.apiOf(await h.signUp(page));
  const { id } = await h.post(send, "people.csv");
  await mockHistory(page);
  const { dialog, list } = await openHistory(page, id);
  const sentences = [
    "Downloaded by a link, 3.2 MB",
    "Refused: Download by a link. Too many requests",
    "Failed: Cut by an API key. An error of the service",
    "Cut by an API key, 900 B",
    "Looked at by somebody with whom you share it",
    "Self-check run by an operator",
    "Refused: Request by an unknown sender. It is not yours.",
    "an_action_of_a_newer_server by the service",
  ];
  for (const sentence of sentences) await list.getByText(sentence, { exact: true }).waitFor();
  // Two looks of one person become one.
  await list.getByText("2 times", { exact: true }).waitFor();
  assert.equal(await list.getByRole("listitem").count(), 20);
  await dialog.getByRole("button", { name: "Show older entries" }).click();
  await list.getByText("Uploaded by a link, 5 B").waitFor();
  assert.equal(await list.getByRole("listitem").count(), 21);
  assert.equal(await dialog.getByRole("button", { name: "Show older entries" }).count(), 0);
  await page.context().close();
});

test("if the history cannot be read, the details say so, and it can be read again", async () => {
  const page = await h.newPage();
  const send = await h.apiOf(await h.signUp(page));
  const { id } = await h.post(send, "people.csv");
  let isBroken = true;
  await page.route("**/api/files/*/history*", (route) => (isBroken ? route.abort() : route.continue()));
  await page.goto(`${h.URL_}/?file=${id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Who did what with this file").click();
  await dialog.getByRole("alert").waitFor();
  isBroken = false;
  await dialog.getByRole("button", { name: "Try again" }).click();
  await dialog
    .getByRole("list", { name: LIST })
    .getByText(/^Uploaded by you/)
    .waitFor();
  await page.context().close();
});

test("axe-core finds nothing in the history, also on a phone", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  const send = await h.apiOf(await h.signUp(page));
  const { id } = await h.post(send, "people.csv");
  await mockHistory(page);
  await openHistory(page, id);
  await h.look(page, "history", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
