/**
 * The Worker with crash points: its bindings are wrapped, so that one call of a request can be made to hang.
 *
 * Request headers control it:
 * - `x-trace-calls: NAME` writes `CALL NAME n binding.method` to the log for each call of a binding and
 *   `ENDED NAME status` for the response, which lists the calls in `x-traced-calls`;
 * - `x-crash-before: NAME n` writes `CRASHPOINT NAME` to the log and hangs instead of making the n-th call (from 1);
 * - `x-crash-before: NAME end` does the same between the last call and the response;
 * - `x-fail-call: n` makes the n-th call fail without effect;
 * - `x-next-learning: trace NAME` or `x-next-learning: crash NAME n` does the same for the next batch of messages
 *   with a `learn_file` job;
 * - `x-next-session: trace NAME` or `x-next-session: crash NAME n` does the same for the next new upload session,
 *   from its first request to its last: calls of bindings, and changes of its rows and its alarm;
 * - `x-session-calls` asks for the calls of the last traced session, in the response header of the same name.
 *
 * When a request hangs, the Worker has seen the results of all earlier calls. So killing the process then is a crash
 * between two steps.
 */
import Worker, { UploadSession as Session } from "../../build/index.js";

export * from "../../build/index.js";

/** The calls that leave the Worker. All others (prepare, bind, getters) are local. */
const CALLS = {
  DB: ["batch"],
  FILES_BUCKET: ["head", "get", "put", "delete", "list", "createMultipartUpload", "resumeMultipartUpload"],
  JOBS: ["send", "sendBatch"],
};
const UPLOAD_CALLS = ["uploadPart", "complete", "abort"];
/** Synchronous reads of a session's rows. A crash before one is the same as a crash before the next change. */
const READS = ["get", "list"];

/**
 * Whether a batch only reads the switches. An isolate reads them if its copy is 10 s old, so this call is no step of a
 * request.
 */
const readsSwitches = (statements) =>
  Array.isArray(statements) &&
  statements.length === 1 &&
  /FROM switches\b/.test(statements[0].statement ?? "");

const forever = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));

/** The order for the next batch with a `learn_file` job. */
let nextLearning = "";

/** The order for the next new upload session, and the scripts of the existing sessions by id. */
let nextSession = "";
const sessions = new Map();
/** The calls of the last traced session. */
let sessionCalls = [];

class Script {
  constructor({ trace, crash, at, fail }) {
    Object.assign(this, { calls: [], trace, crash, at, fail });
  }

  static forRequest(headers) {
    const [crash, at] = (headers.get("x-crash-before") ?? "").split(" ");
    return new Script({ crash, at, trace: headers.get("x-trace-calls"), fail: headers.get("x-fail-call") });
  }

  static forBatch(batch) {
    if (!batch.messages.some((message) => message.body.job === "learn_file")) return new Script({});
    const script = Script.fromOrder(nextLearning);
    nextLearning = "";
    return script;
  }

  /** The script of a session. The runtime may create the object of a session several times. */
  static forSession(id) {
    if (!sessions.has(id)) {
      const script = Script.fromOrder(nextSession);
      sessions.set(id, script);
      if (script.trace) sessionCalls = script.calls;
      nextSession = "";
    }
    return sessions.get(id);
  }

  static fromOrder(order) {
    const [kind, name, at] = order.split(" ");
    return new Script(kind === "trace" ? { trace: name } : { crash: name, at });
  }

  async pass(call) {
    if (this.isCrashPoint(call)) await this.hang();
    if (String(this.calls.length) === this.fail) throw new Error(`injected fault at ${call}`);
  }

  /** Like `pass`, for a synchronous call: it can hang only together with the whole process. */
  passSync(call) {
    if (!this.isCrashPoint(call)) return;
    console.log(`CRASHPOINT ${this.crash}`);
    for (;;);
  }

  isCrashPoint(call) {
    this.calls.push(call);
    if (this.trace) console.log(`CALL ${this.trace} ${this.calls.length} ${call}`);
    return this.crash && String(this.calls.length) === this.at;
  }

  async end(outcome) {
    if (this.crash && this.at === "end") await this.hang();
    if (this.trace) console.log(`ENDED ${this.trace} ${outcome}`);
  }

  async endRequest(response) {
    await this.end(response.status);
    if (!this.trace) return response;
    const traced = new Response(response.body, response);
    traced.headers.set("x-traced-calls", this.calls.join(","));
    return traced;
  }

  async hang() {
    console.log(`CRASHPOINT ${this.crash}`);
    await forever();
  }
}

/** Wraps `target` so that its `methods` ask the script first. The class name stays, because the Worker checks it. */
function watch(script, label, target, methods) {
  return new Proxy(target, {
    get(_, name) {
      const value = target[name];
      if (typeof value !== "function" || name === "constructor") return value;
      if (name === "resumeMultipartUpload") {
        return (...args) =>
          watch(script, `${label}.upload`, target.resumeMultipartUpload(...args), UPLOAD_CALLS);
      }
      if (!methods.includes(name)) return value.bind(target);
      return async (...args) => {
        if (!readsSwitches(args[0])) await script.pass(`${label}.${name}`);
        return target[name](...args);
      };
    },
  });
}

/** Wraps the storage of a session, or its rows, so that calls that change them ask the script first. */
function watchStorage(script, label, target) {
  return new Proxy(target, {
    get(_, name) {
      const value = target[name];
      if (name === "kv") return watchStorage(script, "rows", value);
      if (typeof value !== "function" || name === "constructor") return value;
      if (READS.includes(name)) return value.bind(target);
      return (...args) => {
        script.passSync(`${label}.${name}`);
        return target[name](...args);
      };
    },
  });
}

function watched(env, script) {
  const bindings = Object.entries(CALLS).map(([name, methods]) => [
    name,
    watch(script, name, env[name], methods),
  ]);
  return { ...env, ...Object.fromEntries(bindings) };
}

/** The upload session of the product, with crash points. */
export class UploadSession {
  constructor(state, env) {
    const script = Script.forSession(String(state.id));
    const storage = watchStorage(script, "storage", state.storage);
    const watchedState = new Proxy(state, {
      get(_, name) {
        if (name === "storage") return storage;
        return typeof state[name] === "function" ? state[name].bind(state) : state[name];
      },
    });
    this.session = new Session(watchedState, watched(env, script));
  }

  fetch(request) {
    return this.session.fetch(request);
  }

  alarm() {
    return this.session.alarm();
  }
}

export default {
  async fetch(request, env, context) {
    nextLearning = request.headers.get("x-next-learning") ?? nextLearning;
    nextSession = request.headers.get("x-next-session") ?? nextSession;
    const script = Script.forRequest(request.headers);
    const response = await script.endRequest(await new Worker(context, watched(env, script)).fetch(request));
    if (!request.headers.has("x-session-calls")) return response;
    const withCalls = new Response(response.body, response);
    withCalls.headers.set("x-session-calls", sessionCalls.join(","));
    return withCalls;
  },
  /** Delivers each batch twice, because a queue may do so. */
  queue: async (batch, env, context) => {
    const script = Script.forBatch(batch);
    await new Worker(context, watched(env, script)).queue(batch);
    await script.end(script.calls.join(","));
    await new Worker(context, env).queue(batch);
    console.log(`DELIVERED TWICE ${batch.messages.length}`);
  },
  scheduled: (event, env, context) => new Worker(context, env).scheduled(event),
};
