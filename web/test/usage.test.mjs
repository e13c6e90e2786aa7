import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const skip = !h.operatorToken && "needs the operators' token";
const MONTHS = "Usage and estimated cost by month";

async function openUsage(page) {
  await page.goto(`${h.URL_}/usage`);
  await page.getByRole("heading", { name: "Storage", exact: true }).waitFor();
}

test("the page of storage and cost is reached from the files, and shows what is stored and done", async () => {
  const page = await h.newPage();
  const send = await h.apiOf(await h.signUp(page));
  const text = `id,city\n${"1,Bern\n".repeat(200)}`;
  await h.post(send, "one.csv", text);
  const second = await h.post(send, "two.csv", text);
  await send(`/api/files/${second.id}`, undefined, {}, "DELETE");
  const usage = await h.eventually(async () => {
    const { usage } = await send("/api/usage");
    return usage.months?.[0]?.operations.upload?.count === 2 && usage;
  }, "the uploads in the month");

  await page.reload();
  await page.getByRole("link", { name: /^Storage and cost/ }).click();
  await page.waitForURL(`${h.URL_}/usage`);
  await page.getByRole("heading", { name: "Storage and cost" }).waitFor();
  const row = (name) => page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
  const cells = (name) => row(name).getByRole("cell").allInnerTexts();
  await row("Uploaded files").waitFor();
  assert.deepEqual(await cells("Uploaded files"), ["1.41 kB", "1"]);
  assert.deepEqual(await cells("Files in the trash"), ["1.41 kB", "1"]);
  assert.deepEqual(await cells("Saved cuts"), ["0 B", "0"]);
  await page
    .getByRole("img", { name: /^Uploaded files 1\.41 kB, Files in the trash 1\.41 kB; .* free$/ })
    .waitFor();
  await page.getByText(/^2\.82 kB of .*GB used$/).waitFor();
  await page.getByText("No permanently deleted file waits for its purge.").waitFor();
  await page.getByText("You have no monthly budget.").waitFor();

  const months = page.getByRole("table", { name: MONTHS });
  const month = new Intl.DateTimeFormat("en-GB", { year: "numeric", month: "long", timeZone: "UTC" });
  const name = month.format(new Date(`${usage.months[0].month}-01T00:00:00Z`));
  await months.getByRole("rowheader", { name }).waitFor();
  const cost = await months.getByRole("cell").last().innerText();
  assert.equal(cost === "US$0.00", usage.months[0].costUsd.total === 0, cost);
  await page.getByText(/an estimate from list prices/).waitFor();
  await page.getByText(`Operations in ${name}`).click();
  await page.getByRole("rowheader", { name: "Upload", exact: true }).waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("the menu of the account leads to storage and cost", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Storage and cost" }).click();
  await page.waitForURL(`${h.URL_}/usage`);
  await page.getByText(/GB used$/).waitFor();
  await page.context().close();
});

test("the page says what the budget is, and what happens when it is spent", { skip }, async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const { users } = await h.operate(`/api/admin/users?q=${name}`);
  await h.operate(`/api/admin/users/${users[0].id}`, "PATCH", {
    budgetUsd: 5,
    whenBudgetSpent: "refuseCuts",
  });
  await openUsage(page);
  await page.getByText(/^About .* of US\$5\.00 this month$/).waitFor();
  await page.getByText("When it is spent, cuts and counts of rows are refused").waitFor();
  await page.context().close();
});

const GB = 1e9;

/** A month with costs. */
const monthOf = (month, costUsd, rest = {}) => ({
  month,
  operations: { upload: { count: 1200, failed: 3 }, process: { count: 40, failed: 0 } },
  bytesIn: 4.2 * GB,
  bytesOut: 9.9 * GB,
  bytesScanned: 120.5 * GB,
  storageByteDays: 30 * GB,
  storagePeakBytes: 6 * GB,
  costUsd,
  ...rest,
});

