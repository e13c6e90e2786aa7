// Buttons that export a list to a file. The script reads the bytes, because a browser cannot send the access token with a
// download.

import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api";
import { au } from "../audit-strings";
import { readExport, store } from "../auditing";
import type { Export } from "../auditing";
import { bytes } from "../format";
import { ProblemNote, problemFrom } from "./base";

const o = au.ops;

export interface Choice {
  label: string;
  filename: string;
  wanted: Export;
}

type State =
  | { kind: "idle" }
  | { kind: "running"; size: number }
  | { kind: "stopped" }
  | { kind: "done"; filename: string; size: number }
  | { kind: "failed"; problem: Problem };

/** The text of the progress changes at most this often. */
const UPDATE_MS = 250;

export function Exports({ choices }: { choices: Choice[] }) {
  const [state, setState] = useState<State>({ kind: "idle" });
  const [running, setRunning] = useState<string | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const run = async ({ label, filename, wanted }: Choice) => {
    const { signal } = (abort.current = new AbortController());
    let shownAt = 0;
    setRunning(label);
    setState({ kind: "running", size: 0 });
    const onBytes = (size: number) => {
      if (signal.aborted || performance.now() - shownAt < UPDATE_MS) return;
      shownAt = performance.now();
      setState({ kind: "running", size });
    };
    try {
      const blob = await readExport(wanted, onBytes, signal);
      if (signal.aborted) return;
      store(blob, filename);
      setState({ kind: "done", filename, size: blob.size });
    } catch (error) {
      if (signal.aborted) return;
      const problem = problemFrom(error);
      // A response that ends too early has no problem of its own.
      const isCut = problem.status === 0 && navigator.onLine;
      setState({
        kind: "failed",
        problem: isCut ? new Problem(400, "unknown", o.brokenOffTitle, o.brokenOff) : problem,
      });
    }
    setRunning(null);
  };
  const stop = () => {
    abort.current?.abort();
    setRunning(null);
    setState({ kind: "stopped" });
  };
  return (
    <>
      <div class="row">
        {choices.map((choice) => {
          const isRunning = running === choice.label;
          return (
            <button
              type="button"
              key={choice.label}
              aria-disabled={running !== null && !isRunning}
              onClick={() => {
                if (isRunning) stop();
                else if (running === null) void run(choice);
              }}
            >
              {isRunning ? `${o.stop}: ${choice.label}` : choice.label}
            </button>
          );
        })}
      </div>
      {state.kind === "running" && <progress aria-label={o.exportTitle} />}
      <div role="status">
        {state.kind === "running" && <p class="muted">{o.exporting(bytes(state.size))}</p>}
        {state.kind === "stopped" && <p>{o.exportStopped}</p>}
        {state.kind === "done" && <p>{o.exported(state.filename, bytes(state.size))}</p>}
      </div>
      {state.kind === "failed" && <ProblemNote problem={state.problem} />}
    </>
  );
}
