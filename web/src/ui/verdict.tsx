// The verdict of a receipt: whether the result is complete.

import { e } from "../export-strings";
import type { Receipt } from "../cuts";
import { Icon } from "./base";

const v = e.verdict;

export type Outcome = "complete" | "failed" | "running";

/** A cut that ended without its last byte is broken, whatever it calls itself. */
export const outcomeOf = ({ status, complete }: Receipt): Outcome =>
  status === "running" ? "running" : complete && status === "complete" ? "complete" : "failed";

const ICONS = { complete: "good", failed: "bad", running: "retry" } as const;

/** Icon and word. */
export const Verdict = ({ receipt }: { receipt: Receipt }) => {
  const outcome = outcomeOf(receipt);
  return (
    <span class={`verdict ${outcome}`}>
      <Icon name={ICONS[outcome]} /> {v[outcome]}
    </span>
  );
};

function explain(receipt: Receipt): string[] {
  switch (outcomeOf(receipt)) {
    case "running":
      return [v.runningText];
    case "failed":
      return [...(receipt.error ? [receipt.error] : []), v.failedText];
    default:
      return [v.completeText(receipt.rowsOut), receipt.verified ? v.verifiedText : v.unverifiedText];
  }
}

/** The verdict with what it means. */
export const VerdictNote = ({ receipt }: { receipt: Receipt }) => (
  <div class={`note outcome ${outcomeOf(receipt)}`}>
    <div>
      <strong>
        <Verdict receipt={receipt} />
      </strong>
      {explain(receipt).map((text) => (
        <p>{text}</p>
      ))}
    </div>
  </div>
);
