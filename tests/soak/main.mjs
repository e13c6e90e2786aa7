/**
 * `node main.mjs SIZE SEED ROUND`, called by `scripts/soak`: uploads a large file with tus-js-client, kills the server
 * three times meanwhile, and downloads the file again. Exits with 1 if a requirement fails.
 */
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import * as tus from "tus-js-client";

import { Orders } from "./orders.mjs";
import { Server } from "./server.mjs";

const MIB = 1 << 20;
const CHUNK_BYTES = 8 * MIB;
/** By how much the product's peak memory may exceed that of the bare runtime with the same bindings. */
const ALLOWED_BYTES = 64 * MIB;
/** How often this is measured again with smaller files, in turns. The smallest value of each counts. */
const ROUNDS = 3;
/** What a bare Worker keeps on purpose, to check that the measurement notices it. */
const HOARD_BYTES = 100_000_000;
/** By how much warm wasm memory may grow: by the row index and zones of a profile, but not with the bytes. */
const ALLOWED_WASM_BYTES = 4 * MIB;
/** Bytes after the last kill until wasm memory is warm. Then it is read the second time. */
const WARMING_BYTES = 64 * MIB;
/** Where the server is killed, as shares of the file. One process receives most of it and is measured. */
const KILLS = [0.06, 0.13, 0.2];

const ROOT = path.resolve(import.meta.dirname, "../..");
const FOLDER = path.join(ROOT, "target/soak");

const size = parseSize(process.argv[2]);
const seed = Number(process.argv[3]);
const roundSize = parseSize(process.argv[4]);
const failed = [];

function parseSize(text) {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(MiB|GiB)$/.exec(text) ?? [];
  if (!number) throw new Error(`${text} is not a size; give for example 512MiB or 5GiB`);
  return Math.round(Number(number) * (unit === "GiB" ? 1024 * MIB : MIB));
}

const inMib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;
const report = (name, value) => console.log(`  ${name.padEnd(44)} ${value}`);
const seconds = (from) => (performance.now() - from) / 1000;
const rate = (bytes, from) =>
  `${seconds(from).toFixed(1)} s, ${(bytes / MIB / seconds(from)).toFixed(1)} MiB/s`;

function require(name, value, holds) {
  report(name, `${value}${holds ? "" : "   FAILED"}`);
  if (!holds) failed.push(name);
}

function progress(text) {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K  ${text}` : `  ${text}\n`);
}

/** The disk needs space for the file twice, or for the files of all rounds: the store copies parts to join them. */
function checkDisk() {
  const { bavail, bsize } = fs.statfsSync(FOLDER);
  const wanted = Math.max(2 * size, (ROUNDS + 3) * roundSize) + 1024 * MIB;
  report("disk: needed, free", `${inMib(wanted)}, ${inMib(bavail * bsize)}`);
  if (bavail * bsize < wanted)
    throw new Error("there is too little space on the disk: free some, or set a smaller SIZE");
}

/** Creates a folder with the deployed configuration for the Worker `main`, without build and environments. */
function configured(name, main) {
  const folder = path.join(FOLDER, name);
  fs.mkdirSync(folder, { recursive: true });
  const sections = fs.readFileSync(path.join(ROOT, "wrangler.toml"), "utf8").split(/^(?=\[)/m);
  const kept = sections.filter((section) => !/^\[+(build\]|env\.)/.test(section)).join("");
  const moved = kept
    .replace(/^main = .*$/m, `main = ${JSON.stringify(main)}`)
    .replace(/^directory = .*$/m, `directory = ${JSON.stringify(path.join(ROOT, "web/dist"))}`)
    .replace(/^migrations_dir = .*$/m, `migrations_dir = ${JSON.stringify(path.join(ROOT, "migrations"))}`);
  fs.writeFileSync(path.join(folder, "wrangler.toml"), moved);
  return folder;
}

function productFolder() {
  const folder = configured("product", path.join(ROOT, "build/index.js"));
  fs.copyFileSync(path.join(ROOT, ".dev.vars"), path.join(folder, ".dev.vars"));
  const migrate = ["d1", "migrations", "apply", "DB", "--local", "--persist-to", "state"];
  execFileSync("wrangler", migrate, { cwd: folder, stdio: "pipe" });
  return folder;
}

function operatorToken() {
  const vars = fs.readFileSync(path.join(ROOT, ".dev.vars"), "utf8");
  return /^OPERATOR_TOKEN\s*=\s*"?([^"\s]+)/m.exec(vars)[1];
}

async function ask(url, token, init = {}) {
  const response = await fetch(url, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return response;
}

async function register(server) {
  const body = JSON.stringify({ username: "soak", password: crypto.randomBytes(12).toString("hex") });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server.url}/api/auth/register`, { method: "POST", headers, body });
  return (await response.json()).tokens.access_token;
}

