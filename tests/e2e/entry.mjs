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
 *   file is to be learned from.
 *
 * Every call before the n-th has ended and been seen by the Worker, so killing the process now is a crash between two
 * steps.
 */
import Worker from "../../build/index.js";

export * from "../../build/index.js";

/** What goes out of the Worker; everything else (prepare, bind, getters) is local. */
const CALLS = {
  DB: ["batch"],
  FILES_BUCKET: ["head", "get", "put", "delete", "list", "createMultipartUpload", "resumeMultipartUpload"],
  JOBS: ["send", "sendBatch"],
};
const UPLOAD_CALLS = ["uploadPart", "complete", "abort"];

const forever = () => new Promise((resolve) => setTimeout(resolve, 3_600_000));

/** What becomes of the next batch with a file to learn from. */
let nextLearning = "";

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
    const [what, name, at] = nextLearning.split(" ");
    nextLearning = "";
    return new Script(what === "trace" ? { trace: name } : { crash: name, at });
  }

  async pass(call) {
    this.calls.push(call);
    if (this.trace) console.log(`CALL ${this.trace} ${this.calls.length} ${call}`);
    if (this.crash && String(this.calls.length) === this.at) await this.hang();
    if (String(this.calls.length) === this.fail) throw new Error(`${call} was made to fail`);
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

function watched(env, script) {
  const bindings = Object.entries(CALLS).map(([name, methods]) => [
    name,
    watch(script, name, env[name], methods),
  ]);
  return { ...env, ...Object.fromEntries(bindings) };
}

export default {
  async fetch(request, env, context) {
    nextLearning = request.headers.get("x-next-learning") ?? nextLearning;
    const script = Script.ofRequest(request.headers);
    return script.endRequest(await new Worker(context, watched(env, script)).fetch(request));
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
