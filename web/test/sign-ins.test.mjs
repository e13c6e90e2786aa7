import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

after(h.close);

async function openSessions(page) {
  await page.getByRole("button", { name: /^Account of/ }).click();
  await page.getByRole("menuitem", { name: "Password and sessions" }).click();
  const settings = page.getByRole("dialog", { name: "Settings" });
  const list = settings.getByRole("list", { name: "Recent sign-ins and changes, newest first" });
  await list.waitFor();
  return { settings, list };
}

test("a user sees sign-ins, and attempts with a wrong password stand out", async () => {
  const page = await h.newPage();
  const name = await h.signUp(page);
  const attempt = await fetch(`${h.URL_}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: name, password: "wrong password" }),
  });
  assert.equal(attempt.status, 401);
  const send = await h.apiOf(name);
  await h.eventually(async () => {
    const { sign_ins: all } = await send("/api/auth/sign-ins");
    const logins = all.filter(({ action }) => action === "login");
    return all.some(({ action }) => action === "register") && logins.length > 1;
  }, "the registration, the attempt and the sign-in");
  const { settings, list } = await openSessions(page);
  const row = (text) => list.getByRole("listitem").filter({ hasText: text }).first();
  await row("Account created").getByText("Chrome").waitFor();
  await row("Signed in").getByText("node").waitFor();
  await row("Wrong password. Somebody tried to sign in with your name.").getByText("node").waitFor();
  await settings.getByText("If you do not know an entry").waitFor();
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await h.violations(page), []);
  await page.context().close();
});

test("axe-core finds nothing in the sign-ins, also on a phone; they have pages", async () => {
  const page = await h.newPage({ reducedMotion: "reduce" });
  const found = [];
  await h.signUp(page);
  const acts = ["login", "logout", "reuse_token", "change_password", "end_sessions"];
  const entry = (number) => ({
    id: `019300000000700080000000000${String(number).padStart(5, "0")}`,
    timestamp: new Date(Date.now() - number * 3_600_000).toISOString(),
    action: acts[number % acts.length],
    success: number % 4 !== 0,
    error_code: number % 4 === 0 ? "bad_credentials" : null,
    ip_address: "2001:db8:1234:5678:9abc:def0:1234:5678",
    user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36",
  });
  await page.route("**/api/auth/sign-ins*", async (route) => {
    const isFirst = !new URL(route.request().url()).searchParams.has("cursor");
    const sign_ins = Array.from({ length: isFirst ? 10 : 2 }, (_, at) => entry(isFirst ? at : 10 + at));
    const next_cursor = isFirst ? "next" : null;
    await route.fulfill({ json: { success: true, sign_ins, has_more: isFirst, next_cursor } });
  });
  const { settings, list } = await openSessions(page);
  // The entries 4 and 8.
  await list.getByText("Failed: End of sessions").waitFor();
  await list.getByText("Failed: Change of the password").waitFor();
  await h.look(page, "sign-ins", found);
  await settings.getByRole("button", { name: "Show older entries" }).click();
  await h.eventually(
    async () => (await list.getByRole("listitem").count()) === 12,
    "the second page of the sign-ins",
  );
  assert.deepEqual(found, []);
  await page.context().close();
});
