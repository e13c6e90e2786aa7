/**
 * The Worker, with crash points: its bindings are wrapped so that one call of one request can be made to hang.
 *
 * A request chooses by header:
 * - `x-trace-calls: NAME` writes `CALL NAME n binding.method` to the log for every call it makes of a binding and
 *   `ENDED NAME status` for its answer, which lists the calls in `x-traced-calls`;
 * - `x-crash-before: NAME n` makes its n-th call (from 1) hang instead, after `CRASHPOINT NAME` in the log;
 * - `x-crash-before: NAME end` does so between the last call and the answer;
 * - `x-fail-call: n` makes its n-th call fail, undone;
 * - `x-next-learning: trace NAME` or `x-next-learning: crash NAME n` does the like to the next batch of jobs in which a
 *   file is to be learned from;
 * - `x-next-session: trace NAME` or `x-next-session: crash NAME n` does the like to the next upload session that begins,
 *   from its first request to its last: its calls of bindings and all that changes its rows and its alarm;
 * - `x-session-calls` asks for those of the session that was traced last, in the answer's header of the same name.
 *
 * Every call before the n-th has ended and been seen by the Worker, so killing the process now is a crash between two
 * steps.
 */
import Worker, { UploadSession as Session } from "../../build/index.js";

export * from "../../build/index.js";

/** What goes out of the Worker; everything else (prepare, bind, getters) is local. */
const CALLS = {
  DB: ["batch"],
  FILES_BUCKET: ["head", "get", "put", "delete", "list", "createMultipartUpload", "resumeMultipartUpload"],
  JOBS: ["send", "sendBatch"],
};
const UPLOAD_CALLS = ["uploadPart", "complete", "abort"];
/** What only reads a session's rows, at once: to be killed before it is to be killed before what comes next. */
const READS = ["get", "list"];

const forever = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));

/** What becomes of the next batch with a file to learn from. */
let nextLearning = "";

/** What becomes of the next upload session that begins, and what becomes of those that have begun, by their ids. */
let nextSession = "";
const sessions = new Map();
/** The calls of the session that was traced last. */
let sessionCalls = [];

class Script {
  constructor({ trace, crash, at, fail }) {
    Object.assign(this, { calls: [], trace, crash, at, fail });
  }

  static ofRequest(headers) {
    const [crash, at] = (headers.get("x-crash-before") ?? "").split(" ");
    return new Script({ crash, at, trace: headers.get("x-trace-calls"), fail: headers.get("x-fail-call") });
  }

  static ofBatch(batch) {
    if (!batch.messages.some((message) => message.body.job === "learn_file")) return new Script({});
    const script = Script.ofOrder(nextLearning);
    nextLearning = "";
    return script;
  }

  /** The script of a session whose object is made, perhaps again, by the runtime. */
  static ofSession(id) {
    if (!sessions.has(id)) {
      const script = Script.ofOrder(nextSession);
      sessions.set(id, script);
      if (script.trace) sessionCalls = script.calls;
      nextSession = "";
    }
    return sessions.get(id);
  }

  static ofOrder(order) {
    const [what, name, at] = order.split(" ");
    return new Script(what === "trace" ? { trace: name } : { crash: name, at });
  }

  async pass(call) {
    if (this.isCrashPoint(call)) await this.hang();
    if (String(this.calls.length) === this.fail) throw new Error(`${call} was made to fail`);
  }

  /** The same for a call that is over when it returns, and so can hang only with everything else. */
  passAtOnce(call) {
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

  async endRequest(answer) {
    await this.end(answer.status);
    if (!this.trace) return answer;
    const traced = new Response(answer.body, answer);
    traced.headers.set("x-traced-calls", this.calls.join(","));
    return traced;
  }

  async hang() {
    console.log(`CRASHPOINT ${this.crash}`);
    await forever();
  }
}

/** Wraps `target` so that its `methods` ask the script first. Its class keeps its name, which the Worker checks. */
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
        await script.pass(`${label}.${name}`);
        return target[name](...args);
      };
    },
  });
}

/** Wraps the storage of a session, or its rows, so that what changes them asks the script first. */
function watchStorage(script, label, target) {
  return new Proxy(target, {
    get(_, name) {
      const value = target[name];
      if (name === "kv") return watchStorage(script, "rows", value);
      if (typeof value !== "function" || name === "constructor") return value;
      if (READS.includes(name)) return value.bind(target);
      return (...args) => {
        script.passAtOnce(`${label}.${name}`);
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

/** The product's session with crash points. */
export class UploadSession {
  constructor(state, env) {
    const script = Script.ofSession(String(state.id));
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
    const script = Script.ofRequest(request.headers);
    const answer = await script.endRequest(await new Worker(context, watched(env, script)).fetch(request));
    if (!request.headers.has("x-session-calls")) return answer;
    const telling = new Response(answer.body, answer);
    telling.headers.set("x-session-calls", sessionCalls.join(","));
    return telling;
  },
  /** A queue may deliver a batch twice; here it always does. */
  queue: async (batch, env, context) => {
    const script = Script.ofBatch(batch);
    await new Worker(context, watched(env, script)).queue(batch);
    await script.end(script.calls.join(","));
    await new Worker(context, env).queue(batch);
    console.log(`DELIVERED TWICE ${batch.messages.length}`);
  },
  scheduled: (event, env, context) => new Worker(context, env).scheduled(event),
};