const USAGE = {
  usedBytes: 8 * GB,
  reservedBytes: 1 * GB,
  spoolBytes: 0.5 * GB,
  quotaBytes: 10 * GB,
  purgeBytes: 3 * GB,
  purgeFiles: 2,
  purgeAllowanceBytes: 10 * GB,
  files: 1234,
  quotaFiles: 100_000,
  kinds: {
    uploads: { bytes: 5 * GB, files: 1000 },
    derived: { bytes: 2 * GB, files: 200 },
    imports: { bytes: 0.4 * GB, files: 4 },
    trash: { bytes: 0.6 * GB, files: 30 },
  },
  budgetUsd: 0.05,
  whenBudgetSpent: "refuseChanges",
  budgetSpent: true,
  estimate: true,
  pricesReadOn: "2026-11-15",
  pricesSource: "https://developers.cloudflare.com/r2/pricing/",
};

const mockUsage = (page, usage) =>
  page.route("**/api/usage", (route) => route.fulfill({ json: { success: true, usage } }));

test("all parts of the quota, the purge, a spent budget and small costs are shown", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  const now = new Date().toISOString().slice(0, 7);
  const months = [
    monthOf(now, { storage: 0.00004, operations: 1.23456, total: 1.2346 }),
    monthOf("2025-02", { storage: 0, operations: 0.0001, total: 0.0001 }),
  ];
  await mockUsage(page, { ...USAGE, months });
  await openUsage(page);
  await page.getByText("9.5 GB of 10 GB used").waitFor();
  await page.getByText("500 MB free", { exact: true }).waitFor();
  for (const [kind, size] of [
    ["Uploaded files", "5 GB"],
    ["Saved cuts", "2 GB"],
    ["Imported files", "400 MB"],
    ["Files in the trash", "600 MB"],
    ["Reserved for unfinished uploads", "1 GB"],
    ["Results of running cuts", "500 MB"],
  ]) {
    const row = page.getByRole("row").filter({ has: page.getByRole("rowheader", { name: kind }) });
    assert.equal(await row.getByRole("cell").first().innerText(), size, kind);
  }
  await page.getByText("1,234 of 100,000 files").waitFor();
  await page.getByText("2 files (3 GB) are deleted permanently and wait for the purge.").waitFor();
  await page.getByText("About US$1.2346 of US$0.05 this month").waitFor();
  await page.getByText("The budget of this month is spent.").waitFor();
  await page.getByText("Cuts, counts of rows and new uploads are refused until the next month.").waitFor();
  const rows = page.getByRole("table", { name: MONTHS }).locator("tbody tr");
  assert.deepEqual(await rows.first().getByRole("cell").allInnerTexts(), [
    "1,240 3 failed",
    "4.2 GB",
    "9.9 GB",
    "121 GB",
    "< US$0.0001",
    "US$1.2346",
    "US$1.2346",
  ]);
  assert.deepEqual((await rows.last().getByRole("cell").allInnerTexts()).slice(4), [
    "US$0.00",
    "US$0.0001",
    "US$0.0001",
  ]);
  assert.equal(await rows.last().getByRole("rowheader").innerText(), "February 2025");
  await page.getByText("list prices of 15 November 2026").waitFor();
  await page.getByText(/^Operations in/).click();
  await page.getByRole("combobox", { name: "Month" }).selectOption("2025-02");
  await page.getByText("Operations in February 2025").waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("axe-core finds nothing on the page of storage and cost, also on a phone", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  await h.signUp(page);
  const month = (at) => `2026-${String(12 - at).padStart(2, "0")}`;
  const months = Array.from({ length: 12 }, (_, at) =>
    monthOf(month(at), { storage: 0.1, operations: 12.5, total: 12.6 }),
  );
  await mockUsage(page, { ...USAGE, months });
  await openUsage(page);
  await page.getByText(/^Operations in/).click();
  await h.look(page, "usage", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
