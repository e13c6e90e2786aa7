// The filter: as chips and as text, which are two views of one thing. The text is the state.

import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "./api";
import type { Counting } from "./counting";
import { c } from "./cut-strings";
import { and, condition, isCondition, nameOf, textOf, valuesOf } from "./filter-text";
import type { Condition, Tree } from "./filter-text";
import { bytes, dollars } from "./format";
import type { Facts, FilterError } from "./table";
import { Field, Icon, ProblemNote } from "./ui/base";

const f = c.filters;

/** The conditions that must all hold, in the order of the text. */
export const partsOf = (tree: Tree | null): Tree[] =>
  tree === null ? [] : "and" in tree ? tree.and : [tree];

/** The names of the columns in a filter. */
export function columnsIn(tree: Tree | null): Set<string> {
  const found = new Set<string>();
  const visit = (tree: Tree): void => {
    if ("and" in tree) tree.and.forEach(visit);
    else if ("or" in tree) tree.or.forEach(visit);
    else if ("not" in tree) visit(tree.not);
    else if (isCondition(tree)) found.add(tree.column);
  };
  if (tree) visit(tree);
  return found;
}

const isOn = (part: Tree, column: string, ops: string[]): boolean =>
  isCondition(part) && part.column === column && ops.includes(nameOf(part.op));

/** Adds a condition. A condition of the same kind on the same column is replaced, because both at once match nothing. */
function replaceOn(tree: Tree | null, column: string, ops: string[], added: Tree[]): Tree | null {
  return and(...partsOf(tree).filter((part) => !isOn(part, column, ops)), ...added);
}

export const withValue = (tree: Tree | null, column: string, value: string): Tree | null =>
  replaceOn(
    tree,
    column,
    ["eq", "isempty"],
    [value === "" ? condition(column, "isempty") : condition(column, "eq", value)],
  );

export const withoutValue = (tree: Tree | null, column: string, value: string): Tree | null =>
  and(tree, value === "" ? condition(column, "notempty") : condition(column, "ne", value));

export function withRange(tree: Tree | null, column: string, from: string, to: string): Tree | null {
  const added = [
    ...(from ? [condition(column, "gte", from)] : []),
    ...(to ? [condition(column, "lt", to)] : []),
  ];
  return replaceOn(tree, column, ["gte", "lt"], added);
}

// --- The editor of one condition ----------------------------------------------------------------------------------------

export interface FilterColumn {
  name: string;
  type: string | null;
  facts: Facts | null;
}

const TEXT_OPS = [
  "eq",
  "ne",
  "contains",
  "ncontains",
  "startswith",
  "endswith",
  "in",
  "notin",
  "ieq",
  "like",
  "regex",
];
const NUMBER_OPS = ["numeq", "numne", "gte", "gt", "lte", "lt", "between", "notbetween", "in", "notin"];
const DATE_OPS = ["on", "noton", "gte", "gt", "lte", "lt", "between", "notbetween"];
const EMPTY_OPS = ["isempty", "notempty"];
const DATES = ["date", "datetime"];

/** The operators that suit a type. */
function opsOf(type: string | null): string[] {
  if (type === "integer" || type === "decimal") return [...NUMBER_OPS, ...EMPTY_OPS];
  if (DATES.includes(type ?? "")) return [...DATE_OPS, ...EMPTY_OPS];
  if (type === "boolean") return ["eq", "ne", ...EMPTY_OPS];
  return [...TEXT_OPS, ...EMPTY_OPS];
}

const opName = (op: string, type: string | null): string =>
  (DATES.includes(type ?? "") && f.dateOps[op]) || f.ops[op] || op;

/** The suggestions of a column: its frequent values, or else some of its values. */
const suggestions = (facts: Facts | null): string[] =>
  (facts?.topValues?.values.map(({ value }) => value) ?? facts?.samples ?? []).filter(Boolean);

interface Editing {
  column: string;
  op: string;
  values: string[];
}

const editingOf = ({ column, op, value }: Condition): Editing => ({
  column,
  op: nameOf(op),
  values: value === undefined ? [] : [value].flat().map(String),
});