const wasmBytes = async (server) =>
  (await (await ask(`${server.url}/api/admin/isolate`, operatorToken())).json()).memoryBytes;

/** Makes a small upload, so that one-time costs of the first upload are not counted for the large one. */
async function warm(server, token) {
  const headers = {
    "tus-resumable": "1.0.0",
    "upload-length": "4",
    "upload-metadata": `filename ${btoa("small.csv")}`,
    "content-type": "application/offset+octet-stream",
  };
  await ask(`${server.url}/api/uploads`, token, { method: "POST", headers, body: "a\n1\n" });
}

/** One upload and its measurements. The server is killed at the given shares of the bytes. */
class Upload {
  constructor(server, token, bytes, kills) {
    Object.assign(this, { server, token, bytes, retries: 0, orders: new Orders(seed, bytes) });
    this.kills = kills.map((share) => Math.round(share * bytes));
    this.killing = Promise.resolve();
  }

  run() {
    return new Promise((resolve, reject) => {
      const upload = new tus.Upload(this.orders.stream(), {
        endpoint: `${this.server.url}/api/uploads`,
        chunkSize: CHUNK_BYTES,
        uploadSize: this.bytes,
        headers: { Authorization: `Bearer ${this.token}` },
        metadata: { filename: "soak.csv", filetype: "text/csv" },
        retryDelays: Array(120).fill(500),
        onShouldRetry: (error) => this.mayRetry(error),
        // No request is sent while the server is killed and measured.
        onBeforeRequest: () => this.killing,
        onProgress: (sent) => this.killAt(sent),
        onChunkComplete: (_, accepted) => this.accepted(accepted),
        onSuccess: ({ lastResponse }) => resolve(lastResponse.getHeader("X-File-Id")),
        onError: reject,
      });
      upload.start();
    });
  }

  mayRetry(error) {
    this.retries += 1;
    const status = error.originalResponse?.getStatus() ?? 0;
    return status === 0 || status === 409 || status >= 500;
  }

  /** Kills only in the middle of a request, not at the end of a chunk, where the response has arrived. */
  killAt(sent) {
    if (!(sent >= this.kills[0]) || sent % CHUNK_BYTES === 0) return;
    this.kills.shift();
    this.killing = this.kill(sent).catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }

  async kill(sent) {
    progress(`kill -9 at ${inMib(sent)}`);
    await this.server.kill();
    if (this.kills.length > 0) return;
    await warm(this.server, this.token);
    this.measuredFrom = sent;
    this.wasmBefore = await wasmBytes(this.server);
    this.held = this.server.resetPeak();
  }

  async accepted(bytes) {
    if (Math.floor(bytes / (256 * MIB)) > Math.floor((bytes - CHUNK_BYTES) / (256 * MIB))) {
      progress(`${inMib(bytes)} of ${inMib(this.bytes)}`);
    }
    if (!this.wasmWarm && this.measuredFrom && bytes > this.measuredFrom + WARMING_BYTES) {
      this.wasmWarm = wasmBytes(this.server);
    }
  }
}

/** Uploads and checks the large file. Returns the memory before and the peak memory after the last kill. */
async function soak(server, token) {
  const upload = new Upload(server, token, size, KILLS);
  const began = performance.now();
  const file = await upload.run();
  report("upload", rate(size, began));
  const [warm, after] = [await upload.wasmWarm, await wasmBytes(server)];
  const peak = server.peak();
  require("kills, and repeated requests", `${3 - upload.kills.length}, ${upload.retries}`, upload.kills
    .length === 0 && upload.retries >= 3);
  require("wasm memory: idle, warm, at the end", [upload.wasmBefore, warm, after]
    .map(inMib)
    .join(", "), after - warm <= ALLOWED_WASM_BYTES);
  const sha256 = upload.orders.hash.digest("hex");
  const facts = (await (await ask(`${server.url}/api/files/${file}/metadata`, token)).json()).file;
  require("size", `${facts.size} of ${size}`, facts.size === size);
  require("checksum of the upload", facts.checksum, facts.checksum === sha256 && facts.verified);
  require("rows", `${facts.rowCount} of ${upload.orders.rows}`, facts.rowCount === upload.orders.rows);
  await download(server, token, file, sha256);
  const env = { ...process.env, OPERATOR_TOKEN: operatorToken() };
  const fsck = execFileSync("python3", [path.join(ROOT, "scripts/operate.py"), "fsck", server.url], { env });
  report("fsck", fsck.toString().trim().split("\n").at(-1));
  return { held: upload.held, peak, bytes: size - upload.measuredFrom };
}

/** The memory that a smaller upload takes in a new process. */
async function round(server, token) {
  await server.kill();
  await warm(server, token);
  const held = server.resetPeak();
  await new Upload(server, token, roundSize, []).run();
  return { held, peak: server.peak() };
}

