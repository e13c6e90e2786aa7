// Bundles the pages of web/ into web/dist: hashed files in /assets, HTML that names them, and a check of the budgets.
// scripts/build-web calls this file.
import { build } from "esbuild";
import { readFile, writeFile, mkdir, rm, readdir, copyFile, rename } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { basename, join } from "node:path";
import { renderReference } from "./reference.mjs";

// Gzipped bytes: all scripts and styles of the first view of a page, and each chunk that is loaded later.
const FIRST_VIEW_BYTES = 60_000;
const LAZY_CHUNK_BYTES = 30_000;
// Gzipped bytes of the HTML of a page.
const HTML_BYTES = 75_000;

const OUT = "web/dist";
const STAGING = "web/dist/.staging";
const pages = (await readdir("web")).filter((name) => name.endsWith(".html"));
const sources = new Map();
for (const page of pages) sources.set(page, await readFile(join("web", page), "utf8"));
const reference = /(?:src|href)="(web\/[^"]+\.(?:tsx?|css))"/g;
const entries = new Set(
  [...sources.values()].flatMap((html) => [...html.matchAll(reference)].map((m) => m[1])),
);

// tus-js-client writes a test entry into localStorage when it is loaded. The page keeps its own resume information, so
// this module is replaced.
const withoutUrlStorage = {
  name: "without-url-storage",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/urlStorage\.js$/ }, () => ({ path: "urlStorage", namespace: "empty" }));
    onLoad({ filter: /.*/, namespace: "empty" }, () => ({
      contents: "export const canStoreURLs = false; export class WebStorageUrlStorage {}",
    }));
  },
};

// `import url from "./some?worker"` bundles some.ts on its own, and gives the address of the bundle.
const workers = {
  name: "workers",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\?worker$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.replace("?worker", ".js")),
      namespace: "worker",
    }));
    onLoad({ filter: /.*/, namespace: "worker" }, async ({ path }) => {
      const entryPoints = [path.replace(/js$/, "ts")];
      const { outputFiles } = await build({ ...shared, entryPoints, format: "iife", write: false });
      return { contents: outputFiles[0].contents, loader: "file" };
    });
  },
};

const shared = { bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none" };

await rm(STAGING, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: [...entries],
  outdir: join(STAGING, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: "/assets",
  ...shared,
  splitting: true,
  format: "esm",
  jsx: "automatic",
  jsxImportSource: "preact",
  metafile: true,
  logLevel: "warning",
  plugins: [withoutUrlStorage, workers],
});

const outputs = metafile.outputs;
const outputOf = (entry) => Object.keys(outputs).find((path) => outputs[path].entryPoint === entry);
const sizes = new Map();
for (const path of Object.keys(outputs)) sizes.set(path, gzipSync(await readFile(path), { level: 9 }).length);

/** The output and everything that it imports statically. */
function closure(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const { path: next, kind } of outputs[path].imports)
    if (kind === "import-statement") closure(next, found);
  return found;
}

const description = JSON.parse(await readFile("clients/openapi.json", "utf8"));
const failures = [];
const first = new Set();
for (const [page, html] of sources) {
  const used = new Set();
  let result = html.replace(reference, (whole, entry) => {
    const output = outputOf(entry);
    for (const path of closure(output)) used.add(path);
    return whole.replace(entry, `/assets/${basename(output)}`);
  });
  const direct = new Set([...html.matchAll(reference)].map((match) => outputOf(match[1])));
  const preloads = [...used].filter((path) => path.endsWith(".js") && !direct.has(path));
  const links = preloads.map((path) => `<link rel="modulepreload" href="/assets/${basename(path)}" />\n    `);
  result = result.replace('<script type="module"', links.join("") + '<script type="module"');
  result = result.replace("<!-- reference -->", () => renderReference(description));
  const htmlBytes = gzipSync(result, { level: 9 }).length;
  if (htmlBytes > HTML_BYTES) failures.push(`${page} has ${htmlBytes} bytes gzipped`);
  await writeFile(join(STAGING, page), result);
  const total = [...used].reduce((sum, path) => sum + sizes.get(path), 0);
  for (const path of used) first.add(path);
  console.error(`  ${page}: first view ${total} bytes gzipped (limit ${FIRST_VIEW_BYTES})`);
  if (total > FIRST_VIEW_BYTES) failures.push(`the first view of ${page} has ${total} bytes gzipped`);
}
for (const [path, size] of sizes) {
  if (first.has(path)) continue;
  console.error(`  ${basename(path)}: loaded later, ${size} bytes gzipped (limit ${LAZY_CHUNK_BYTES})`);
  if (size > LAZY_CHUNK_BYTES) failures.push(`${basename(path)} has ${size} bytes gzipped`);
}
if (failures.length > 0) {
  console.error(`error: over the budget: ${failures.join("; ")}`);
  process.exit(1);
}

// The assets come first, then the pages that name them, so that a running server never names a missing asset.
await mkdir(join(OUT, "assets"), { recursive: true });
const built = await readdir(join(STAGING, "assets"));
for (const name of built) await rename(join(STAGING, "assets", name), join(OUT, "assets", name));
for (const name of ["_headers", "icon.svg"]) await copyFile(join("web", name), join(OUT, name));
for (const page of pages) await rename(join(STAGING, page), join(OUT, page));
for (const name of await readdir(join(OUT, "assets"))) {
  if (!built.includes(name)) await rm(join(OUT, "assets", name));
}
for (const name of await readdir(OUT)) {
  if (name.endsWith(".html") && !pages.includes(name)) await rm(join(OUT, name));
}
await rm(STAGING, { recursive: true, force: true });
