import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

/** The response to a request whose access token has expired. */
const expired = {
  status: 401,
  contentType: "application/problem+json",
  body: JSON.stringify({
    type: "/problems/token_expired",
    title: "Expired",
    status: 401,
    detail: "Expired.",
    code: "token_expired",
  }),
};

test("a reload keeps the session, and two tabs share sign-in and sign-out", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  await page.reload();
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  const second = await h.withFaults(await page.context().newPage());
  await second.goto(`${h.URL_}/`);
  await second.getByRole("heading", { name: "Files", exact: true }).waitFor();
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await second.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual([...page.faults, ...second.faults], []);
  await page.context().close();
});

test("the page renews an expired token without asking", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await h.upload(page, h.csv("kept.csv"));
  // The server refuses the token once.
  let refused = 0;
  await page.route("**/api/files?*", async (route) => {
    if (refused++ > 0) return route.continue();
    await route.fulfill(expired);
  });
  const listed = page.waitForResponse(
    (response) => response.url().includes("sort=filename") && response.ok(),
  );
  await page.getByLabel("Sort").selectOption("filename");
  await listed;
  await h.row(page, "kept.csv").waitFor();
  assert.equal(refused, 2);
  assert.equal(await page.getByRole("dialog").count(), 0);
  await page.context().close();
});

test("if the session ends in mid-work, the page asks to sign in again and continues", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await h.upload(page, h.csv("work.csv"));
  await h
    .row(page, "work.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByLabel("Name", { exact: true }).fill("work-2.csv");
  await page.context().clearCookies();
  let isRefused = true;
  await page.route("**/api/files/*", async (route) => {
    if (!isRefused || route.request().method() !== "PATCH") return route.continue();
    isRefused = false;
    await route.fulfill(expired);
  });
  await page.getByRole("button", { name: "Save" }).click();
  const again = page.getByRole("dialog", { name: "Sign in again" });
  await again.getByLabel("Password", { exact: true }).fill(h.PASSWORD);
  await again.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("Saved.").waitFor();
  await page.keyboard.press("Escape");
  await h.row(page, "work-2.csv").waitFor();
  await page.context().close();
});

test("if another user has signed in unnoticed, no request of this user is sent for them", async () => {
  const page = await h.newPage();
  const other = await h.signUp(page);
  const tab = await h.newPage();
  await h.signUp(tab);
  // The cookie changes, and no tab tells this page.
  await tab.evaluate(
    ([username, password]) =>
      fetch("/api/auth/login", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username, password, session: "cookie" }),
      }),
    [other, h.PASSWORD],
  );
  let lists = 0;
  await tab.route("**/api/files?*sort=filename*", async (route) => {
    if (lists++ > 0) return route.continue();
    await route.fulfill(expired);
  });
  const reloaded = tab.waitForEvent("load");
  await tab.getByLabel("Sort").selectOption("filename");
  await reloaded;
  await tab.getByRole("button", { name: `Account of \u2068${other}\u2069` }).waitFor();
  await tab.context().close();
  await page.context().close();
});

test("the page can sign out if the cookie is missing", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  await page.context().clearCookies();
  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("errors show the title and the detail of the problem", async () => {
  const page = await h.newPage();
  await page.goto(`${h.URL_}/`);
  await page.getByLabel("Username or email").fill("nobody-here");
  await page.getByLabel("Password", { exact: true }).fill("wrong password");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  const alert = page.getByRole("alert");
  await alert.waitFor();
  const [title, detail, request] = (await alert.innerText()).split(/\n+/);
  assert.ok(title && detail, `${title} ${detail}`);
  // The user is at fault here: the operator has nothing to look up.
  assert.equal(request, undefined);
  await h.signUp(page);
  await h.chooser(page).setInputFiles([{ ...h.csv("notes.pdf", "%PDF-1.4\n"), mimeType: "application/pdf" }]);
  await page.locator("li.upload.failed").getByRole("alert").waitFor();
  await page.context().close();
});

test("offline: a banner, and the list comes back with the connection", async () => {
  const page = await h.newPage();
  await h.signUp(page);
  await h.upload(page, h.csv("here.csv"));
  await page.context().setOffline(true);
  await page.getByText("You are offline. You can keep").waitFor();
  await page.getByLabel("Search by name").fill("here");
  await page.getByRole("alert").waitFor();
  await page.context().setOffline(false);
  await page.getByText("You are offline. You can keep").waitFor({ state: "detached" });
  await page.getByRole("alert").waitFor({ state: "detached" });
  await h.row(page, "here.csv").waitFor();
  await page.context().close();
});

test("the account: other sessions are ended, the password is changed, and all sessions end", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  await h.upload(page, h.csv("mine.csv"));
  const other = await h.newPage();
  await other.goto(`${h.URL_}/`);
  const signIn = async (password) => {
    await other.getByLabel("Username or email").fill(name);
    await other.getByLabel("Password", { exact: true }).fill(password);
    await other.getByRole("button", { name: "Sign in", exact: true }).click();
    await h.row(other, "mine.csv").waitFor();
  };
  await signIn(h.PASSWORD);

  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Password and sessions" }).click();
  const dialog = page.getByRole("dialog", { name: "Settings" });
  await dialog.getByText("this session").waitFor();
  const sessions = dialog.getByRole("list", { name: "Where you are signed in" });
  assert.equal(await sessions.getByRole("listitem").count(), 2);
  await dialog.getByRole("button", { name: /^Sign out: / }).click();
  await dialog.getByRole("button", { name: /^Sign out: / }).waitFor({ state: "detached" });
  await other.getByLabel("Sort").selectOption("filename");
  await other.getByRole("dialog", { name: "Sign in again" }).waitFor();
  await other.context().close();

  const change = async (current, chosen) => {
    await dialog.getByLabel("Current password").fill(current);
    await dialog.getByLabel("New password").fill(chosen);
    await dialog.getByRole("button", { name: "Change the password" }).click();
  };
  await change("wrong password", "battery horse correct");
  await dialog.getByText("The current password is wrong.").waitFor();
  await change(h.PASSWORD, "password");
  await dialog.locator(".field-error").waitFor();
  // The token may expire just then. Renewing it needs the lock that the change has taken.
  let refused = 0;
  await page.route("**/api/auth/password", (route) =>
    refused++ === 0 ? route.fulfill(expired) : route.continue(),
  );
  await change(h.PASSWORD, "battery horse correct");
  await dialog.getByText("The password is changed.").waitFor();
  assert.equal(refused, 2);
  page.faults.length = 0;
  await page.keyboard.press("Escape");
  await page.getByLabel("Sort").selectOption("filename");
  await page.reload();
  await h.row(page, "mine.csv").waitFor();

  await page.getByRole("button", { name: `Account of \u2068${name}\u2069` }).click();
  await page.getByRole("menuitem", { name: "Password and sessions" }).click();
  await dialog.getByText("this session").waitFor();
  // No request is under way when the sessions end.
  await dialog
    .getByText(/^(Nothing is listed yet|Account created|Signed in)/)
    .first()
    .waitFor();
  await dialog.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});
