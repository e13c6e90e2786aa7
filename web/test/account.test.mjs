import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

const skip = !h.operatorToken && "needs the operators' token";

async function openAccount(page) {
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Account", exact: true }).click();
  const settings = page.getByRole("dialog", { name: "Settings" });
  await settings.getByRole("heading", { name: "Username and email" }).waitFor();
  return settings;
}

/** Waits for a link of a kind to an address, and returns it. The queue delivers messages after some seconds. */
async function linkTo(address, kind) {
  for (let tries = 0; tries < 120; tries++) {
    const headers = { authorization: `Bearer ${h.operatorToken}` };
    const { messages } = await (await fetch(`${h.URL_}/api/admin/mailbox?limit=100`, { headers })).json();
    for (const { to, text } of messages) {
      const found = new RegExp(`#${kind}=\\S+`).exec(text);
      if (to === address && found) return `${h.URL_}/${found[0]}`;
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  throw new Error(`no link to ${address}`);
}

const unavailable = {
  status: 503,
  contentType: "application/problem+json",
  body: JSON.stringify({
    type: "/problems/unavailable",
    title: "A part of the service is unavailable",
    status: 503,
    detail: "This service sends no email. Ask its operator for help with your account.",
    code: "unavailable",
  }),
};

async function signIn(page, name, password) {
  await page.getByLabel("Username or email").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
}

test("the username and the email are changed, also in another tab", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const tab = await h.withFaults(await page.context().newPage());
  await tab.goto(`${h.URL_}/`);
  await tab.getByRole("heading", { name: "Files", exact: true }).waitFor();
  const settings = await openAccount(page);
  await settings.getByText("Without an email").waitFor();
  const save = () => settings.getByRole("button", { name: "Save" }).click();
  const password = settings.getByLabel("Current password");
  await password.fill(h.PASSWORD);
  await save();
  await settings.getByText("Nothing has changed.").waitFor();
  await settings.getByLabel("Username", { exact: true }).fill("a b c");
  await save();
  await settings.getByText("Use the letters a to z").waitFor();
  const renamed = `${name}-new`;
  await settings.getByLabel("Username", { exact: true }).fill(renamed);
  await settings.getByLabel("Email", { exact: true }).fill(`${renamed}@example.com`);
  await password.fill("wrong password");
  await save();
  await settings.getByText("The current password is wrong.").waitFor();
  await password.fill(h.PASSWORD);
  await save();
  await settings.getByText("Your new address is not confirmed yet.").waitFor();
  await settings.getByText("Send a link to it, and open the link").waitFor();
  assert.equal(await password.inputValue(), "");
  for (const each of [page, tab])
    await each
      .getByRole("button", { name: `Account of \u2068${renamed}\u2069`, includeHidden: true })
      .waitFor();
  await settings.getByLabel("Email", { exact: true }).fill("");
  await password.fill(h.PASSWORD);
  await save();
  await settings.getByText("Without an email").waitFor();
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("an email is confirmed by its link, and says so in the settings", { skip }, async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const address = `${name}@example.com`;
  const settings = await openAccount(page);
  await settings.getByLabel("Email", { exact: true }).fill(address);
  await settings.getByLabel("Current password").fill(h.PASSWORD);
  await settings.getByRole("button", { name: "Save" }).click();
  await settings.getByText("Your new address is not confirmed yet.").waitFor();
  await settings.getByRole("button", { name: "Send a link" }).click();
  await settings.getByText("A link is on its way").waitFor();
  const link = await linkTo(address, "verify");
  assert.deepEqual(page.faults, []);

  const other = await h.newPage();
  await other.goto(link);
  await other.getByRole("heading", { name: "Confirm your email address" }).waitFor();
  // The token does not stay in the address.
  assert.equal(other.url(), `${h.URL_}/`);
  await other.getByRole("button", { name: "Confirm" }).click();
  await other.getByText("Your email address is confirmed").waitFor();
  assert.deepEqual(other.faults, []);
  await other.goto(`${h.URL_}/#verify=wrong`);
  await other.getByRole("button", { name: "Confirm" }).click();
  await other.getByRole("heading", { name: "This link does not work any more" }).waitFor();
  await other.context().close();

  await page.keyboard.press("Escape");
  await openAccount(page);
  await settings.getByText(`\u2068${address}\u2069 is confirmed.`).waitFor();
  await page.context().close();
});

test("a forgotten password is replaced by a link", { skip }, async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const address = `${name}@example.com`;
  const send = await h.apiOf(name);
  await send("/api/auth/user", { email: address, current_password: h.PASSWORD }, {}, "PATCH");
  const visitor = await h.newPage();
  await visitor.goto(`${h.URL_}/`);
  await visitor.getByRole("button", { name: "Forgot your password?" }).click();
  // An unknown address gets the same answer.
  await visitor.getByLabel("Email of your account").fill(`nobody-${address}`);
  await visitor.getByRole("button", { name: "Send a link" }).click();
  await visitor.getByText("If an account has the address").waitFor();
  await visitor.getByRole("button", { name: "Use another address" }).click();
  await visitor.getByLabel("Email of your account").fill(address);
  await visitor.keyboard.press("Enter");
  await visitor.getByText(`If an account has the address \u2068${address}\u2069`).waitFor();
  await visitor.getByRole("button", { name: "Sign in" }).click();
  await visitor.getByLabel("Username or email").waitFor();

  // The link is opened in a tab that already shows the page.
  const link = await linkTo(address, "reset");
  await visitor.evaluate((hash) => (location.hash = hash), new URL(link).hash);
  await visitor.getByRole("heading", { name: "Choose a new password" }).waitFor();
  assert.equal(visitor.url(), `${h.URL_}/`);
  assert.deepEqual(visitor.faults, []);
  await visitor.getByLabel("New password", { exact: true }).fill("password");
  await visitor.getByRole("button", { name: "Save the new password" }).click();
  await visitor.locator(".field-error").waitFor();
  await visitor.getByLabel("New password", { exact: true }).fill("battery horse correct");
  await visitor.getByRole("button", { name: "Save the new password" }).click();
  await visitor.getByRole("heading", { name: "Your new password is saved" }).waitFor();
  await visitor.getByRole("link", { name: "Sign in" }).click();
  await signIn(visitor, name, "battery horse correct");

  // The link works once. The other session has ended.
  await visitor.goto(link);
  await visitor.getByLabel("New password", { exact: true }).fill("horse battery correct");
  await visitor.keyboard.press("Enter");
  await visitor.getByRole("heading", { name: "This link does not work any more" }).waitFor();
  await visitor.getByRole("button", { name: "Ask for a new link" }).click();
  await visitor.getByLabel("Email of your account").waitFor();
  assert.deepEqual(await h.violations(visitor), []);
  await visitor.context().close();
  await page.getByLabel("Sort").selectOption("filename");
  await page.getByRole("dialog", { name: "Sign in again" }).waitFor();
  await page.context().close();
});

test("if the service sends no email, the page says so", async () => {
  const page = await h.newPage();
  await page.route("**/api/auth/password/reset", (route) => route.fulfill(unavailable));
  await page.route("**/api/auth/email/verification", (route) => route.fulfill(unavailable));
  await page.goto(`${h.URL_}/`);
  await page.getByRole("button", { name: "Forgot your password?" }).click();
  await page.getByLabel("Email of your account").fill("somebody@example.com");
  await page.getByRole("button", { name: "Send a link" }).click();
  await page.getByRole("heading", { name: "This service sends no email" }).waitFor();
  await page.getByRole("button", { name: "Sign in" }).click();
  const name = await h.signUp(page);
  const send = await h.apiOf(name);
  await send("/api/auth/user", { email: `${name}@example.com`, current_password: h.PASSWORD }, {}, "PATCH");
  const settings = await openAccount(page);
  await settings.getByRole("button", { name: "Send a link" }).click();
  await settings.getByText("This service sends no email.").waitFor();
  assert.equal(await settings.getByRole("button", { name: "Send a link" }).count(), 0);
  await page.context().close();
});

test("an account is deleted after its name and its password are typed", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const tab = await page.context().newPage();
  await tab.goto(`${h.URL_}/`);
  await tab.getByRole("heading", { name: "Files", exact: true }).waitFor();
  const settings = await openAccount(page);
  await settings.getByRole("button", { name: "Delete my account" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete your account?" });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel");
  const remove = () => dialog.getByRole("button", { name: "Delete my account" }).click();
  await dialog.getByLabel(/^Type/).fill("somebody");
  await dialog.getByLabel("Current password").fill(h.PASSWORD);
  await remove();
  await dialog.getByText("This is not your username.").waitFor();
  await dialog.getByLabel(/^Type/).fill(name);
  await dialog.getByLabel("Current password").fill("wrong password");
  await remove();
  await dialog.getByText("The current password is wrong.").waitFor();
  assert.deepEqual(await h.violations(page), []);
  await dialog.getByLabel("Current password").fill(h.PASSWORD);
  await remove();
  await page.getByRole("heading", { name: "Your account is deleted" }).waitFor();
  assert.equal(page.url(), `${h.URL_}/`);
  await tab.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByRole("link", { name: "Go to the start page" }).click();
  await page.getByLabel("Username or email").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(h.PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("Check the username or email").waitFor();
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("axe-core finds nothing in the account and in the pages behind links, also on a phone", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  await page.goto(`${h.URL_}/#reset=wrong`);
  await page.getByLabel("New password", { exact: true }).fill("battery horse correct");
  await h.look(page, "reset", found);
  await page.getByRole("button", { name: "Save the new password" }).click();
  await page.getByRole("heading", { name: "This link does not work any more" }).waitFor();
  await h.look(page, "dead link", found);
  await page.getByRole("button", { name: "Ask for a new link" }).click();
  await page.getByLabel("Email of your account").waitFor();
  await h.look(page, "forgot", found);
  await page.goto(`${h.URL_}/#verify=wrong`);
  await page.getByRole("button", { name: "Confirm" }).waitFor();
  await h.look(page, "verify", found);
  await page.goto(`${h.URL_}/#deleted`);
  await page.getByRole("heading", { name: "Your account is deleted" }).waitFor();
  await h.look(page, "deleted", found);
  const name = await h.signUp(page);
  const send = await h.apiOf(name);
  await send("/api/auth/user", { email: `${name}@example.com`, current_password: h.PASSWORD }, {}, "PATCH");
  const settings = await openAccount(page);
  await settings.getByText("is not confirmed").waitFor();
  await settings.getByLabel("Current password").fill("wrong password");
  await settings.getByLabel("Username", { exact: true }).fill(`${name}-2`);
  await settings.getByRole("button", { name: "Save" }).click();
  await settings.getByText("The current password is wrong.").waitFor();
  await h.look(page, "account", found);
  await settings.getByRole("button", { name: "Delete my account" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete your account?" });
  await dialog.getByLabel(/^Type/).fill("somebody");
  await dialog.getByLabel("Current password").fill(h.PASSWORD);
  await page.keyboard.press("Enter");
  await dialog.getByText("This is not your username.").waitFor();
  await h.look(page, "deletion", found);
  assert.deepEqual(found, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
