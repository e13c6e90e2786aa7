// The panel that exports what the page of a file shows. Loaded when it is first opened.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem } from "./api";
import type { FileView } from "./api";
import { curlOf, linkOf, pythonOf } from "./code";
import { cutOf, receiptAddress, resultName } from "./cut";
import type { Cut, CutState } from "./cut";
import * as cuts from "./cuts";
import { e, o } from "./export-strings";
import { bytes, dollars } from "./format";
import { SEPARATORS, forExcel, isForExcel, isTable, membersOf, outputOf } from "./output";
import type { Format, Output } from "./output";
import { hiddenWords, shownOnly } from "./output-words";
import { RecipesPanel } from "./recipes";
import { ShareDialog } from "./share";
import { Dialog, Field, Icon, Name, ProblemNote, parseTags, problemFrom, useFormProblem } from "./ui/base";
import { CopyButton } from "./ui/copy";
import { DownloadResult, useDownload } from "./ui/download";

/** Shares the cut that the page of a file shows. */
export const ShareCut = ({ state, close }: { state: CutState; close: () => void }) => (
  <ShareDialog file={state.file} recipe={savable(state, state.output)} onClose={close} />
);

export type { CutState } from "./cut";
export { RecipesPanel };

export type ExportSection = "download" | "save" | "recipe" | "copy";

interface Props {
  state: CutState;
  /** The section that is open at first. */
  section?: ExportSection;
  /** The download begins at once. */
  isStarted?: boolean;
  close: () => void;
  apply: (cut: Cut) => void;
  /** Keeps how the result is written, for the next time that the panel opens. */
  keep: (output: Output) => void;
}

export function ExportPanel({ state, section = "download", isStarted = false, close, apply, keep }: Props) {
  const { file, output } = state;
  const [isChoosing, setChoosing] = useState(false);
  const [startsNow, setStartsNow] = useState(isStarted);
  const cut = { ...cutOf(state), ...membersOf(output) };
  const choose = () => {
    setStartsNow(false);
    setChoosing(true);
  };
  const applyAndClose = (chosen: Cut) => {
    close();
    apply(chosen);
  };
  const applyAndDownload = (chosen: Cut) => {
    apply(chosen);
    setStartsNow(true);
    setChoosing(false);
  };
  if (isChoosing)
    return (
      <RecipesPanel
        file={file}
        close={() => setChoosing(false)}
        apply={applyAndClose}
        download={applyAndDownload}
      />
    );
  return (
    <Dialog title={<TitleOf file={file} />} wide onClose={close}>
      <Summary state={state} />
      <div class="stack wide-gap export">
        <DownloadSection file={file} cut={cut} output={output} onOutput={keep} isStarted={startsNow} />
        <Fold title={e.save.title} isOpen={section === "save"}>
          <SaveFile file={file} cut={savable(state, output)} />
        </Fold>
        <Fold title={e.recipe.title} isOpen={section === "recipe"}>
          <SaveRecipe cut={cut} onChoose={choose} />
        </Fold>
        <Fold title={e.copy.title} isOpen={section === "copy"}>
          <CopyAs file={file} cut={cut} filter={state.filter} />
        </Fold>
      </div>
    </Dialog>
  );
}

const TitleOf = ({ file }: { file: FileView }) => (
  <>
    {e.open} <Name>{file.filename}</Name>
  </>
);

function Fold({ title, isOpen, children }: { title: string; isOpen: boolean; children: ComponentChildren }) {
  const root = useRef<HTMLElement>(null);
  useEffect(() => {
    if (isOpen) root.current?.querySelector<HTMLElement>("summary")?.focus();
  }, []);
  return (
    <section ref={root}>
      <details open={isOpen}>
        <summary>
          <h3>{title}</h3>
        </summary>
        {children}
      </details>
    </section>
  );
}

// --- What is exported ---------------------------------------------------------------------------------------------------

function rowsText({ count: found, filter, q }: CutState): string {
  if (found) return found.exact ? e.summary.rows(found.rows) : e.summary.atLeast(found.rows);
  return filter || q ? e.summary.unknown : e.summary.all;
}

function columnsText({ columns, file }: CutState): string {
  if (!columns) return e.summary.allColumns;
  return e.summary.columns(columns.length, file.columnCount ?? null);
}

function costText({ estimate }: CutState): string | null {
  if (!estimate) return null;
  const { bytesTotal, bytesToScan, bytesSkipped, costUsd } = estimate;
  const skipped = bytesTotal > 0 ? Math.floor((bytesSkipped / bytesTotal) * 100) : 0;
  return e.summary.cost(bytes(bytesToScan), bytes(bytesTotal), skipped, dollars(costUsd));
}

