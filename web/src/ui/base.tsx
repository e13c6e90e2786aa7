// Small parts that every view uses.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem, noConnection } from "../net";
import { explain } from "../problems";
import { t } from "../strings";

/** Renders again when the store changes. */
export function useStore<T>(read: () => T, subscribe: (listener: () => void) => () => void): T {
  const [value, setValue] = useState(read);
  useEffect(() => {
    const update = () => setValue(() => read());
    update();
    return subscribe(update);
  }, []);
  return value;
}

const PATHS = {
  upload: "M8 11V3M4.5 6 8 2.5 11.5 6M2.5 10.5v3h11v-3",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.7 10.7 14 14",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "M3.5 3.5l9 9M12.5 3.5l-9 9",
  pause: "M5.5 3v10M10.5 3v10",
  play: "M4.5 2.8v10.4L13 8z",
  retry: "M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3",
  warn: "M8 2 1.5 13.5h13zM8 6.5V9.500M8 11.6h.01",
  bad: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.5M8 10.9h.01",
  good: "M3 8.5 6.5 12 13 4.5",
  user: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.6-2.800 2.700-4 5.500-4s4.900 1.200 5.500 4",
  offline:
    "M2 2l12 12M4.500 9.500a5 5 0 0 1 2-1.200M1.800 6.600A9 9 0 0 1 4 5.100M7 4a9 9 0 0 1 7.200 2.600M8 12.500h.01",
  cut: "M4.500 6.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM4.500 13.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM6 5.800 14 12M6 10.200 14 4",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  first: "M4 12l4-4 4 4M4 4h8",
  last: "M4 4l4 4 4-4M4 12h8",
  plus: "M8 3v10M3 8h10",
  code: "M5.5 4 2 8l3.500 4M10.500 4 14 8l-3.500 4",
  columns: "M2.500 3h11v10h-11zM6.200 3v10M9.800 3v10",
  idea: "M6 13.500h4M6.200 11c0-1.500-2.200-2.300-2.200-5a4 4 0 0 1 8 0c0 2.700-2.200 3.500-2.200 5z",
};

export const Icon = ({ name }: { name: keyof typeof PATHS }) => (
  <svg
    class={`icon icon-${name}`}
    viewBox="0 0 16 16"
    width="16"
    height="16"
    aria-hidden="true"
    focusable="false"
  >
    <path d={PATHS[name]} />
  </svg>
);

export const problemFrom = (error: unknown): Problem =>
  error instanceof Problem
    ? error
    : error instanceof TypeError
      ? noConnection()
      : new Problem(0, "unknown", t.errors.unexpected, String(error));

/** Whether the server is at fault. Then the request id helps its operator to find the cause. */
const isOurs = ({ status }: Problem): boolean => status === 0 || status >= 500;

/** What happened, and what to do. */
export function ProblemNote({ problem, children }: { problem: Problem; children?: ComponentChildren }) {
  const { title, detail } = explain(problem);
  return (
    <div class="note bad" role="alert">
      <Icon name="bad" />
      <div>
        <strong>{title}</strong>
        <p>{detail}</p>
        {isOurs(problem) && problem.requestId && (
          <p class="muted small mono">{t.errors.requestId(problem.requestId)}</p>
        )}
        {children}
      </div>
    </div>
  );
}

/**
 * Puts the problem of a form where it belongs: below the field that has to change, which gets the focus, or into a note
 * for the whole form.
 */
export function useFormProblem(
  form: { current: HTMLElement | null },
  fields: string[],
  problem: Problem | null,
) {
  const explained = problem && explain(problem);
  const field = explained?.field && fields.includes(explained.field) ? explained.field : null;
  useLayoutEffect(() => {
    if (!field) return;
    const input = form.current?.querySelector<HTMLElement>("[aria-invalid=true]");
    const group = input?.closest("details");
    if (group) group.open = true;
    input?.focus();
  }, [problem]);
  return {
    note: problem && !field ? problem : null,
    errorOf: (name: string) => (name === field ? explained?.detail : undefined),
  };
}

/** A file name: it never changes the direction of the text around it. */
export const Name = ({ children }: { children: string }) => <bdi class="name">{children}</bdi>;

