// How the file is read in this view. Loaded when it is first opened.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import type { Dialect, DialectOptions, FileView, Problem } from "./api";
import { c } from "./cut-strings";
import { count } from "./format";
import { isRead } from "./address";
import { t } from "./strings";
import { Field, ProblemNote, problemFrom } from "./ui/base";
import { ENCODINGS } from "./ui/encodings";

const r = t.reading;

interface Props {
  file: FileView;
  dialect: Dialect | null;
  reading: DialectOptions;
  onChange: (reading: DialectOptions) => void;
  onKept: (file: FileView) => void;
  onClose: () => void;
}

const DELIMITERS: Record<string, string> = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe" };

const TYPING_MS = 400;

export function ReadingForm({ file, dialect, reading, onChange, onKept, onClose }: Props) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const root = useRef<HTMLElement>(null);
  useLayoutEffect(() => root.current!.querySelector<HTMLElement>("select")?.focus(), []);

  const set = (name: keyof DialectOptions, value: unknown) => {
    const next: Record<string, unknown> = { ...reading, [name]: value };
    if (value === "" || value === null) delete next[name];
    onChange(next as DialectOptions);
  };
  const keep = async () => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      // The stored rules are replaced as a whole, so the other rules are sent again.
      const { dialectOptions } = await api.getFile(file.id);
      onKept(await api.changeFile(file.id, { dialect: { ...dialectOptions, ...reading } }));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const now = (value: string | null | undefined, isSet: boolean): string =>
    value && !isSet ? c.reading.fileRuleAs(value) : c.reading.fileRule;
  const choice = (
    name: keyof DialectOptions,
    label: string,
    detected: string,
    options: [string, string][],
  ) => {
    const value = reading[name] ?? "";
    return (
      <Field label={label}>
        {(a) => (
          <select {...a} value={String(value)} onChange={(event) => set(name, event.currentTarget.value)}>
            <option value="">{now(detected, value !== "")}</option>
            {options.map(([value, label]) => (
              <option value={value}>{label}</option>
            ))}
          </select>
        )}
      </Field>
    );
  };
  const d = dialect;
  const delimiter = reading.delimiter ?? "";
  const isOther = delimiter !== "" && !["comma", "semicolon", "tab", "pipe", "none"].includes(delimiter);
  return (
    <section
      class="panel reading-form"
      aria-labelledby="reading-form-title"
      ref={root}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <div class="row">
        <h2 id="reading-form-title">{c.reading.title}</h2>
        <span class="grow" />
        <button type="button" onClick={onClose}>
          {t.close}
        </button>
      </div>
      <p class="muted">{c.reading.hint}</p>
      <div class="fields">
        <Field label={r.delimiter}>
          {(a) => (
            <select
              {...a}
              value={isOther ? "other" : delimiter}
              onChange={(event) =>
                set("delimiter", event.currentTarget.value === "other" ? "~" : event.currentTarget.value)
              }
            >
              <option value="">
                {now(d?.delimiter ? (r.delimiters[d.delimiter] ?? d.delimiter) : r.none, delimiter !== "")}
              </option>
              {Object.values(DELIMITERS).map((word) => (
                <option value={word}>{word}</option>
              ))}
              <option value="none">{r.none}</option>
              <option value="other">{r.other}</option>
            </select>
          )}
        </Field>
        {isOther && (
          <Typed
            label={r.delimiterText}
            value={delimiter}
            max={4}
            onChange={(value) => set("delimiter", value)}
          />
        )}
        <Typed
          label={r.encoding}
          value={reading.encoding ?? ""}
          list={ENCODINGS}
          placeholder={now(d?.encoding, !!reading.encoding)}
          onChange={(value) => set("encoding", value)}
        />
        {choice("quote", r.quote, { '"': r.doubleQuote, "'": r.singleQuote }[d?.quote ?? ""] ?? r.none, [
          ['"', r.doubleQuote],
          ["'", r.singleQuote],
          ["none", r.none],
        ])}
        <Field label={r.inputHeader}>
          {(a) => (
            <select
              {...a}
              value={String(reading.inputHeader ?? "")}
              onChange={(event) => {
                const { value } = event.currentTarget;
                set("inputHeader", value === "" ? "" : value === "true");
              }}
            >
              <option value="">
                {now(d ? (d.headerRow ? r.headerYes : r.headerNo) : null, reading.inputHeader !== undefined)}
              </option>
              <option value="true">{r.headerYes}</option>
              <option value="false">{r.headerNo}</option>
            </select>
          )}
        </Field>
        <Typed
          label={r.skipRows}
          value={String(reading.skipRows ?? "")}
          isNumber
          placeholder={now(d && count(d.skipRows), reading.skipRows !== undefined)}
          onChange={(value) => set("skipRows", value === "" ? "" : Number(value))}
        />
        <Typed
          label={r.skipFooter}
          value={String(reading.skipFooter ?? "")}
          isNumber
          placeholder={now(d && count(d.skipFooter), reading.skipFooter !== undefined)}
          onChange={(value) => set("skipFooter", value === "" ? "" : Number(value))}
        />
        <details>
          <summary>{r.more}</summary>
          <div class="fields">
            {choice("escape", r.escape, r.escapes[d?.escape ?? ""] ?? "", Object.entries(r.escapes))}
            <Typed
              label={r.comment}
              value={reading.comment ?? ""}
              max={4}
              placeholder={now(d?.comment ?? r.noComment, !!reading.comment)}
              onChange={(value) => set("comment", value)}
            />
            {choice("trim", r.trim, r.trims[d?.trim ?? ""] ?? "", Object.entries(r.trims))}
            {choice("ragged", r.ragged, r.raggeds[d?.ragged ?? ""] ?? "", Object.entries(r.raggeds))}
            {choice(
              "repeatedHeaders",
              r.repeatedHeaders,
              r.repeats[d?.repeatedHeaders ?? ""] ?? "",
              Object.entries(r.repeats),
            )}
            <Typed
              label={r.nullValues}
              hint={r.nullValuesHint}
              value={(reading.nullValues ?? []).join(", ")}
              placeholder={now(d?.nullValues.join(", ") || r.noNullValues, !!reading.nullValues)}
              onChange={(value) =>
                set("nullValues", value === "" ? "" : value.split(",").map((word) => word.trim()))
              }
            />
          </div>
        </details>
      </div>
      {problem && <ProblemNote problem={problem} />}
      <div class="row">
        {!file.sharedBy && (
          <button type="button" disabled={!isRead(reading)} aria-busy={isBusy} onClick={() => void keep()}>
            {c.reading.keep}
          </button>
        )}
        <button type="button" class="quiet" disabled={!isRead(reading)} onClick={() => onChange({})}>
          {c.reading.reset}
        </button>
      </div>
    </section>
  );
}

interface TypedProps {
  label: string;
  value: string;
  hint?: string;
  placeholder?: string;
  list?: string[];
  max?: number;
  isNumber?: boolean;
  onChange: (value: string) => void;
}

/** A field whose value is used a moment after the last key. */
function Typed({ label, value, hint, placeholder, list, max, isNumber, onChange }: TypedProps) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <Field label={label} hint={hint}>
      {(a) => (
        <>
          <input
            {...a}
            value={text}
            placeholder={placeholder}
            maxLength={max}
            list={list && `${a.id}-list`}
            {...(isNumber && { type: "number" as const, min: 0 })}
            onInput={(event) => setText(event.currentTarget.value)}
          />
          {list && (
            <datalist id={`${a.id}-list`}>
              {list.map((value) => (
                <option value={value} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Field>
  );
}