/** The condition; null while a value is missing. */
function conditionOf({ column, op, values }: Editing): Condition | null {
  const kind = valuesOf(op);
  if (kind === "none") return condition(column, op);
  if (kind === "one") return values[0] ? condition(column, op, values[0]) : null;
  if (kind === "two") return values[0] && values[1] ? condition(column, op, values.slice(0, 2)) : null;
  const list = values.filter(Boolean);
  return list.length > 0 ? condition(column, op, list) : null;
}

interface EditorProps {
  columns: FilterColumn[];
  initial: Editing;
  isNew: boolean;
  onChange: (condition: Condition | null) => void;
  onClose: () => void;
  onRemove: () => void;
}

function Editor({ columns, initial, isNew, onChange, onClose, onRemove }: EditorProps) {
  const [editing, setEditing] = useState(initial);
  const root = useRef<HTMLFormElement>(null);
  const id = useId();
  useLayoutEffect(() => root.current!.querySelector<HTMLElement>(isNew ? "input" : ".value")?.focus(), []);
  const column = columns.find(({ name }) => name === editing.column);
  const ops = opsOf(column?.type ?? null);
  const change = (next: Editing) => {
    setEditing(next);
    if (columns.some(({ name }) => name === next.column)) onChange(conditionOf(next));
  };
  const pick = (name: string) => {
    const found = columns.find((column) => column.name === name);
    const fitting = opsOf(found?.type ?? null);
    change({ ...editing, column: name, op: fitting.includes(editing.op) ? editing.op : fitting[0]! });
  };
  const set = (index: number, value: string) => {
    const values = [...editing.values];
    values[index] = value;
    change({ ...editing, values });
  };
  const kind = valuesOf(editing.op);
  const value = (index: number, label: string) => (
    <Field label={label}>
      {(a) => (
        <input
          {...a}
          class="value"
          dir="auto"
          list={`${id}-values`}
          value={editing.values[index] ?? ""}
          onInput={(event) => set(index, event.currentTarget.value)}
        />
      )}
    </Field>
  );
  return (
    <form
      ref={root}
      class="condition"
      aria-label={isNew ? f.newTitle : f.changeTitle}
      onSubmit={(event) => {
        event.preventDefault();
        onClose();
      }}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onClose();
      }}
    >
      <Field label={f.column}>
        {(a) => (
          <input
            {...a}
            dir="auto"
            list={`${id}-columns`}
            value={editing.column}
            onInput={(event) => pick(event.currentTarget.value)}
            onFocus={(event) => event.currentTarget.select()}
            onKeyDown={(event) => {
              // A condition is not complete before it has an operator and a value.
              if (event.key !== "Enter" || event.isComposing) return;
              event.preventDefault();
              if (column) root.current!.querySelector("select")?.focus();
            }}
          />
        )}
      </Field>
      <datalist id={`${id}-columns`}>
        {columns.slice(0, 500).map(({ name }) => (
          <option value={name} />
        ))}
      </datalist>
      <Field label={f.operator}>
        {(a) => (
          <select
            {...a}
            value={editing.op}
            onChange={(event) => change({ ...editing, op: event.currentTarget.value })}
          >
            {(ops.includes(editing.op) ? ops : [editing.op, ...ops]).map((op) => (
              <option value={op}>{opName(op, column?.type ?? null)}</option>
            ))}
          </select>
        )}
      </Field>
      {kind === "one" && value(0, f.value)}
      {kind === "two" && value(0, f.valueFrom)}
      {kind === "two" && value(1, f.valueTo)}
      {kind === "list" && (
        <Field label={f.values}>
          {(a) => (
            <textarea
              {...a}
              class="value"
              dir="auto"
              rows={3}
              value={editing.values.join("\n")}
              onInput={(event) => change({ ...editing, values: event.currentTarget.value.split("\n") })}
            />
          )}
        </Field>
      )}
      <datalist id={`${id}-values`}>
        {suggestions(column?.facts ?? null).map((value) => (
          <option value={value} />
        ))}
      </datalist>
      <span class="row">
        <button type="submit">{f.done}</button>
        {!isNew && (
          <button type="button" class="quiet" onClick={onRemove}>
            {f.removeIt}
          </button>
        )}
      </span>
    </form>
  );
}

// --- The whole ------------------------------------------------------------------------------------------------------------

