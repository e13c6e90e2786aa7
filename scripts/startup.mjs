/**
 * Measures the start-up cost of the Worker: V8 compiles the wasm module, Node evaluates the bundle, the bundle
 * instantiates the module, and the first request gets its response. This request is `GET /health`, which calls no
 * binding. The cost is the CPU time of all threads in a new Node process. The script uses the smallest cost of several
 * runs, because other work on the machine can only increase the cost.
 *
 * usage: node startup.mjs FOLDER MAX_MS
 *
 * Fails if the start takes more than MAX_MS. Cloudflare allows a Worker 1,000 ms of CPU time for its start. Without
 * MAX_MS, the script starts the Worker once and prints the CPU time in milliseconds.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const RUNS = 5;
const RUNTIME = "cloudflare:workers";

/** The part of the runtime's module `cloudflare:workers` that the bundle imports. */
const RUNTIME_SOURCE = `
  export class WorkerEntrypoint {
    constructor(context, env) {
      Object.assign(this, { ctx: context, env });
    }
  }
`;

/** Returns the source of a module that exports the compiled wasm of `file`, as workerd does for an import of `file`. */
const compiledModule = (file) => `
  import { readFileSync } from "node:fs";
  export default new WebAssembly.Module(readFileSync(new URL(${JSON.stringify(file)})));
`;

/** Makes imports in Node work as in workerd. */
function importLikeWorkerd() {
  const module = (source) => ({ format: "module", shortCircuit: true, source });
  registerHooks({
    resolve(specifier, context, next) {
      return specifier === RUNTIME ? { url: RUNTIME, shortCircuit: true } : next(specifier, context);
    },
    load(url, context, next) {
      if (url === RUNTIME) return module(RUNTIME_SOURCE);
      if (url.endsWith(".wasm")) return module(compiledModule(url));
      return next(url, { ...context, format: "module" });
    },
  });
}

/** Returns bindings without methods. When the Worker starts, it only checks the class name of each binding. */
function bindings() {
  class D1Database {}
  class R2Bucket {}
  class WorkerQueue {}
  class DurableObjectNamespace {}
  class Ratelimit {}
  return {
    DB: new D1Database(),
    FILES_BUCKET: new R2Bucket(),
    JOBS: new WorkerQueue(),
    UPLOADS: new DurableObjectNamespace(),
    LIMITS: new DurableObjectNamespace(),
    LOGIN_LIMIT: new Ratelimit(),
    ADDRESS_LIMIT: new Ratelimit(),
    JWT_SECRET: "a secret that only this measurement uses",
  };
}

/** Starts the Worker once in this process and returns the CPU time in milliseconds. */
async function start(folder) {
  globalThis.addEventListener ??= () => {};
  importLikeWorkerd();
  const before = process.cpuUsage();
  const { default: Worker } = await import(pathToFileURL(path.join(folder, "index.js")));
  const context = { waitUntil() {}, passThroughOnException() {} };
  const response = await new Worker(context, bindings()).fetch(new Request("http://127.0.0.1/health"));
  const { user, system } = process.cpuUsage(before);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET /health: ${response.status} ${text}`);
  return (user + system) / 1000;
}

const [folder, most] = process.argv.slice(2);
if (most === undefined) {
  console.log(await start(path.resolve(folder)));
} else {
  const options = { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] };
  const run = () => Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), folder], options));
  const times = Array.from({ length: RUNS }, run);
  const least = Math.min(...times);
  console.log(
    `start-up: ${Math.round(least)} ms of CPU time (${times.map(Math.round).join(", ")}); at most ${most} ms are allowed`,
  );
  if (least > Number(most)) {
    console.error(`error: the Worker takes ${Math.round(least)} ms to start; at most ${most} ms are allowed`);
    process.exit(1);
  }
}
