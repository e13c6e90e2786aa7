/** Runs `wrangler dev` in a separate folder and finds its process that runs the Worker. */
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

const PATIENCE_MS = 120_000;
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A file of `/proc/PID` (proc(5)); "" if the process has ended. */
function facts(pid, file) {
  try {
    return fs.readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** The processes of the group with this leader. */
function processesOfGroup(leader) {
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      // State, parent and group follow the name, which may contain any character.
      const stat = facts(pid, "stat");
      return Number(stat.slice(stat.lastIndexOf(") ") + 2).split(" ")[2]) === leader;
    });
}

export class Server {
  /** Starts a server with `folder`/wrangler.toml and these variables changed, and waits until it responds. */
  static async start(folder, variables = {}) {
    const server = new Server();
    server.folder = folder;
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    const vars = Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
    const log = fs.openSync(path.join(folder, "log"), "a");
    const args = ["dev", "--ip", "127.0.0.1", "--port", String(server.port), "--inspector-port", "0"];
    args.push("--persist-to", "state", "--show-interactive-dev-session=false", ...vars);
    const env = { ...process.env, WRANGLER_REGISTRY_PATH: path.join(folder, "registry") };
    // Observability would keep every step of every request in the measured process.
    env.X_LOCAL_OBSERVABILITY = "false";
    // A separate process group, so that all its processes can be ended.
    server.child = spawn("wrangler", args, { cwd: folder, env, stdio: ["ignore", log, log], detached: true });
    server.end = () => server.stop();
    process.once("exit", server.end);
    await server.untilItResponds();
    return server;
  }

  stop() {
    process.removeListener("exit", this.end);
    try {
      process.kill(-this.child.pid, "SIGKILL");
    } catch {
      // The group has already ended.
    }
  }

  async eventually(awaited, look) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const seen = await look();
      if (seen) return seen;
      if (Date.now() > deadline)
        throw new Error(`waited without success for ${awaited}: see ${this.folder}/log`);
      await sleep(40);
    }
  }

  untilItResponds() {
    return this.eventually("a response", async () => {
      if (this.child.exitCode !== null) throw new Error(`wrangler has ended: see ${this.folder}/log`);
      const call = fetch(`${this.url}/health`, { signal: AbortSignal.timeout(2000) });
      return call.then((response) => response.ok).catch(() => false);
    });
  }

  /** The process that runs the Worker. wrangler's other process is its proxy, which listens on the public port. */
  workerPid() {
    const entry = "--socket-addr=entry=";
    return processesOfGroup(this.child.pid).find((pid) => {
      const socket = facts(pid, "cmdline")
        .split("\0")
        .find((arg) => arg.startsWith(entry));
      return socket !== undefined && socket !== `${entry}127.0.0.1:${this.port}`;
    });
  }

  /** Kills the process that runs the Worker, as `kill -9` does, and waits for the next. */
  async kill() {
    const killed = this.workerPid();
    process.kill(Number(killed), "SIGKILL");
    await this.eventually("another process", () => {
      const pid = this.workerPid();
      return pid !== undefined && pid !== killed;
    });
    await this.untilItResponds();
  }

  /** Resets the peak memory of the Worker's process (proc(5)) and returns its present memory in bytes. */
  resetPeak() {
    this.measured = this.workerPid();
    fs.writeFileSync(`/proc/${this.measured}/clear_refs`, "5");
    return this.peak();
  }

  /** The peak memory of the Worker's process since `resetPeak`, in bytes. */
  peak() {
    if (this.workerPid() !== this.measured)
      throw new Error("the process was replaced during the measurement");
    const status = facts(this.measured, "status");
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)[1]) * 1024;
  }
}
