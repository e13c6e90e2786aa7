// Large transfers: only with LONG=1. The sizes are in mebibytes: UPLOAD_MIB (3072) and DOWNLOAD_MIB (1024).
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as h from "./harness.mjs";

const MIB = 1024 * 1024;
const UPLOAD_MIB = Number(process.env.UPLOAD_MIB ?? 3072);
const DOWNLOAD_MIB = Number(process.env.DOWNLOAD_MIB ?? 1024);
// The page may hold the rows of the list and a few pieces, never the file.
const HEAP_MIB = 48;
const SLOWER_THAN_CURL = 1.15;
const LONG_MS = 40 * 60_000;

const folder = mkdtempSync(join(tmpdir(), "cutty-large-"));
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await h.close();
});

/** Writes a CSV file whose rows have different numbers. Returns its path. */
function write(name, mebibytes) {
  const path = join(folder, name);
  const file = openSync(path, "w");
  writeSync(file, "number,text\n");
  for (let block = 0; block < mebibytes; block++) {
    let lines = "";
    for (let row = 0; row < 16384; row++)
      lines += `${String(block * 16384 + row).padStart(12, "0")},${"x".repeat(50)}\n`;
    writeSync(file, lines);
  }
  closeSync(file);
  return path;
}

const sha256 = async (path) => {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
};

/** Measures the page's JavaScript heap, after garbage collection, until `stop` is called. Returns the peak in MiB. */
async function heap(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  let peak = 0;
  let isOn = true;
  const run = (async () => {
    while (isOn) {
      await session.send("HeapProfiler.collectGarbage");
      peak = Math.max(peak, (await session.send("Runtime.getHeapUsage")).usedSize / MIB);
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  })();
  return async () => {
    isOn = false;
    await run;
    return peak;
  };
}

test(
  "a large upload: flat heap, equal digest, about as fast as curl",
  { skip: !process.env.LONG, timeout: LONG_MS },
  async (t) => {
    const path = write("large.csv", UPLOAD_MIB);
    const { size } = statSync(path);
    const page = await h.newPage();
    const name = await h.signUp(page);
    const api = await h.apiOf(name);

    // curl sends the same file in pieces of the same size.
    const { tokens } = await (
      await fetch(`${h.URL_}/api/auth/login`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ username: name, password: h.PASSWORD }),
      })
    ).json();
    const script = `
    set -e
    auth="authorization: Bearer $TOKEN"
    url=$(curl -sf -i -X POST "$URL/api/uploads" -H "$auth" -H 'tus-resumable: 1.0.0' -H "upload-length: $SIZE" \\
      -H "upload-metadata: filename $(printf curl.csv | base64)" | tr -d '\\r' | sed -n 's/^location: //ip')
    for ((offset = 0; offset < SIZE; offset += 8388608)); do
      dd if="$FILE" bs=8388608 skip=$((offset / 8388608)) count=1 status=none |
        curl -sf -o /dev/null -X PATCH "$url" -H "$auth" -H 'tus-resumable: 1.0.0' -H "upload-offset: $offset" \\
          -H 'content-type: application/offset+octet-stream' --data-binary @-
    done`;
    const env = { ...process.env, URL: h.URL_, TOKEN: tokens.access_token, SIZE: String(size), FILE: path };
    const curlBegan = performance.now();
    const curl = spawnSync("bash", ["-c", script], { env, encoding: "utf8" });
    const curlSeconds = (performance.now() - curlBegan) / 1000;
    assert.equal(curl.status, 0, curl.stderr);

    await page.reload();
    await h.row(page, "curl.csv").waitFor();
    const stop = await heap(page);
    const began = performance.now();
    await h.chooser(page).setInputFiles(path);
    await page.locator("li.upload.sending").waitFor();
    await h.row(page, "large.csv").waitFor({ timeout: LONG_MS });
    const seconds = (performance.now() - began) / 1000;
    const peak = await stop();
    t.diagnostic(
      `${size} bytes: page ${seconds.toFixed(1)} s, curl ${curlSeconds.toFixed(1)} s, heap ${peak.toFixed(1)} MiB`,
    );
    const { files } = await api("/api/files?q=large.csv");
    assert.equal(files[0].checksum, await sha256(path));
    assert.ok(peak < HEAP_MIB, `the heap had ${peak} MiB`);
    assert.ok(seconds < curlSeconds * SLOWER_THAN_CURL, `${seconds} s, and curl ${curlSeconds} s`);
    await page.context().close();
  },
);

test("a large download: flat heap, equal bytes", { skip: !process.env.LONG, timeout: LONG_MS }, async (t) => {
  const path = write("download.csv", DOWNLOAD_MIB);
  const page = await h.newPage();
  await h.signUp(page);
  await h.chooser(page).setInputFiles(path);
  await h.row(page, "download.csv").waitFor({ timeout: LONG_MS });
  const stop = await heap(page);
  await h
    .row(page, "download.csv")
    .getByRole("button", { name: /^Actions/ })
    .click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Download" }).click(),
  ]);
  const saved = await download.path();
  const peak = await stop();
  t.diagnostic(`${statSync(path).size} bytes: heap ${peak.toFixed(1)} MiB`);
  assert.equal(await sha256(saved), await sha256(path));
  assert.ok(peak < HEAP_MIB, `the heap had ${peak} MiB`);
  await page.context().close();
});
