// The operators' views of /ops: overview, health with switches, and upkeep.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(() => h.close());

const skip = !h.operatorToken && "needs the operators' token";

const open = async (page, view, heading) => {
  await page.goto(`${h.URL_}/ops${view}`);
  await page.getByRole("heading", { name: heading, level: 1 }).waitFor();
};

test("the overview shows what happened, in tiles, charts and tables", { skip }, async () => {
  const { username, send } = await h.newUser();
  const file = await h.post(send, "people.csv");
  await send("/api/files/00000000-0000-7000-8000-000000000000").catch(() => {});
  const { user } = await send("/api/auth/user");
  await h.eventually(async () => {
    const { entries } = await h.operate(`/api/admin/audit?user=${user.id}&limit=100`);
    return ["upload", "download"].every((name) => entries.some(({ action }) => action === name));
  }, "the upload and the failed download in the audit log");
  await h.operate("/api/admin/sweeps", "POST");
  const { summary } = await h.operate(`/api/admin/metrics/summary?user=${user.id}`);
  assert.equal(summary.operationBreakdown.upload.operations, 1);
  assert.deepEqual(summary.errorBreakdown, { not_found: 1 });
  assert.ok(file.id);

  const { page } = await h.newAdmin();
  await open(page, "", "Overview");
  await page.getByText("Operations", { exact: true }).first().waitFor();
  const users = page.getByRole("table", { name: "Users with the most operations" });
  await users.waitFor();
  const charts = page.locator(".chart");
  assert.ok((await charts.count()) >= 5);
  assert.ok((await page.locator(".chart canvas").count()) >= 1, "a chart is drawn");
  // The same numbers are a table, for those who do not see the picture.
  await charts.first().getByText("Show the numbers").click();
  const numbers = page.getByRole("table", { name: "Operations", exact: true });
  await h.eventually(async () => (await numbers.getByRole("row").count()) > 100, "a row for each bucket");
  await page.getByLabel("Period").selectOption("7d");
  await page.waitForURL(`${h.URL_}/ops?period=7d`);
  await users.waitFor();
  await page.reload();
  assert.equal(await page.getByLabel("Period").inputValue(), "7d");
  await users.waitFor();
  await page.getByRole("link", { name: "Show failed operations in the audit log" }).click();
  await page.waitForURL(/success=false/);
  await page.getByRole("heading", { name: "Audit log", exact: true }).waitFor();
  assert.deepEqual(page.faults, []);
  assert.ok(username);
  await page.context().close();
});

test("an admin turns uploads off and on again, and the log says so", { skip }, async () => {
  const { send } = await h.newUser();
  const { page } = await h.newAdmin();
  await open(page, "?view=health", "Health");
  await page.getByText("Everything works").waitFor();
  const services = page.getByRole("table", { name: "Services and their state" });
  for (const name of ["Database (D1)", "Object store (R2)", "Resumable uploads", "Rate limits"]) {
    await services.getByRole("row").filter({ hasText: name }).filter({ hasText: "works" }).waitFor();
  }
  const uploads = page
    .getByRole("table", { name: "Positions of the switches" })
    .getByRole("row")
    .filter({ hasText: "Uploads" });
  await uploads.getByText("set by its variable").waitFor();
  await page.getByRole("button", { name: "Turn off: Uploads" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Turn off" }).click();
  await uploads.getByText(/set by an operator/).waitFor();
  try {
    await assert.rejects(h.post(send, "refused.csv"));
  } finally {
    await page.getByRole("button", { name: "Use the variable: Uploads" }).click();
    await dialog.getByRole("button", { name: "Use the variable" }).click();
  }
  await uploads.getByText("set by its variable").waitFor();
  await h.post(send, "accepted.csv");
  await page.getByRole("link", { name: "Who changed a switch is in the audit log" }).click();
  await page.waitForURL(/action=change_switches/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("an admin runs the sweeps and the self-check", { skip }, async () => {
  const { page } = await h.newAdmin();
  await open(page, "?view=upkeep", "Upkeep");
  await page.getByRole("button", { name: "Run all sweeps now" }).click();
  await page.getByText("The sweeps ran.").waitFor();
  const runs = page.getByRole("table", { name: "Runs of the sweeps" });
  await runs.getByText("roll_up_metrics").first().waitFor();
  await page.getByText("There is no open finding.").waitFor();
  await page.getByRole("button", { name: "Start the self-check" }).click();
  await page.getByText(/No violation in|found$/).waitFor({ timeout: 60_000 });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("axe-core finds nothing in the operators' views, in every mode and width", { skip }, async () => {
  const found = [];
  const { page } = await h.newAdmin({ reducedMotion: "reduce" });
  for (const [view, heading] of [
    ["", "Overview"],
    ["?view=health", "Health"],
    ["?view=upkeep", "Upkeep"],
  ]) {
    await open(page, view, heading);
    await page.locator("main section").first().waitFor();
    await h.eventually(
      async () => (await page.getByText("Loading", { exact: true }).count()) === 0,
      "the view",
    );
    await h.look(page, heading, found);
  }
  await page.context().close();
  assert.deepEqual(found, []);
});
