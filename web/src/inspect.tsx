// One cell in full, and one column with its statistics. Loaded when one of them is first opened.

import { useEffect, useRef, useState } from "preact/hooks";
import { Visible } from "./cell-text";
import { c } from "./cut-strings";
import { count } from "./format";
import { Picture, distinctText, typeName } from "./heads";
import { fullCell } from "./rows";
import type { Cell } from "./rows";
import type { Facts, Selection } from "./table";
import { Dialog, Field, Name, ProblemNote, problemFrom } from "./ui/base";
import type { Problem } from "./api";

/** Characters of a value that are shown at once: a browser needs seconds for a text of megabytes in one block. */
const SHOWN = 20_000;
/** Bytes of a value in a condition. */
const MAX_VALUE_BYTES = 1024;

interface CellProps {
  selection: Selection;
  cell: Cell | undefined;
  /** From 0 in the rows that are shown, and from 1 in the file. */
  row: number;
  number: number;
  column: { name: string; index: number };
  onKeep: (value: string) => void;
  onDrop: (value: string) => void;
  onClose: () => void;
}

export function CellDialog({ selection, cell, row, number, column, onKeep, onDrop, onClose }: CellProps) {
  const isLong = typeof cell === "object";
  const [text, setText] = useState(isLong ? cell.excerpt : (cell ?? ""));
  const [isWhole, setWhole] = useState(!isLong);
  const [isAll, setAll] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [said, setSaid] = useState("");
  const abort = useRef(new AbortController());
  useEffect(() => () => abort.current.abort(), []);
  const length = isLong ? cell.length : text.length;
  const whole = async (): Promise<string> => {
    if (isWhole) return text;
    const full = await fullCell(selection, row, column.index, abort.current.signal);
    setText(full);
    setWhole(true);
    return full;
  };
  const run = async (work: () => Promise<void>) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      if (!abort.current.signal.aborted) setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const showAll = () =>
    run(async () => {
      await whole();
      setAll(true);
    });
  const copy = () =>
    run(async () => {
      const full = await whole();
      setSaid(
        await navigator.clipboard.writeText(full).then(
          () => c.cell.copied,
          () => c.cell.copyFailed,
        ),
      );
    });
  const limit = isAll ? text.length : Math.min(text.length, SHOWN);
  const canFilter =
    isWhole && new TextEncoder().encode(text.slice(0, MAX_VALUE_BYTES + 1)).length <= MAX_VALUE_BYTES;
  return (
    <Dialog title={<bdi>{c.cell.title(number, column.name)}</bdi>} wide onClose={onClose}>
      <p class="muted small">{limit < length ? c.cell.excerpt(limit, length) : c.cell.length(length)}</p>
      {text === "" ? (
        <p class="muted">{cell === undefined ? c.cell.missing : c.cell.empty}</p>
      ) : (
        <div class="value-text" dir="auto" tabIndex={0} role="group" aria-label={c.filters.value}>
          {piecesOf(text.slice(0, limit)).map((piece) => (
            <span>
              <Visible text={piece} keepLines />
            </span>
          ))}
        </div>
      )}
      {problem && <ProblemNote problem={problem} />}
      <div class="row">
        {limit < length && (
          <button type="button" aria-busy={isBusy} onClick={() => void showAll()}>
            {c.cell.showAll}
          </button>
        )}
        <button type="button" aria-busy={isBusy} onClick={() => void copy()}>
          {c.cell.copy}
        </button>
        <button type="button" disabled={!canFilter} onClick={() => onKeep(text)}>
          {c.cell.keep}
        </button>
        <button type="button" disabled={!canFilter} onClick={() => onDrop(text)}>
          {c.cell.drop}
        </button>
        <span role="status" class="muted">
          {said || (isWhole && !canFilter && c.cell.tooLong)}
        </span>
      </div>
    </Dialog>
  );
}

const PIECE = 8_000;

