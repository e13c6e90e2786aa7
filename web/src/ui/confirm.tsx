// A question before something that cannot be taken back easily.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Problem } from "../api";
import { t } from "../strings";
import { Dialog, ProblemNote, problemFrom } from "./base";

interface ConfirmProps {
  title: string;
  text: ComponentChildren;
  /** The button that does it. */
  label: string;
  isDangerous?: boolean;
  /** If it fails, the dialog stays and shows the problem. */
  run: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks, does the work, and closes. The focus is on the answer that changes nothing. */
export function Confirm({ title, text, label, isDangerous, run, onClose }: ConfirmProps) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const confirm = async () => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      await run();
      onClose();
    } catch (error) {
      setProblem(problemFrom(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      {problem && <ProblemNote problem={problem} />}
      <p class="row end">
        <button type="button" data-focus onClick={onClose}>
          {t.cancel}
        </button>
        <button
          type="button"
          class={isDangerous ? "danger filled" : "primary"}
          aria-busy={isBusy}
          onClick={() => void confirm()}
        >
          {label}
        </button>
      </p>
    </Dialog>
  );
}
