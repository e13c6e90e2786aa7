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

const START: Counted = { status: "counting", rows: 0, share: null, problem: null };
const NONE: Counted = { ...START, status: "none" };

/** `selection` is null if there is nothing to count. */
export function useCounting(selection: Selection | null): Counting {
  const [counted, setCounted] = useState<Counted>(NONE);
  const [estimate, setEstimate] = useState<Estimate | null>(null);
  const [round, setRound] = useState(0);
  const running = useRef<AbortController | null>(null);
  const key = JSON.stringify(selection);

  useEffect(() => {
    setCounted(selection ? START : NONE);
    if (!selection) return;
    const abort = (running.current = new AbortController());
    const { signal } = abort;
    const onProgress: Parameters<typeof countRows>[1] = ({ rows, bytesScanned, bytesSkipped }, total) => {
      const share = total > 0 ? Math.min(1, (bytesScanned + bytesSkipped) / total) : null;
      if (!signal.aborted) setCounted({ ...START, rows, share });
    };
    countRows(selection, onProgress, signal).then(
      ({ rows, exact }) =>
        !signal.aborted && setCounted({ ...START, status: exact ? "done" : "stopped", rows }),
      (error: unknown) =>
        !signal.aborted &&
        setCounted((before) => ({ ...before, status: "failed", problem: problemFrom(error) })),
    );
    return () => abort.abort();
  }, [key, round]);

  useEffect(() => {
    setEstimate(null);
    if (!selection) return;
    const abort = new AbortController();
    getEstimate(selection, abort.signal).then(
      (found) => !abort.signal.aborted && setEstimate(found),
      () => undefined,
    );
    return () => abort.abort();
  }, [key]);

  return {
    ...counted,
    estimate,
    stop: () => {
      running.current?.abort();
      setCounted((before) => ({ ...before, status: "stopped" }));
    },
    go: () => setRound(round + 1),
  };
}