/** A long text in pieces, which a browser lays out one after the other. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; at += PIECE) pieces.push(text.slice(at, at + PIECE));
  return pieces;
}

// --- A column ---------------------------------------------------------------------------------------------------------------

interface ColumnProps {
  name: string;
  type: string | null;
  facts: Facts | null;
  canMove: { left: boolean; right: boolean };
  canHide: boolean;
  onRange: (from: string, to: string) => void;
  onValue: (value: string) => void;
  onFilter: () => void;
  onHide: () => void;
  onMove: (by: number) => void;
  onClose: () => void;
}

export function ColumnDialog(props: ColumnProps) {
  const { name, type, facts, onClose } = props;
  const [hovered, setHovered] = useState<string | null>(null);
  const isOrdered = facts?.histogram || ["integer", "decimal", "date", "datetime"].includes(type ?? "");
  return (
    <Dialog title={<Name>{name}</Name>} onClose={onClose}>
      <div class="row">
        <button type="button" data-focus onClick={props.onFilter}>
          {c.column.filter}
        </button>
        <button type="button" disabled={!props.canHide} onClick={props.onHide}>
          {c.column.hide}
        </button>
        <button type="button" disabled={!props.canMove.left} onClick={() => props.onMove(-1)}>
          {c.column.left}
        </button>
        <button type="button" disabled={!props.canMove.right} onClick={() => props.onMove(1)}>
          {c.column.right}
        </button>
      </div>
      {facts ? <FactList facts={facts} type={type} /> : <p class="muted">{c.column.noFacts}</p>}
      {facts?.histogram && (
        <div>
          <Picture
            facts={facts}
            name={name}
            isLarge
            onRange={props.onRange}
            onValue={props.onValue}
            onHover={setHovered}
          />
          <p class="muted small">{hovered ?? "\u00a0"}</p>
        </div>
      )}
      {isOrdered && <RangeForm type={type} facts={facts} onRange={props.onRange} />}
      {facts && <TopList facts={facts} onValue={props.onValue} />}
    </Dialog>
  );
}

function FactList({ facts, type }: { facts: Facts; type: string | null }) {
  const rows: [string, string | null | undefined | false][] = [
    [c.column.type, type && typeName(type)],
    [c.column.empties, typeof facts.empties === "number" && count(facts.empties)],
    [c.column.distinct, distinctText(facts)],
    [c.column.exceptions, !!facts.exceptions && count(facts.exceptions)],
    [c.column.min, facts.min],
    [c.column.max, facts.max],
    [c.column.mean, typeof facts.mean === "number" && facts.mean.toLocaleString()],
  ];
  return (
    <dl>
      {rows.map(
        ([label, value]) =>
          value && (
            <>
              <dt>{label}</dt>
              <dd>
                <bdi class="break">
                  <Visible text={value} />
                </bdi>
              </dd>
            </>
          ),
      )}
    </dl>
  );
}

/** Says what is wrong with the bounds of a range, and in which field. */
function rangeError(from: string, to: string, isDate: boolean): { from?: string; to?: string } {
  const isValid = (text: string) =>
    text === "" || (isDate ? /^\d{4}-\d{2}-\d{2}/.test(text) : Number.isFinite(Number(text)));
  const wrong = isDate ? c.column.notADate : c.column.notANumber;
  if (from === "" && to === "") return { from: c.column.noRange };
  if (!isValid(from)) return { from: wrong };
  if (!isValid(to)) return { to: wrong };
  const isEmpty = from !== "" && to !== "" && (isDate ? from >= to : Number(from) >= Number(to));
  return isEmpty ? { to: c.column.emptyRange } : {};
}

interface RangeProps {
  type: string | null;
  facts: Facts | null;
  onRange: ColumnProps["onRange"];
}

function RangeForm({ type, facts, onRange }: RangeProps) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [error, setError] = useState<{ from?: string; to?: string }>({});
  return (
    <form
      class="range"
      aria-label={c.column.range}
      onSubmit={(event) => {
        event.preventDefault();
        const wrong = rangeError(from, to, type === "date" || type === "datetime");
        setError(wrong);
        if (!wrong.from && !wrong.to) onRange(from, to);
      }}
    >
      <Field label={c.column.from} error={error.from}>
        {(a) => (
          <input
            {...a}
            value={from}
            placeholder={facts?.min ?? ""}
            onInput={(event) => setFrom(event.currentTarget.value.trim())}
          />
        )}
      </Field>
      <Field label={c.column.to} error={error.to}>
        {(a) => <input {...a} value={to} onInput={(event) => setTo(event.currentTarget.value.trim())} />}
      </Field>
      <button type="submit">{c.column.keepRange}</button>
    </form>
  );
}

function TopList({ facts, onValue }: { facts: Facts; onValue: (value: string) => void }) {
  const top = facts.topValues;
  // The bars of a histogram say more than the first values.
  if (!top && facts.histogram) return null;
  const values = top?.values ?? (facts.samples ?? []).map((value) => ({ value, count: 0 }));
  if (values.length === 0) return null;
  const most = Math.max(1, ...values.map(({ count }) => count));
  return (
    <section class="stack" aria-labelledby="top-values">
      <h3 id="top-values">{top ? c.column.values : c.column.samples}</h3>
      <ul class="top-values">
        {values.map(({ value, count: rows }) => (
          <li>
            <button
              type="button"
              class="quiet"
              aria-label={c.column.keep(value)}
              onClick={() => onValue(value)}
            >
              {value === "" ? (
                <i class="none">{c.column.emptyValue}</i>
              ) : (
                <bdi>
                  <Visible text={value} />
                </bdi>
              )}
            </button>
            {rows > 0 && <span class="muted">{count(rows)}</span>}
            {rows > 0 && <meter value={rows} max={most} aria-hidden="true" />}
          </li>
        ))}
      </ul>
      {top && !top.exact && <p class="muted small">{c.column.estimated}</p>}
    </section>
  );
}
