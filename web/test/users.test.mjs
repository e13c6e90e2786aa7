import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const skip = !h.operatorToken && "needs the operators' token";

const find = async (name) => (await h.operate(`/api/admin/users?q=${name}`)).users[0];

async function register(username) {
  const response = await fetch(`${h.URL_}/api/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password: h.PASSWORD, password2: h.PASSWORD }),
  });
  assert.equal(response.status, 201);
}

async function openUsers(page) {
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Users", exact: true }).click();
  const settings = page.getByRole("dialog", { name: "Settings" });
  await settings.getByRole("list", { name: "Users" }).waitFor();
  return settings;
}

test("only an admin has the section of users", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "API keys" }).waitFor();
  assert.equal(await page.getByRole("menuitem", { name: "Users" }).count(), 0);
  await page.getByRole("menuitem", { name: "API keys" }).click();
  await page.getByRole("tab", { name: "API keys", selected: true }).waitFor();
  assert.equal(await page.getByRole("tab", { name: "Users" }).count(), 0);
  await page.context().close();
});

test(
  "an admin finds users, and changes the quota, the role and the state of an account",
  { skip },
  async () => {
    const { page, name } = await h.newAdmin();
    const other = h.newName();
    await register(other);
    const settings = await openUsers(page);
    const rows = settings.getByRole("listitem");
    await settings.getByLabel("Search by username or email").fill("no-such-user-at-all");
    await settings.getByText("No username and no email contains this text.").waitFor();
    await settings.getByLabel("Search by username or email").fill(other);
    await rows.getByText(other, { exact: true }).waitFor();
    assert.equal(await rows.count(), 1);

    const act = async (user, action) => {
      await settings.getByRole("button", { name: `Actions for \u2068${user}\u2069` }).click();
      await page.getByRole("menuitem", { name: action, exact: true }).click();
    };
    const dialog = (name) => page.getByRole("dialog", { name });

    // Quota
    await act(other, "Change the limits");
    const quota = dialog(`Limits of \u2068${other}\u2069`);
    await quota.getByLabel("Quota in GB").fill("-1");
    await quota.getByRole("button", { name: "Save" }).click();
    await quota.getByText("Use a number from 0").waitFor();
    await quota.getByLabel("Quota in GB").fill("2.5");
    await quota.getByRole("button", { name: "Save" }).click();
    await rows.getByText("0 B of 2.5 GB").waitFor();
    assert.equal((await find(other)).quotaBytes, 2_500_000_000);
    await act(other, "Change the limits");
    assert.equal(await quota.getByLabel("Quota in GB").inputValue(), "2.5");
    await quota.getByLabel("Quota in GB").fill("");
    await page.keyboard.press("Enter");
    await rows.getByText("default quota").waitFor();
    assert.equal((await find(other)).quotaBytes, null);

    // The other limits
    await act(other, "Change the limits");
    await quota.getByLabel("Number of files").fill("1.5");
    await quota.getByRole("button", { name: "Save" }).click();
    await quota.getByText("Use a whole number, or leave it empty.").waitFor();
    await quota.getByLabel("Number of files").fill("3");
    await quota.getByLabel("Allowance for deleted files in GB").fill("0.5");
    await quota.getByLabel("Budget of a month in US$").fill("1.25");
    await quota.getByLabel("When the budget is spent").selectOption("refuseCuts");
    await quota.getByRole("button", { name: "Save" }).click();
    await quota.waitFor({ state: "detached" });
    const limited = await find(other);
    assert.deepEqual(
      [limited.quotaBytes, limited.quotaFiles, limited.purgeAllowanceBytes],
      [null, 3, 500_000_000],
    );
    assert.deepEqual([limited.budgetUsd, limited.whenBudgetSpent], [1.25, "refuseCuts"]);

    // Role
    await act(other, "Make an admin");
    await dialog(`Make \u2068${other}\u2069 an admin?`)
      .getByRole("button", { name: "Make an admin" })
      .click();
    await rows.getByText("admin", { exact: true }).waitFor();
    assert.equal((await find(other)).role, "admin");
    await act(other, "Take the role of an admin away");
    await page
      .getByRole("dialog")
      .last()
      .getByRole("button", { name: "Take the role of an admin away" })
      .click();
    await rows.getByText("admin", { exact: true }).waitFor({ state: "detached" });

    // Disable and enable
    await act(other, "Disable");
    const question = dialog(`Disable \u2068${other}\u2069?`);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
    await page.keyboard.press("Escape");
    await question.waitFor({ state: "detached" });
    assert.equal((await find(other)).disabledAt, null);
    await act(other, "Disable");
    await question.getByRole("button", { name: "Disable" }).click();
    await rows.getByText(/^disabled/).waitFor();
    await act(other, "Enable again");
    await page.getByRole("dialog").last().getByRole("button", { name: "Enable again" }).click();
    await rows.getByText(/^disabled/).waitFor({ state: "detached" });
    assert.deepEqual(page.faults, []);

    // The own account is protected.
    await settings.getByLabel("Search by username or email").fill(name);
    await rows.getByText("you", { exact: true }).waitFor();
    await act(name, "Disable");
    const own = dialog(`Disable \u2068${name}\u2069?`);
    await own.getByRole("button", { name: "Disable" }).click();
    await own.getByText("You cannot disable your own account").waitFor();
    await page.keyboard.press("Escape");
    await act(name, "Take the role of an admin away");
    await page
      .getByRole("dialog")
      .last()
      .getByRole("button", { name: "Take the role of an admin away" })
      .click();
    await page.getByText("or give up your own role").waitFor();
    assert.deepEqual(await h.violations(page), []);
    await page.context().close();
  },
);

test("the list of users has pages, and the first new user gets the focus", { skip }, async () => {
  const { page } = await h.newAdmin();
  const account = (number) => ({
    id: `${number}`,
    username: `user-${String(number).padStart(3, "0")}`,
    email: null,
    role: "user",
    createdAt: "2026-01-01T00:00:00Z",
    disabledAt: null,
    quotaBytes: null,
    usedBytes: 1000,
    files: number,
  });
  await page.route("**/api/admin/users*", async (route) => {
    const isFirst = !new URL(route.request().url()).searchParams.has("cursor");
    const users = Array.from({ length: isFirst ? 50 : 5 }, (_, at) => account(isFirst ? at : 50 + at));
    await route.fulfill({
      json: { success: true, users, hasMore: isFirst, nextCursor: isFirst ? "next" : null },
    });
  });
  const settings = await openUsers(page);
  await settings.getByText("user-049").waitFor();
  await settings.getByRole("button", { name: "Show more users" }).click();
  await settings.getByText("user-054").waitFor();
  assert.equal(await settings.getByRole("listitem").count(), 55);
  assert.equal(await settings.getByRole("button", { name: "Show more users" }).count(), 0);
  assert.equal(
    await page.evaluate(() => document.activeElement.getAttribute("aria-label")),
    "Actions for \u2068user-050\u2069",
  );
  await page.context().close();
});

test("axe-core finds nothing in the users, also on a phone", { skip }, async () => {
  const { page, name } = await h.newAdmin({ reducedMotion: "reduce" });
  const other = h.newName();
  await register(other);
  await h.operate(`/api/admin/users/${(await find(other)).id}`, "PATCH", { disabled: true, quotaBytes: 5e9 });
  const found = [];
  const settings = await openUsers(page);
  await settings.getByText(other, { exact: true }).waitFor();
  await h.look(page, "users", found);
  await settings.getByRole("button", { name: `Actions for \u2068${name}\u2069` }).click();
  await h.look(page, "menu of a user", found);
  await page.getByRole("menuitem", { name: "Change the limits" }).click();
  await page.getByLabel("Quota in GB").fill("-1");
  await page.keyboard.press("Enter");
  await page.getByText("Use a number from 0").waitFor();
  await h.look(page, "quota", found);
  await page.keyboard.press("Escape");
  await settings.getByRole("button", { name: `Actions for \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Disable" }).click();
  await page.getByRole("dialog").last().getByRole("button", { name: "Disable" }).click();
  await page.getByText("You cannot disable your own account").waitFor();
  await h.look(page, "disable", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