function Summary({ state }: { state: CutState }) {
  const cost = costText(state);
  return (
    <div class="exported">
      <p>
        <strong>{rowsText(state)}</strong>, {columnsText(state)}
      </p>
      {state.filter && <p class="mono break filter">{state.filter}</p>}
      {state.q && <p class="mono break filter">{`* CONTAINS "${state.q}"`}</p>}
      {cost && <p class="muted small">{cost}</p>}
    </div>
  );
}

// --- Download -----------------------------------------------------------------------------------------------------------

const FORMATS = Object.keys(o.formats) as Format[];

interface DownloadProps {
  file: FileView;
  cut: Cut;
  output: Output;
  onOutput: (output: Output) => void;
  isStarted: boolean;
}

function DownloadSection({ file, cut, output, onOutput, isStarted }: DownloadProps) {
  const d = e.download;
  const { download, start, isBusy } = useDownload();
  const id = useId();
  useEffect(() => {
    if (isStarted) start(file, cut);
  }, []);
  const { format = "csv", outDelimiter = "comma", header = true, typed = false, compress } = output;
  const set = (changes: Output) => onOutput(outputOf({ ...output, ...changes }));
  const hidden = hiddenWords(output);
  return (
    <section class="stack" aria-labelledby={id}>
      <h3 id={id}>{d.title}</h3>
      <fieldset class="choices">
        <legend>{d.format}</legend>
        {FORMATS.map((each) => (
          <label class="check choice">
            <input
              type="radio"
              name="format"
              value={each}
              checked={format === each}
              onChange={() => set({ format: each })}
            />
            {o.formats[each]}
          </label>
        ))}
      </fieldset>
      <div class="checks">
        {isTable(format) ? (
          <>
            <Check label={d.excel} isOn={isForExcel(output)} onChange={(isOn) => set(forExcel(isOn))}>
              {format === "csv" ? d.excelHint : d.excelHintTsv}
            </Check>
            {format === "csv" && (
              <Separator value={outDelimiter} onChange={(outDelimiter) => set({ outDelimiter })} />
            )}
            <Check label={d.header} isOn={header} onChange={(header) => set({ header })} />
          </>
        ) : (
          <Check label={d.typed} isOn={typed} onChange={(typed) => set({ typed })} />
        )}
        <Check
          label={d.gzip}
          isOn={compress === "gzip"}
          onChange={(isOn) => set({ compress: isOn ? "gzip" : undefined })}
        />
      </div>
      {hidden.length > 0 && (
        <p class="row">
          <span>{o.also(hidden)}</span>
          <button type="button" class="link" onClick={() => onOutput(outputOf(shownOnly(output)))}>
            {o.leaveOut}
          </button>
        </p>
      )}
      <button
        type="button"
        class="primary"
        data-focus
        aria-busy={isBusy}
        onClick={() => !isBusy && start(file, cut)}
      >
        {download.kind === "idle" ? d.button : d.again}
      </button>
      <DownloadResult file={file} cut={cut} download={download} />
    </section>
  );
}

function Separator({ value, onChange }: { value: string; onChange: (separator: string) => void }) {
  const { separator, separators } = e.download;
  // A recipe of another program can have another separator.
  const all = [...new Set([...SEPARATORS, value])];
  return (
    <label class="row">
      {separator}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {all.map((each) => (
          <option value={each}>{separators[each] ?? each}</option>
        ))}
      </select>
    </label>
  );
}

interface CheckProps {
  label: string;
  isOn: boolean;
  onChange: (isOn: boolean) => void;
  /** A hint below the label. */
  children?: string;
}

function Check({ label, isOn, onChange, children }: CheckProps) {
  const id = useId();
  return (
    <div>
      <label class="check">
        <input
          type="checkbox"
          checked={isOn}
          aria-describedby={children && id}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
        {label}
      </label>
      {children && (
        <p id={id} class="muted small indented">
          {children}
        </p>
      )}
    </div>
  );
}

// --- Save as a file -----------------------------------------------------------------------------------------------------

/** A saved cut is CSV or TSV. What is meant for other programs, such as Excel, would spoil it for the next cut. */
const savable = (state: CutState, { format, limit, offset }: Output): Cut => ({
  ...cutOf(state),
  ...membersOf({ format: format === "tsv" ? "tsv" : "csv", limit, offset }),
});

