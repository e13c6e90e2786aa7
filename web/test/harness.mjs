// What the tests of the page share: one browser, pages that record their faults, and accounts.
//
//   CUTTY_URL   the address of a running server (default: each file of tests starts a server, which serves build/ and
//               web/dist)
//   CHROMIUM    the browser (default: chromium-headless-shell or chromium of the system)
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { Server } from "./server.mjs";

/** The server of this file of tests; null if CUTTY_URL names another one. */
export const server = process.env.CUTTY_URL ? null : await Server.create();
export const URL_ = server?.url ?? process.env.CUTTY_URL.replace(/\/$/, "");
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