export interface FilterState {
  /** The text in the field, which may be wrong. */
  text: string;
  /** The conditions to show. */
  tree: Tree | null;
  /** Whether `tree` cannot be used, so that it does not decide which rows there are. */
  isUnused: boolean;
  errors: FilterError[];
  problem: Problem | null;
}

interface Props {
  state: FilterState;
  /** The filter that decides which rows are shown. */
  applied: string;
  q: string;
  columns: FilterColumn[];
  counting: Counting;
  isText: boolean;
  /** The column of a new condition that another part of the page has asked for. */
  asked: { column: string } | null;
  onText: (isText: boolean) => void;
  onAsked: (asked: { column: string } | null) => void;
  onEdit: (text: string, isTyping: boolean, tree?: Tree | null) => void;
  onSearch: (q: string) => void;
}

export function Filters(props: Props) {
  const { state, applied, q, columns, counting, isText, asked, onEdit } = props;
  const [edited, setEdited] = useState<number | null>(null);
  const add = useRef<HTMLButtonElement>(null);
  const parts = partsOf(state.tree);
  const isWrong = state.errors.length > 0;
  const write = (next: (Tree | null)[], isTyping = false) => {
    const tree = and(...next);
    onEdit(textOf(tree), isTyping, tree);
  };
  const close = () => {
    setEdited(null);
    props.onAsked(null);
    requestAnimationFrame(() => add.current?.focus());
  };
  // The parts without a new condition, to which the editor adds it.
  const before = useRef<Tree[]>([]);
  const open = (column: string) => {
    before.current = parts;
    props.onAsked({ column });
  };
  useEffect(() => {
    if (asked) {
      before.current = parts;
      setEdited(null);
    }
  }, [asked]);
  const first = asked && columns.find(({ name }) => name === asked.column);
  return (
    <section class="filters" aria-label={f.title}>
      <div class="chips">
        <SearchAll q={q} onSearch={props.onSearch} />
        {parts.map((part, index) => {
          const text = textOf(part);
          return (
            <span
              class={state.isUnused ? "chip unused" : "chip"}
              title={state.isUnused ? f.unused : undefined}
            >
              <button
                type="button"
                aria-label={f.edit(text)}
                aria-expanded={isCondition(part) ? edited === index : undefined}
                onClick={() => {
                  before.current = parts;
                  props.onAsked(null);
                  if (isCondition(part)) setEdited(edited === index ? null : index);
                  else props.onText(true);
                }}
              >
                <bdi>{text}</bdi>
              </button>
              <button
                type="button"
                aria-label={f.remove(text)}
                onClick={() => {
                  setEdited(null);
                  write(parts.filter((_, other) => other !== index));
                }}
              >
                <Icon name="close" />
              </button>
            </span>
          );
        })}
        <button
          ref={add}
          type="button"
          class="quiet"
          aria-keyshortcuts="f"
          aria-expanded={asked !== null}
          onClick={() => (asked ? close() : open(columns[0]?.name ?? ""))}
        >
          <Icon name="plus" /> {f.add}
        </button>
        <span class="grow" />
        <button type="button" class="quiet" aria-pressed={isText} onClick={() => props.onText(!isText)}>
          <Icon name="code" /> {f.asText}
        </button>
      </div>
      {asked && first && (
        <Editor
          key={`new ${asked.column}`}
          columns={columns}
          isNew
          initial={{ column: first.name, op: opsOf(first.type)[0]!, values: [] }}
          onChange={(condition) => write([...before.current, condition], true)}
          onClose={close}
          onRemove={close}
        />
      )}
      {edited !== null && before.current[edited] && isCondition(before.current[edited]) && (
        <Editor
          key={edited}
          columns={columns}
          isNew={false}
          initial={editingOf(before.current[edited])}
          onChange={(condition) =>
            condition &&
            write(
              before.current.map((part, index) => (index === edited ? condition : part)),
              true,
            )
          }
          onClose={close}
          onRemove={() => {
            write(before.current.filter((_, index) => index !== edited));
            close();
          }}
        />
      )}
      {(isText || isWrong) && <TextForm state={state} applied={applied} onEdit={onEdit} />}
      {state.problem && <ProblemNote problem={state.problem} />}
      <CountLine counting={counting} />
    </section>
  );
}

