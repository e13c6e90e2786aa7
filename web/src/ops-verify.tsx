// Verifies the audit log, part by part, and says in words what was found.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "./api";
import { au } from "./audit-strings";
import { verifyPart } from "./auditing";
import type { Broken } from "./auditing";
import { Icon, ProblemNote, problemFrom } from "./ui/base";

const o = au.ops;

interface Sums {
  checked: number;
  unsealed: number;
  lastSeq: number;
}

type State =
  | { kind: "idle" }
  | { kind: "running"; sums: Sums }
  | { kind: "stopped"; sums: Sums }
  | { kind: "intact"; sums: Sums }
  | { kind: "broken"; sums: Sums; broken: Broken | null }
  | { kind: "failed"; problem: Problem };

const NOTHING: Sums = { checked: 0, unsealed: 0, lastSeq: 0 };

export function Verify({ linkOf }: { linkOf: (id: string) => string }) {
  const [state, setState] = useState<State>({ kind: "idle" });
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);

  const run = async () => {
    const { signal } = (abort.current = new AbortController());
    let sums = NOTHING;
    setState({ kind: "running", sums });
    try {
      for (let cursor: string | null = null; ;) {
        const part = await verifyPart(cursor, signal);
        if (signal.aborted) return;
        sums = {
          checked: sums.checked + part.checked,
          unsealed: sums.unsealed + part.unsealed,
          lastSeq: part.lastSeq,
        };
        if (!part.valid) return setState({ kind: "broken", sums, broken: part.firstBroken ?? null });
        cursor = part.nextCursor ?? null;
        if (part.complete || !cursor) return setState({ kind: "intact", sums });
        setState({ kind: "running", sums });
      }
    } catch (error) {
      if (!signal.aborted) setState({ kind: "failed", problem: problemFrom(error) });
    }
  };
  const isRunning = state.kind === "running";
  const stop = () => {
    abort.current?.abort();
    if (isRunning) setState({ kind: "stopped", sums: state.sums });
  };
  return (
    <section class="stack" aria-labelledby="verify-title">
      <h2 id="verify-title">{o.verifyTitle}</h2>
      <p>{o.verifyText}</p>
      {/* One button with two roles keeps the focus. */}
      <button type="button" onClick={() => (isRunning ? stop() : void run())}>
        {isRunning ? o.stop : o.verify}
      </button>
      {isRunning && <progress aria-label={o.verifyTitle} />}
      <div role="status">
        {isRunning && <p class="muted">{o.verifying(state.sums.checked)}</p>}
        {state.kind === "stopped" && <p>{o.stopped(state.sums.checked)}</p>}
        {state.kind === "intact" && <Intact sums={state.sums} />}
        {state.kind === "broken" && <BrokenNote {...state} linkOf={linkOf} />}
      </div>
      {state.kind === "failed" && <ProblemNote problem={state.problem} />}
    </section>
  );
}

const Intact = ({ sums }: { sums: Sums }) => (
  <div class="note outcome complete">
    <Icon name="good" />
    <div>
      <strong>{o.intact}</strong>
      <p>{o.intactText(sums.checked, sums.lastSeq)}</p>
      {sums.unsealed > 0 && <p class="muted">{o.unsealed(sums.unsealed)}</p>}
    </div>
  </div>
);

interface BrokenProps {
  sums: Sums;
  broken: Broken | null;
  linkOf: (id: string) => string;
}

const BrokenNote = ({ sums, broken, linkOf }: BrokenProps) => (
  <div class="note outcome failed">
    <Icon name="bad" />
    <div>
      <strong>{o.broken}</strong>
      {broken && <p>{o.reasons[broken.reason] ?? o.reasonOther(broken.reason)}</p>}
      {typeof broken?.seq === "number" && <p>{o.brokenNumber(broken.seq)}</p>}
      <p>{o.brokenChecked(Math.max(0, sums.checked))}</p>
      {broken?.id && (
        <p>
          <a href={linkOf(broken.id)}>{o.showBroken}</a>
        </p>
      )}
      <p>{o.whatNow}</p>
    </div>
  </div>
);