async function download(server, token, file, sha256) {
  const began = performance.now();
  const hash = crypto.createHash("sha256");
  // The local R2 reads most of an object in parts before it sends the first byte. `fetch` would time out.
  const options = { headers: { authorization: `Bearer ${token}` } };
  const [response] = await once(http.get(`${server.url}/api/files/${file}`, options), "response");
  for await (const piece of response) hash.update(piece);
  report("download", rate(size, began));
  const found = hash.digest("hex");
  require("SHA-256 of the download", found, found === sha256);
}

/**
 * Uploads `bytes` bytes with bare `uploadPart` calls in a new process with the same bindings, after one small call to
 * each. The parts are as long as the chunks, as in the product. The process keeps a buffer of `hoard` bytes.
 */
async function bare(server, bytes, hoard = 0) {
  const send = async (method, query, body, name = "object") => {
    const response = await fetch(`${server.url}/${name}${query}`, { method, body });
    if (!response.ok) throw new Error(`bare: ${response.status} ${await response.text()}`);
    return response;
  };
  const begin = async () => (await send("POST", "")).text();
  await server.kill();
  await send("GET", "", undefined, "wake");
  await send("PUT", `?upload=${await begin()}&part=1`, "a\n1\n");
  const held = server.resetPeak();
  if (hoard > 0) await send("GET", `?bytes=${hoard}`, undefined, "hoard");
  const began = performance.now();
  const upload = await begin();
  const parts = [];
  for (const piece of new Orders(seed, bytes).parts(CHUNK_BYTES)) {
    parts.push(await (await send("PUT", `?upload=${upload}&part=${parts.length + 1}`, piece)).json());
  }
  await send("POST", `?upload=${upload}`, JSON.stringify(parts));
  progress(`bare: ${parts.length} parts in ${rate(bytes, began)}`);
  return { held, peak: server.peak() };
}

const PEAK = ({ peak }) => peak;
const memory = (cases) => cases.map(({ held, peak }) => `${inMib(held)} to ${inMib(peak)}`).join(", ");

/** Reports the memory before and the peak of each process, and compares the smallest peaks. */
function compare(name, ours, theirs) {
  report(`${name}, product`, memory(ours));
  report(`${name}, bare`, memory(theirs));
  const above = Math.min(...ours.map(PEAK)) - Math.min(...theirs.map(PEAK));
  require(`${name}: above the bare runtime`, inMib(above), above <= ALLOWED_BYTES);
}

async function startProduct(bytes) {
  const variables = { ACCESS_TOKEN_TTL: 86_400, DEFAULT_QUOTA_BYTES: 2 * bytes, UPLOADS_PER_MINUTE: 600_000 };
  const server = await Server.start(productFolder(), variables);
  return [server, await register(server)];
}

const startBare = () => Server.start(configured("bare", path.join(import.meta.dirname, "bare.mjs")));

function end(server) {
  server.stop();
  fs.rmSync(path.join(server.folder, "state"), { recursive: true, force: true, maxRetries: 10 });
}

async function largeFile() {
  const [product, token] = await startProduct(size + MIB);
  const ours = await soak(product, token);
  end(product);
  const runtime = await startBare();
  compare(`memory, ${inMib(ours.bytes)}`, [ours], [await bare(runtime, ours.bytes)]);
  end(runtime);
}

async function rounds() {
  const [product, token] = await startProduct(ROUNDS * (roundSize + MIB));
  const runtime = await startBare();
  const [ours, theirs] = [[], []];
  for (let turn = 0; turn < ROUNDS; turn += 1) {
    ours.push(await round(product, token));
    theirs.push(await bare(runtime, roundSize));
  }
  compare(`memory, ${inMib(roundSize)}`, ours, theirs);
  const hoarding = await bare(runtime, roundSize, HOARD_BYTES);
  const noticed = hoarding.peak - Math.min(...theirs.map(PEAK));
  require(`${inMib(HOARD_BYTES)} kept on purpose are noticed`, inMib(noticed), noticed > ALLOWED_BYTES);
  end(product);
  end(runtime);
}

fs.rmSync(FOLDER, { recursive: true, force: true });
fs.mkdirSync(FOLDER, { recursive: true });
process.on("exit", () => {
  // If something failed, the logs are kept.
  const removed = process.exitCode ? ["product/state", "bare/state"] : ["."];
  if (process.env.KEEP) return;
  for (const name of removed)
    fs.rmSync(path.join(FOLDER, name), { recursive: true, force: true, maxRetries: 3 });
});
process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));
console.log(`A file of ${inMib(size)}, seed ${seed}, in chunks of ${inMib(CHUNK_BYTES)}`);
checkDisk();
await largeFile();
await rounds();
console.log(failed.length === 0 ? "All requirements hold." : `Failed: ${failed.join("; ")}`);
process.exit(failed.length === 0 ? 0 : 1);