function SearchAll({ q, onSearch }: { q: string; onSearch: (q: string) => void }) {
  const [text, setText] = useState(q);
  useEffect(() => setText(q), [q]);
  useEffect(() => {
    if (text === q) return;
    const timer = setTimeout(() => onSearch(text), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <span class="search">
      <Icon name="search" />
      <input
        id="search-all"
        type="search"
        dir="auto"
        aria-label={f.search}
        placeholder={f.search}
        aria-keyshortcuts="/"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onSearch(text);
        }}
      />
    </span>
  );
}

interface TextProps {
  state: FilterState;
  applied: string;
  onEdit: (text: string, isTyping: boolean) => void;
}

function TextForm({ state, applied, onEdit }: TextProps) {
  const id = useId();
  const { text, errors } = state;
  const isWrong = errors.length > 0;
  return (
    <div class="filter-text">
      <input
        id="filter-text"
        class="mono"
        aria-label={f.text}
        placeholder={f.textHint}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        value={text}
        aria-invalid={isWrong ? "true" : undefined}
        aria-describedby={isWrong ? id : undefined}
        onInput={(event) => onEdit(event.currentTarget.value, true)}
      />
      {isWrong && (
        <div id={id} class="filter-errors">
          {errors.map((error) => (
            <Fault error={error} text={text} onEdit={(next) => onEdit(next, false)} />
          ))}
          {applied !== text && <p class="muted small">{f.notUsed}</p>}
        </div>
      )}
    </div>
  );
}

interface FaultProps {
  error: FilterError;
  text: string;
  onEdit: (text: string) => void;
}

/** Where the text is wrong, what was expected there, and the name that was probably meant. */
function Fault({ error, text, onEdit }: FaultProps) {
  const { position, length, detail, expected, nearest } = error;
  const characters = [...text];
  const at = position ?? 0;
  const [before, fault, after] = [
    characters.slice(0, at).join(""),
    characters.slice(at, at + length).join(""),
    characters.slice(at + length).join(""),
  ];
  return (
    <div class="fault">
      {position !== null && position !== undefined && (
        <p class="mono small" aria-hidden="true">
          {before}
          <mark class={fault ? "" : "gap"}>{fault || "\u200a"}</mark>
          {after}
        </p>
      )}
      <p class="field-error">
        <Icon name="bad" /> <span>{detail}</span>
        {nearest && (
          <button type="button" class="small" onClick={() => onEdit(before + quoteName(nearest) + after)}>
            {f.use(nearest)}
          </button>
        )}
      </p>
      {expected.length > 0 && !nearest && <p class="muted small">{f.expected(expected.join(", "))}</p>}
    </div>
  );
}

/** A name as a filter writes it. */
const quoteName = (name: string): string => textOf(condition(name, "isempty")).replace(/ IS EMPTY$/, "");

function CountLine({ counting }: { counting: Counting }) {
  const { status, rows, estimate, problem, stop, go } = counting;
  if (status === "none") return null;
  const words: string[] = [];
  if (estimate) {
    const { bytesToScan, bytesSkipped, bytesTotal, costUsd } = estimate;
    const share = bytesTotal > 0 ? Math.floor((bytesSkipped / bytesTotal) * 100) : 0;
    words.push(c.count.reads(bytes(bytesToScan), bytes(bytesTotal), share));
    words.push(c.count.cost(dollars(costUsd)));
  }
  return (
    <div class="count-line">
      <strong role="status" aria-busy={status === "counting"}>
        {status === "done" && c.count.match(rows)}
        {status === "counting" && c.count.counting(rows, counting.share)}
        {status === "stopped" && c.count.atLeast(rows)}
        {status === "failed" && c.count.failed}
      </strong>
      {status === "counting" && counting.share !== null && (
        <progress aria-label={c.count.counting(rows, null)} value={counting.share} max={1} />
      )}
      {status === "counting" && (
        <button type="button" class="small" onClick={stop}>
          {c.count.stop}
        </button>
      )}
      {(status === "stopped" || status === "failed") && (
        <button type="button" class="small" onClick={go}>
          {c.count.go}
        </button>
      )}
      <span class="muted">{words.join(" · ")}</span>
      {problem && status === "failed" && <ProblemNote problem={problem} />}
    </div>
  );
}
