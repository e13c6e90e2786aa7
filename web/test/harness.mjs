// What the tests of the page share: one browser, pages that record their faults, and accounts.
//
//   CUTTY_URL   the address of a running server (default: each file of tests starts a server, which serves build/ and
//               web/dist)
//   OPERATOR_TOKEN   the token of operators of that server; without it, the tests that need it are skipped
//   CHROMIUM    the browser (default: chromium-headless-shell or chromium of the system)
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { Server } from "./server.mjs";

/** The server of this file of tests; null if CUTTY_URL names another one. */
export const server = process.env.CUTTY_URL ? null : await Server.create();
export const URL_ = server?.url ?? process.env.CUTTY_URL.replace(/\/$/, "");
/** The token of operators; undefined if it is not known. */
export const operatorToken = server?.operatorToken ?? process.env.OPERATOR_TOKEN;
export const PASSWORD = "correct horse battery";

const paths = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/google-chrome"];
const executablePath = process.env.CHROMIUM ?? paths.find((path) => existsSync(path));
if (!executablePath)
  throw new Error("Chromium is missing. Install it: apt-get install chromium-headless-shell");

let browser;
export const launch = async () => (browser ??= await chromium.launch({ executablePath }));
export const close = async () => {
  await browser?.close();
  await server?.remove();
};

/** Opens a page in a new context. `faults` collects console errors, failed requests, and violations of the CSP. */
export async function newPage(options = {}) {
  const context = await (
    await launch()
  ).newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(15_000);
  return withFaults(await context.newPage());
}

export async function withFaults(page) {
  page.faults = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      page.faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => page.faults.push(`error: ${error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400)
      page.faults.push(`${response.status()} ${response.request().method()} ${response.url()}`);
  });
  // From now on, the browser reports file choosers. Without a listener, it begins to report them only while a test waits.
  page.on("filechooser", () => undefined);
  page.on("dialog", (dialog) => dialog.accept().catch(() => undefined));
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) =>
      globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`),
    );
  });
  return page;
}

export const violations = (page) => page.evaluate(() => globalThis.violations);

let number = 0;
export const newName = () => `page-${process.pid}-${Date.now().toString(36)}-${++number}`;

/** Creates an account in the page and waits for the files. */
export async function signUp(page, name = newName()) {
  await page.goto(`${URL_}/`);
  await page.getByRole("button", { name: "New here? Create an account" }).click();
  await page.getByLabel("Username").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Create an account", exact: true }).click();
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  return name;
}

export const csv = (name, text = "id,city\n1,Bern\n2,Basel\n") => ({
  name,
  mimeType: "text/csv",
  buffer: Buffer.isBuffer(text) ? text : Buffer.from(text),
});

export const chooser = (page) => page.locator("main > .top input[type=file]");

/** Uploads files and waits until each is in the list with its number of rows. */
export async function upload(page, ...files) {
  await chooser(page).setInputFiles(files);
  for (const { name } of files) await row(page, name).locator(".shape", { hasText: /\d/ }).waitFor();
}

export const row = (page, name) =>
  page.locator("li.file").filter({ has: page.getByRole("link", { name, exact: true }) });

/** Opens the details of a file by its menu. */
export async function openDetails(page, name) {
  await row(page, name)
    .getByRole("button", { name: /^Actions/ })
    .click();
  await page.getByRole("menuitem", { name: "Details" }).click();
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Returns the violations of WCAG 2.2 AA that axe-core finds. */
export async function axe(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() =>
    globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }),
  );
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`,
  );
}

const modes = [
  { colorScheme: "light", forcedColors: "none" },
  { colorScheme: "dark", forcedColors: "none" },
  { colorScheme: "light", forcedColors: "active" },
];

/** Checks a view in each mode and width, and collects what is wrong. */
export async function look(page, view, found) {
  for (const mode of modes) {
    await page.emulateMedia(mode);
    for (const width of [320, 360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      // The page learns of its new width in the next frame, and draws in the frame after it.
      await page.evaluate(
        () =>
          new Promise((done) =>
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))),
          ),
      );
      const where = `${view} ${mode.colorScheme} ${mode.forcedColors} ${width}`;
      for (const violation of await axe(page)) found.push(`${where}: ${violation}`);
      const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      if (isWide) found.push(`${where}: wider than the window`);
    }
  }
}

/** Returns a function that calls the API as this user, with tokens of its own. */
export async function apiOf(username) {
  const send = async (path, options = {}) => {
    const response = await fetch(URL_ + path, options);
    if (!response.ok) throw new Error(`${response.status} ${path}: ${await response.text()}`);
    return response.json();
  };
  const json = (body) => ({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { tokens } = await send("/api/auth/login", json({ username, password: PASSWORD }));
  return (path, body, headers = {}, method = undefined) => {
    const options =
      body === undefined ? {} : typeof body === "string" ? { method: "POST", body } : json(body);
    return send(path, {
      ...options,
      ...(method && { method }),
      headers: { ...options.headers, ...headers, authorization: `Bearer ${tokens.access_token}` },
    });
  };
}

/** Calls the API as an operator. */
export async function operate(path, method = "GET", body = undefined) {
  const headers = { authorization: `Bearer ${operatorToken}`, "content-type": "application/json" };
  const response = await fetch(URL_ + path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${response.status} ${path}: ${await response.text()}`);
  return response.json();
}

/** Opens a page of a new admin, who has the id `id`. */
export async function newAdmin(options = {}) {
  const page = await newPage(options);
  const name = await signUp(page);
  const { users } = await operate(`/api/admin/users?q=${name}`);
  await operate(`/api/admin/users/${users[0].id}`, "PATCH", { role: "admin" });
  await page.reload();
  await page.getByRole("heading", { name: "Files", exact: true }).waitFor();
  return { page, name, id: users[0].id };
}

/** Creates an account without a page. Returns a function that calls the API as this user, and the name. */
export async function newUser() {
  const username = newName();
  const body = JSON.stringify({ username, password: PASSWORD, password2: PASSWORD });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${URL_}/api/auth/register`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return { username, send: await apiOf(username) };
}

/** Uploads a small file by the API. Returns the file. */
export async function post(send, name, text = "id,city\n1,Bern\n2,Basel\n") {
  const headers = { "content-type": "text/csv", "x-file-name": name };
  return (await send("/api/files", text, headers)).file;
}

/** Calls `read` until its result is not null. The queue delivers entries of the audit log some seconds later. */
export async function eventually(read, what) {
  for (let tries = 0; tries < 60; tries++) {
    const found = await read();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`not there after 15 seconds: ${what}`);
}
