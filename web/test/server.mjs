// A server for the tests: the release build with the pages, a database of its own, and no limit per address.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const WRANGLER = join(ROOT, "node_modules/.bin/wrangler");

/** wrangler.toml without environments and build command, with absolute paths. */
// Rate limits that no test meets, because all tests come from one address.
const HIGH_LIMITS = new Map([
  ["CUTS_PER_MINUTE", "120000"],
  ["SCAN_BYTES_PER_HOUR", "100000000000000"],
  ["UPLOADS_PER_MINUTE", "600000"],
  ["SIGN_UPS_PER_HOUR", "20000"],
  ["SIGN_IN_FREE_FAILURES", "3000"],
  ["SHARES_PER_MINUTE", "60000"],
]);

function configuration() {
  const lines = readFileSync(join(ROOT, "wrangler.toml"), "utf8").split("\n");
  const kept = [];
  let section = "";
  let name = "";
  for (const line of lines) {
    if (line.startsWith("[")) section = line;
    if (line.startsWith("name = ")) name = line;
    if (section === "[build]" || section.includes("[env.")) continue;
    const setting = line.split(" = ")[0];
    const path = /^(main|directory|migrations_dir) = "(.*)"$/.exec(line);
    if (path) kept.push(`${path[1]} = ${JSON.stringify(join(ROOT, path[2]))}`);
    // All tests come from one address, so the deployed limit would refuse them.
    else if (line.startsWith("simple = ") && name.includes("ADDRESS_LIMIT"))
      kept.push("simple = { limit = 1000000, period = 60 }");
    else if (HIGH_LIMITS.has(setting)) kept.push(`${setting} = "${HIGH_LIMITS.get(setting)}"`);
    else if (line.startsWith("max_batch_timeout")) kept.push("max_batch_timeout = 1");
    else kept.push(line);
  }
  return kept.join("\n");
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export class Server {
  static async create() {
    const server = new Server();
    mkdirSync(join(ROOT, "target/web"), { recursive: true });
    server.folder = mkdtempSync(join(ROOT, "target/web/server-"));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    server.env = {
      ...process.env,
      // wrangler needs the Node of the npm package `node`.
      PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
      CI: "1",
      WRANGLER_REGISTRY_PATH: join(server.folder, "registry"),
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
    };
    writeFileSync(join(server.folder, "wrangler.toml"), configuration());
    const secret = (name) => `the-tests-of-the-pages-use-this-value-as-${name}`;
    server.operatorToken = secret("OPERATOR_TOKEN");
    writeFileSync(
      join(server.folder, ".dev.vars"),
      ["JWT_SECRET", "SIGNING_SECRET", "OPERATOR_TOKEN"]
        .map((name) => `${name}="${secret(name)}"\n`)
        .join(""),
    );
    const migrations = [
      "d1",
      "migrations",
      "apply",
      "DB",
      "--local",
      "--persist-to",
      join(server.folder, "state"),
    ];
    const { status, stdout, stderr } = spawnSync(WRANGLER, migrations, {
      cwd: server.folder,
      env: server.env,
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
    process.on("exit", () => server.isRunning && process.kill(-server.process.pid, "SIGKILL"));
    await server.start();
    return server;
  }

  async start() {
    const options = ["--ip", "127.0.0.1", "--port", String(this.port), "--inspector-port", "0"];
    const log = createWriteStream(join(this.folder, "log"), { flags: "a" });
    this.process = spawn(
      WRANGLER,
      [
        "dev",
        ...options,
        "--persist-to",
        join(this.folder, "state"),
        "--var",
        "EMAIL_MAILBOX:true",
        "--show-interactive-dev-session=false",
      ],
      { cwd: this.folder, env: this.env, detached: true, stdio: ["ignore", "pipe", "pipe"] },
    );
    this.isRunning = true;
    this.process.stdout.pipe(log);
    this.process.stderr.pipe(log);
    for (let tries = 0; tries < 300; tries++) {
      if (this.process.exitCode !== null) throw new Error(readFileSync(join(this.folder, "log"), "utf8"));
      const response = await fetch(`${this.url}/health`).catch(() => null);
      if (response?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    throw new Error(`the server did not start: see ${this.folder}/log`);
  }

  /** Ends the server at once, as a crash would. */
  async kill() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.isRunning = false;
    process.kill(-this.process.pid, "SIGKILL");
    await ended;
  }

  async remove() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
