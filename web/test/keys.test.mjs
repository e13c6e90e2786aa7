import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

/** Opens the settings at a section, from the menu of the account. */
async function openSettings(page, section) {
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: section, exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await dialog.getByRole("tab", { name: section, selected: true }).waitFor();
  return dialog;
}

const basic = (secret) => ({ authorization: `Basic ${Buffer.from(`me:${secret}`).toString("base64")}` });

test("a key is made, used, changed, rotated and revoked", async () => {
  const page = await h.newPage();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await h.signUp(page);
  const settings = await openSettings(page, "API keys");
  await settings.getByText("You have no keys.").waitFor();

  // Wrong values are explained at their fields.
  await settings.getByRole("button", { name: "New key" }).click();
  const making = page.getByRole("dialog", { name: "New API key" });
  assert.equal(await making.getByRole("checkbox", { name: /^Administer/ }).count(), 0);
  await making.getByLabel("Name").fill("nightly report");
  await making.getByRole("checkbox", { name: /^Read/ }).uncheck();
  await making.getByRole("button", { name: "Make the key" }).click();
  await making.getByText("Choose what the key may do.").waitFor();
  await making.getByRole("checkbox", { name: /^Read/ }).check();
  await making.getByRole("checkbox", { name: /^Cut/ }).check();
  await making.getByLabel("Expires", { exact: true }).selectOption("At another time");
  await making.getByLabel("Expires on").fill("2020-01-01T12:00");
  await making.getByRole("button", { name: "Make the key" }).click();
  await making.getByText("Choose a time in the future.").waitFor();
  await making.getByLabel("Expires", { exact: true }).selectOption("In one year");
  await making.getByLabel("Only files with the tag").fill("prod");
  await making.getByRole("button", { name: "Make the key" }).click();

  // The secret is shown once. Esc does not lose it.
  const shown = page.getByRole("dialog", { name: "The secret of \u2068nightly report\u2069" });
  const field = shown.getByLabel("Secret", { exact: true });
  const secret = await field.inputValue();
  assert.match(secret, /^cutty_\w{36}$/);
  await shown.getByText("It is shown only this once").waitFor();
  await page.keyboard.press("Escape");
  await shown.getByRole("button", { name: "Copy the secret" }).click();
  await shown.getByText("Copied").first().waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
  const command = await shown.getByLabel("Example for curl").innerText();
  assert.equal(command.trim(), `curl -u 'me:${secret}' ${h.URL_}/api/files`);
  await shown.getByLabel("Try it").selectOption("Cut a file: FILE is its id");
  assert.match(await shown.getByLabel("Example for curl").innerText(), /\/api\/files\/FILE\/cut/);
  await shown.getByRole("button", { name: "I have copied it" }).click();
  const row = settings.getByRole("listitem");
  for (const text of ["nightly report", "Read, Cut", "prod", "never used", /secret ends in/, /expires/])
    await row.getByText(text).first().waitFor();
  assert.ok(!(await page.content()).includes(secret));
  assert.equal((await fetch(`${h.URL_}/api/files`, { headers: basic(secret) })).status, 200);

  // A name belongs to one key.
  await settings.getByRole("button", { name: "New key" }).click();
  await making.getByLabel("Name").fill("nightly report");
  await making.getByRole("button", { name: "Make the key" }).click();
  await making.getByText("You have a key with this name.").waitFor();
  await page.keyboard.press("Escape");
  await making.waitFor({ state: "detached" });

  // Change
  const menu = (key) => settings.getByRole("button", { name: `Actions for \u2068${key}\u2069` });
  await menu("nightly report").click();
  await page.getByRole("menuitem", { name: "Change name and expiry" }).click();
  const changing = page.getByRole("dialog", { name: "Change \u2068nightly report\u2069" });
  await changing.getByLabel("Name").fill("weekly report");
  await changing.getByLabel("Expires", { exact: true }).selectOption("Never");
  await changing.getByRole("button", { name: "Save" }).click();
  await settings.getByText("\u2068weekly report\u2069 is changed.").waitFor();
  await row.getByText("does not expire").waitFor();

  // A new secret; the older one works a while longer, or no longer.
  const rotate = async (overlap) => {
    await menu("weekly report").click();
    await page.getByRole("menuitem", { name: "Get a new secret" }).click();
    const rotating = page.getByRole("dialog", { name: "A new secret for \u2068weekly report\u2069" });
    await rotating.getByLabel("The older secrets work").selectOption(overlap);
    await rotating.getByRole("button", { name: "Get a new secret" }).click();
    const shown = page.getByRole("dialog", { name: "The secret of \u2068weekly report\u2069" });
    const next = await shown.getByLabel("Secret", { exact: true }).inputValue();
    await shown.getByRole("button", { name: "I have copied it" }).click();
    return next;
  };
  const statusOf = async (secret) => (await fetch(`${h.URL_}/api/files`, { headers: basic(secret) })).status;
  const second = await rotate("For one hour more");
  await row.getByText("Older secrets work until").waitFor();
  assert.deepEqual([await statusOf(secret), await statusOf(second)], [200, 200]);
  const third = await rotate("No longer");
  await row.getByText("Older secrets work until").waitFor({ state: "detached" });
  assert.deepEqual([await statusOf(second), await statusOf(third)], [401, 200]);

  // Revoke
  await menu("weekly report").click();
  await page.getByRole("menuitem", { name: "Revoke" }).click();
  const question = page.getByRole("dialog", { name: "Revoke \u2068weekly report\u2069?" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
  await question.getByRole("button", { name: "Revoke the key" }).click();
  await settings.getByText("\u2068weekly report\u2069 is revoked.").waitFor();
  await settings.getByText("You have no keys.").waitFor();
  assert.equal(await statusOf(third), 401);
  assert.deepEqual(await h.violations(page), []);
  assert.ok(
    page.faults.every((fault) => /40[09]/.test(fault)),
    page.faults.join("\n"),
  );
  await page.context().close();
});

test("the settings by keyboard: arrows move between the sections, and the focus returns", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const { keyboard } = page;
  const account = page.getByRole("button", { name: `Account of \u2068${name}\u2069` });
  const focused = () => page.evaluate(() => document.activeElement.textContent);
  await account.focus();
  await keyboard.press("Enter");
  await page.getByRole("menu").waitFor();
  await keyboard.press("Enter");
  await page.getByRole("tab", { name: "Account", selected: true }).waitFor();
  assert.equal(await focused(), "Account");
  await keyboard.press("ArrowRight");
  await page.getByText("this session").waitFor();
  assert.equal(await focused(), "Password and sessions");
  await keyboard.press("End");
  await page.getByText("You have no keys.").waitFor();
  assert.equal(await focused(), "API keys");
  await keyboard.press("ArrowRight");
  assert.equal(await focused(), "Account");
  await keyboard.press("ArrowLeft");
  await page.getByText("You have no keys.").waitFor();
  await keyboard.press("Tab");
  assert.match(await focused(), /New key/);
  await keyboard.press("Enter");
  await page.getByRole("dialog", { name: "New API key" }).waitFor();
  await keyboard.type("by keyboard");
  await keyboard.press("Enter");
  const shown = page.getByRole("dialog", { name: "The secret of \u2068by keyboard\u2069" });
  await shown.waitFor();
  const last = shown.getByRole("button", { name: "I have copied it" });
  for (let presses = 0; presses < 8 && (await focused()) !== "I have copied it"; presses++)
    await keyboard.press("Tab");
  await last.press("Enter");
  await page.getByRole("listitem").getByText("by keyboard").waitFor();
  assert.match(await focused(), /New key/);
  await keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(
    await page.evaluate(() => document.activeElement.getAttribute("aria-label")),
    `Account of \u2068${name}\u2069`,
  );
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("axe-core finds nothing in the keys, also on a phone", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const send = await h.apiOf(await h.signUp(page));
  const long = "a-very-long-name-without-any-blank-that-does-not-fit-into-a-narrow-window-at-all";
  await send("/api/keys", {
    name: long,
    scopes: ["read", "write", "cut", "share"],
    tag: "a long tag of two words",
  });
  await send("/api/keys", {
    name: "short",
    scopes: ["read"],
    expiresAt: new Date(Date.now() + 3000).toISOString(),
  });
  const found = [];
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const settings = await openSettings(page, "API keys");
  await settings.getByText("Change the expiry to use this key again").waitFor();
  await h.look(page, "keys", found);
  await settings.getByRole("button", { name: "New key" }).click();
  const making = page.getByRole("dialog", { name: "New API key" });
  await making.getByLabel("Name").fill("short");
  await making.getByRole("button", { name: "Make the key" }).click();
  await making.getByText("You have a key with this name.").waitFor();
  await h.look(page, "new key", found);
  await making.getByLabel("Name").fill("other");
  await making.getByRole("button", { name: "Make the key" }).click();
  const shown = page.getByRole("dialog", { name: "The secret of \u2068other\u2069" });
  await shown.waitFor();
  await h.look(page, "secret", found);
  await shown.getByRole("button", { name: "I have copied it" }).click();
  await settings.getByRole("button", { name: "Actions for \u2068other\u2069" }).click();
  await page.getByRole("menuitem", { name: "Get a new secret" }).click();
  await h.look(page, "rotate", found);
  await page.keyboard.press("Escape");
  await settings.getByRole("button", { name: "Actions for \u2068other\u2069" }).click();
  await page.getByRole("menuitem", { name: "Revoke" }).click();
  await h.look(page, "revoke", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