interface DialogProps {
  title: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
  wide?: boolean;
  /** Whether the user must answer: no close button, and Esc does nothing. */
  required?: boolean;
}

export function Dialog({ title, onClose, children, wide, required }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Layout effects move the focus before the next key is pressed.
  useLayoutEffect(() => {
    const dialog = ref.current!;
    const before = document.activeElement;
    dialog.showModal();
    const first = dialog.querySelector<HTMLElement>("[data-focus]");
    first?.focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={wide ? "wide" : ""}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        if (!required) onClose();
      }}
      onKeyDown={(event) => {
        // Chromium closes a dialog at the second Esc even if `cancel` was prevented.
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        if (!required) onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current && !required) onClose();
      }}
    >
      <section class="dialog">
        <header>
          <h2 id={id}>{title}</h2>
          {!required && (
            <button type="button" class="quiet square" aria-label={t.close} onClick={onClose}>
              <Icon name="close" />
            </button>
          )}
        </header>
        {children}
      </section>
    </dialog>
  );
}

export interface Action {
  label: string;
  run: () => void;
  isDangerous?: boolean;
  /** Whether a line separates it from the actions above. */
  isGroup?: boolean;
}

interface MenuProps {
  label: string;
  actions: Action[];
  children: ComponentChildren;
  class?: string;
  header?: ComponentChildren;
}

const MENU_MARGIN = 8;

/** A button that opens a list of actions, below it or where there is more space. Arrows move, Esc closes. */
export function Menu({ label, actions, children, header, ...rest }: MenuProps) {
  const [isOpen, setOpen] = useState(false);
  const [isUp, setUp] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const popup = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const items = () => [...root.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
  useLayoutEffect(() => {
    if (!isOpen) return;
    const { bottom, top } = root.current!.getBoundingClientRect();
    const below = innerHeight - bottom;
    const isAbove = popup.current!.scrollHeight > below - MENU_MARGIN && top > below;
    setUp(isAbove);
    popup.current!.style.maxHeight = `${Math.max(120, (isAbove ? top : below) - MENU_MARGIN)}px`;
    items()[0]?.focus({ preventScroll: true });
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [isOpen]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!isOpen) {
      if (event.key !== "ArrowDown") return;
      event.preventDefault();
      event.stopPropagation();
      return setOpen(true);
    }
    event.stopPropagation();
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const moves: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all.at(to % all.length)?.focus();
    } else if (event.key === "Escape") {
      event.preventDefault();
      setOpen(false);
      button.current?.focus();
    } else if (event.key === "Tab") setOpen(false);
  };
  return (
    <div class="menu" ref={root} onKeyDown={onKeyDown}>
      <button
        ref={button}
        type="button"
        class={rest.class ?? "quiet square"}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        {children}
      </button>
      {isOpen && (
        <div class={isUp ? "popup up" : "popup"} ref={popup}>
          {header}
          <div id={id} role="menu" aria-label={label}>
            {actions.map(({ label, run, isDangerous, isGroup }) => (
              <>
                {isGroup && <div role="separator" />}
                <button
                  type="button"
                  role="menuitem"
                  tabIndex={-1}
                  class={isDangerous ? "danger" : ""}
                  onClick={() => {
                    setOpen(false);
                    button.current?.focus();
                    run();
                  }}
                >
                  {label}
                </button>
              </>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

interface FieldProps {
  label: string;
  hint?: string;
  /** What is wrong with the value. */
  error?: string;
  children: (attributes: {
    id: string;
    "aria-describedby"?: string;
    "aria-invalid"?: "true";
  }) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  // An error says more than the hint.
  const text = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({
        id,
        ...(text && { "aria-describedby": text }),
        ...(error && { "aria-invalid": "true" as const }),
      })}
      {error && (
        <p id={`${id}-error`} class="field-error">
          <Icon name="bad" /> <span>{error}</span>
        </p>
      )}
      {hint && !error && (
        <p id={`${id}-hint`} class="muted small">
          {hint}
        </p>
      )}
    </div>
  );
}

export const parseTags = (text: string): string[] => [
  ...new Set(
    text
      .split(",")
      .map((tag) => tag.trim())
      .filter(Boolean),
  ),
];
