// Counts the rows that match, and estimates what a cut would read.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "./api";
import { countRows, getEstimate } from "./table";
import type { Estimate, Selection } from "./table";
import { problemFrom } from "./ui/base";

export interface Counting {
  status: "none" | "counting" | "done" | "stopped" | "failed";
  /** Rows that are known to match. Exact if the status is `done`. */
  rows: number;
  /** The part of the file that was counted, from 0 to 1; null while it is not known. */
  share: number | null;
  estimate: Estimate | null;
  problem: Problem | null;
  stop: () => void;
  go: () => void;
}

type Counted = Omit<Counting, "stop" | "go" | "estimate">;

/** What was learned of one selection. It says nothing about another. */
interface Learned {
  key: string;
  counted: Counted;
  estimate: Estimate | null;
}

const START: Counted = { status: "counting", rows: 0, share: null, problem: null };
const NONE: Counted = { ...START, status: "none" };

/** `selection` is null if there is nothing to count. */
export function useCounting(selection: Selection | null): Counting {
  const key = JSON.stringify(selection);
  const start: Learned = { key, counted: selection ? START : NONE, estimate: null };
  const [learned, setLearned] = useState<Learned>(start);
  const [round, setRound] = useState(0);
  const running = useRef<AbortController | null>(null);
  const learn = (changes: (before: Counted) => Partial<Learned>) =>
    setLearned((before) => {
      const now = before.key === key ? before : start;
      return { ...now, ...changes(now.counted) };
    });

  // The estimate is asked for first, because the server may be busy with the count for long.
  useEffect(() => {
    if (!selection) return;
    const abort = new AbortController();
    getEstimate(selection, abort.signal).then(
      (estimate) => !abort.signal.aborted && learn(() => ({ estimate })),
      () => undefined,
    );
    return () => abort.abort();
  }, [key]);

  useEffect(() => {
    learn(() => ({ counted: start.counted }));
    if (!selection) return;
    const abort = (running.current = new AbortController());
    const { signal } = abort;
    const set = (changes: Partial<Counted>) =>
      !signal.aborted && learn((before) => ({ counted: { ...before, ...changes } }));
    const onProgress: Parameters<typeof countRows>[1] = ({ rows, bytesScanned, bytesSkipped }, total) =>
      set({ rows, share: total > 0 ? Math.min(1, (bytesScanned + bytesSkipped) / total) : null });
    countRows(selection, onProgress, signal).then(
      ({ rows, exact }) => set({ status: exact ? "done" : "stopped", rows, share: null }),
      (error: unknown) => set({ status: "failed", problem: problemFrom(error) }),
    );
    return () => abort.abort();
  }, [key, round]);

  const { counted, estimate } = learned.key === key ? learned : start;
  return {
    ...counted,
    estimate,
    stop: () => {
      running.current?.abort();
      learn((before) => ({ counted: { ...before, status: "stopped" } }));
    },
    go: () => setRound(round + 1),
  };
}
