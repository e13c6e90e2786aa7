// The panel of columns: find, show, hide, and order them. Loaded when it is first opened.

import { useMemo, useRef, useState } from "preact/hooks";
import { c } from "./cut-strings";
import { typeName } from "./heads";
import type { Column } from "./table";
import { Dialog, Icon, Name } from "./ui/base";

const p = c.columns;
const SHOWN = 200;

interface Props {
  columns: Column[];
  /** The chosen columns in order; null means all in the order of the file. */
  chosen: string[] | null;
  onChange: (chosen: string[] | null) => void;
  onGo: (column: string) => void;
  onClose: () => void;
}

interface Item {
  name: string;
  type: string | null;
  isOn: boolean;
}

/** The chosen columns in their order, each hidden column after the one that stands before it in the file. */
function itemsOf(columns: Column[], chosen: string[] | null): Item[] {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const item = (name: string, isOn: boolean): Item => ({ name, type: byName.get(name)?.type ?? null, isOn });
  if (!chosen) return columns.map(({ name }) => item(name, true));
  const isOn = new Set(chosen);
  const hidden = columns.filter(({ name }) => !isOn.has(name)).map(({ name }) => item(name, false));
  return [...chosen.filter((name) => byName.has(name)).map((name) => item(name, true)), ...hidden];
}

/** Null if all columns are shown in the order of the file. */
export function normal(columns: Column[], chosen: string[]): string[] | null {
  const isAll = chosen.length === columns.length && chosen.every((name, at) => name === columns[at]!.name);
  return isAll ? null : chosen;
}

export function ColumnsPanel({ columns, chosen, onChange, onGo, onClose }: Props) {
  const [text, setText] = useState("");
  const [said, setSaid] = useState("");
  const list = useRef<HTMLUListElement>(null);
  const items = useMemo(() => itemsOf(columns, chosen), [columns, chosen]);
  const on = items.filter(({ isOn }) => isOn).map(({ name }) => name);
  const wanted = text.trim().toLowerCase();
  const found = wanted ? items.filter(({ name }) => name.toLowerCase().includes(wanted)) : items;
  const set = (next: string[]) => onChange(normal(columns, next));
  const toggle = (name: string, isOn: boolean) => {
    if (!isOn) return set(on.filter((other) => other !== name));
    // A column that is shown again returns to its place in the file, after the shown column before it.
    const place = new Map(columns.map(({ name }, index) => [name, index]));
    const before = on.findLastIndex((other) => place.get(other)! < place.get(name)!);
    set([...on.slice(0, before + 1), name, ...on.slice(before + 1)]);
  };
  const move = (name: string, by: number) => {
    const from = on.indexOf(name);
    const to = from + by;
    if (from < 0 || to < 0 || to >= on.length) return;
    const next = on.filter((other) => other !== name);
    next.splice(to, 0, name);
    set(next);
    setSaid(p.moved(name, to + 1, on.length));
    requestAnimationFrame(() =>
      list.current?.querySelector<HTMLElement>("[data-moved] input")?.focus({ preventScroll: false }),
    );
  };
  const lastMoved = useRef("");
  return (
    <Dialog title={p.title} onClose={onClose}>
      <input
        type="search"
        data-focus
        dir="auto"
        aria-label={p.find}
        placeholder={p.find}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !wanted || !found[0]) return;
          event.preventDefault();
          if (!found[0].isOn) toggle(found[0].name, true);
          onGo(found[0].name);
        }}
      />
      <div class="row">
        <button type="button" class="small" onClick={() => onChange(null)}>
          {on.length < items.length ? p.all : p.reset}
        </button>
        {wanted && found.length > 0 && (
          <button type="button" class="small" onClick={() => set(found.map(({ name }) => name))}>
            {p.onlyFound}
          </button>
        )}
        <span class="muted small" role="status">
          {c.columnsOf(on.length, items.length)}
        </span>
      </div>
      <ul class="column-list" ref={list} aria-label={p.title}>
        {found.slice(0, SHOWN).map(({ name, type, isOn }) => (
          <li
            key={name}
            data-moved={lastMoved.current === name || undefined}
            onKeyDown={(event) => {
              if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
              event.preventDefault();
              lastMoved.current = name;
              move(name, event.key === "ArrowUp" ? -1 : 1);
            }}
          >
            <label class="check">
              <input
                type="checkbox"
                aria-label={p.show(name)}
                checked={isOn}
                disabled={isOn && on.length === 1}
                onChange={(event) => toggle(name, event.currentTarget.checked)}
              />
            </label>
            <button
              type="button"
              class="quiet column-name"
              aria-label={p.goTo(name)}
              disabled={!isOn}
              onClick={() => onGo(name)}
            >
              <Name>{name}</Name>
            </button>
            {type && <span class="type">{typeName(type)}</span>}
            <button
              type="button"
              class="quiet square"
              aria-label={p.up(name)}
              disabled={!isOn || on[0] === name}
              onClick={() => move(name, -1)}
            >
              <Icon name="up" />
            </button>
            <button
              type="button"
              class="quiet square"
              aria-label={p.down(name)}
              disabled={!isOn || on.at(-1) === name}
              onClick={() => move(name, 1)}
            >
              <Icon name="down" />
            </button>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="muted">{p.noMatch}</p>}
      {found.length > SHOWN && <p class="muted small">{p.more(found.length - SHOWN)}</p>}
      <p class="muted small">{p.hint}</p>
      <p class="unseen" role="status">
        {said}
      </p>
    </Dialog>
  );
}
