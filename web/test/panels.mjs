// Serves the page of panels.tsx to a browser under test, with the headers of the real pages. Also has doubles of the lists of
// receipts.
import { build } from "esbuild";
import { readFileSync } from "node:fs";
import { URL_ } from "./harness.mjs";

const policy = /Content-Security-Policy: (.*)/.exec(readFileSync("web/_headers", "utf8"))[1];

async function bundle() {
  const { outputFiles } = await build({
    entryPoints: ["web/test/panels.tsx"],
    bundle: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "utf8",
    write: false,
  });
  return outputFiles[0].text;
}

const HTML = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Panels</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/panels/style.css"><link rel="stylesheet" href="/panels/export.css">
<script type="module" src="/panels/panels.js"></script></head><body><div id="app"></div></body></html>`;

let script;

/** Opens the page with a file and the state of a cut. */
export async function openPanels(page, file, state = {}, section = null) {
  script ??= await bundle();
  await page.route(`${URL_}/panels**`, (route) => send(route, "text/html", HTML));
  await page.route(`${URL_}/panels/*.css`, (route) => {
    const name = new URL(route.request().url()).pathname.split("/").pop();
    return send(route, "text/css", readFileSync(`web/${name}`, "utf8"));
  });
  await page.route(`${URL_}/panels/panels.js`, (route) => send(route, "text/javascript", script));
  const query = new URLSearchParams({ file, state: JSON.stringify(state), ...(section && { section }) });
  await page.goto(`${URL_}/panels?${query}`);
  await page.getByRole("heading", { name: "Panels" }).waitFor();
}

const send = (route, contentType, body) =>
  route.fulfill({ contentType, body, headers: { "Content-Security-Policy": policy } });

const json = (route, body, status = 200) =>
  route.fulfill({
    status,
    contentType: status < 400 ? "application/json" : "application/problem+json",
    body: JSON.stringify(body),
  });

/**
 * Answers `GET /api/cuts` with `receipts()`, newest first. A function, because a download adds its receipt later.
 */
export async function mockReceipts(page, receipts) {
  await page.route(
    (url) => url.pathname === "/api/cuts",
    async (route) => {
      const query = new URL(route.request().url()).searchParams;
      const fileId = query.get("fileId");
      const limit = Number(query.get("limit") ?? 50);
      const from = Number(query.get("cursor") ?? 0);
      const all = (await receipts()).filter((cut) => !fileId || cut.fileId === fileId);
      const hasMore = all.length > from + limit;
      const nextCursor = hasMore ? String(from + limit) : null;
      const cuts = all.slice(from, from + limit);
      await json(route, { success: true, cuts, hasMore, nextCursor });
    },
  );
}