function SaveFile({ file, cut }: { file: FileView; cut: Cut }) {
  const s = e.save;
  const suggested = resultName(file.filename, cut);
  const [named, setNamed] = useState<string | null>(null);
  const [tags, setTags] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [saved, setSaved] = useState<cuts.Saved | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, ["name", "tags"], problem);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setSaved(null);
    try {
      setSaved(await cuts.saveCut(file.id, cut, named ?? suggested, parseTags(tags)));
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return (
    <form ref={form} class="stack" onSubmit={submit}>
      {note && <ProblemNote problem={note} />}
      <div class="fields">
        <Field label={s.name} error={errorOf("name")}>
          {(attributes) => (
            <input
              {...attributes}
              required
              spellcheck={false}
              value={named ?? suggested}
              onInput={(event) => setNamed(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label={s.tags} hint={s.tagsHint} error={errorOf("tags")}>
          {(attributes) => (
            <input {...attributes} value={tags} onInput={(event) => setTags(event.currentTarget.value)} />
          )}
        </Field>
      </div>
      <button type="submit" aria-busy={isBusy}>
        {s.button}
      </button>
      <div role="status" class="stack result">
        {isBusy && (
          <>
            <p class="muted">{s.working}</p>
            <progress aria-label={s.working} />
          </>
        )}
        {saved && <SavedFile saved={saved} />}
      </div>
    </form>
  );
}

const SavedFile = ({ saved: { file, cutId } }: { saved: cuts.Saved }) => (
  <>
    <p class="line good">
      <Icon name="good" />
      <span>{e.save.done(file.filename, file.rowCount ?? null)}</span>
    </p>
    <div class="row links">
      <a href={`/cut?file=${encodeURIComponent(file.id)}`}>{e.save.open}</a>
      <a href={receiptAddress(cutId)}>{e.receipt.link}</a>
    </div>
  </>
);

// --- Save as a recipe ---------------------------------------------------------------------------------------------------

type Kept = { kind: "saved" | "replaced" | "exists"; name: string };

function SaveRecipe({ cut, onChoose }: { cut: Cut; onChoose: () => void }) {
  const r = e.recipe;
  const [name, setName] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [kept, setKept] = useState<Kept | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const run = async (work: () => Promise<Kept>) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setKept(null);
    try {
      setKept(await work());
    } catch (error) {
      if (error instanceof Problem && error.code === "conflict") setKept({ kind: "exists", name });
      else setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const save = () => run(async () => ({ kind: "saved", name: (await cuts.saveRecipe(name, cut)).name }));
  const replace = () =>
    run(async () => {
      const found = await cuts.findRecipe(name);
      if (!found) throw new Problem(404, "not_found", r.title, r.gone);
      return { kind: "replaced", name: (await cuts.changeRecipe(found.id, { cut })).name };
    });
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Field label={r.name} hint={r.text}>
        {(attributes) => (
          <input
            {...attributes}
            required
            value={name}
            onInput={(event) => {
              setName(event.currentTarget.value);
              setKept(null);
            }}
          />
        )}
      </Field>
      <div class="row">
        <button type="submit" aria-busy={isBusy}>
          {r.button}
        </button>
        <button type="button" class="link" onClick={onChoose}>
          {e.recipes.title}
        </button>
      </div>
      {problem && <ProblemNote problem={problem} />}
      <div role="status" class="result">
        {kept?.kind === "exists" && (
          <p class="line warn">
            <Icon name="warn" />
            <span>{r.exists(kept.name)}</span>
            <button type="button" class="small" onClick={() => void replace()}>
              {r.replace}
            </button>
          </p>
        )}
        {kept && kept.kind !== "exists" && (
          <p class="line good">
            <Icon name="good" />
            <span>{r[kept.kind](kept.name)}</span>
          </p>
        )}
      </div>
    </form>
  );
}

// --- Copy as ------------------------------------------------------------------------------------------------------------

type Kind = keyof typeof e.copy.kinds;

const KINDS = Object.keys(e.copy.kinds) as Kind[];

function CopyAs({ file, cut, filter }: { file: FileView; cut: Cut; filter: string }) {
  const c = e.copy;
  const [kind, setKind] = useState<Kind>("link");
  const named = { file, cut };
  const text = { link: linkOf, curl: curlOf, python: pythonOf, filter: () => filter }[kind](named);
  return (
    <div class="stack">
      <fieldset class="choices">
        <legend class="hidden">{c.title}</legend>
        {KINDS.map((each) => (
          <label class="check choice">
            <input
              type="radio"
              name="kind"
              value={each}
              checked={kind === each}
              onChange={() => setKind(each)}
            />
            {c.kinds[each]}
          </label>
        ))}
      </fieldset>
      {text === "" ? (
        <p class="muted">{c.noFilter}</p>
      ) : (
        <>
          <pre class="code" tabIndex={0} aria-label={c.text(c.kinds[kind])}>
            {text}
          </pre>
          <CopyButton text={text} />
        </>
      )}
      {(kind === "curl" || kind === "python") && <p class="muted small">{c.token}</p>}
    </div>
  );
}
