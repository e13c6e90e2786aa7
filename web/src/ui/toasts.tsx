// Messages about what happened elsewhere, with a way to undo it.

import { useEffect, useRef } from "preact/hooks";
import type { Problem } from "../api";
import { t } from "../strings";
import { Icon, ProblemNote, useStore } from "./base";

interface Toast {
  id: number;
  text: string;
  undo?: () => Promise<unknown> | void;
  problem?: Problem;
  /** A way out of the problem. */
  action?: { label: string; run: () => unknown };
}

const VISIBLE_MS = 12_000;
let list: Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function set(next: Toast[]): void {
  list = next;
  for (const listener of listeners) listener();
}

export function toast(text: string, undo?: Toast["undo"]): void {
  set(
    [...list.filter((other) => other.problem || (undo && other.undo)), { id: ++last, text, undo }].slice(-3),
  );
}

export function toastProblem(problem: Problem, action?: Toast["action"]): void {
  set([...list, { id: ++last, text: "", problem, action }].slice(-3));
}

const dismiss = (id: number): void => set(list.filter((toast) => toast.id !== id));

/** Undoes what the newest message describes. */
export function undoLast(): void {
  const newest = list.findLast((toast) => toast.undo);
  if (newest) undo(newest);
}

function undo(toast: Toast): void {
  dismiss(toast.id);
  void toast.undo?.();
}

export function Toasts() {
  const toasts = useStore(
    () => list,
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  );
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.map((toast) => (
        <One key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

/** Stays while it is focused or pointed at. Problems stay until they are dismissed. */
function One({ toast }: { toast: Toast }) {
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (toast.problem) return;
    const timer = setInterval(() => {
      if (!root.current?.matches(":hover, :focus-within")) dismiss(toast.id);
    }, VISIBLE_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <div class="toast" ref={root}>
      {toast.problem ? <ProblemNote problem={toast.problem} /> : <p>{toast.text}</p>}
      {toast.action && (
        <button
          type="button"
          class="link"
          onClick={() => {
            dismiss(toast.id);
            void toast.action?.run();
          }}
        >
          {toast.action.label}
        </button>
      )}
      {toast.undo && (
        <button type="button" class="link" onClick={() => undo(toast)}>
          {t.actions.undo}
        </button>
      )}
      <button type="button" class="quiet square" aria-label={t.dismiss} onClick={() => dismiss(toast.id)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
