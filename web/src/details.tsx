// Everything about one file, and the ways to change it. Loaded when it is first opened.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import type { Dialect, DialectOptions, FileView, Problem, Profile, Relative } from "./api";
import { bytes, count, when } from "./format";
import { t } from "./strings";
import { ENCODINGS } from "./ui/encodings";
import { Dialog, Field, Name, ProblemNote, parseTags, problemFrom, useFormProblem } from "./ui/base";
import { lazy } from "./ui/lazy";
import { Findings, Summary, delimiterName, percent } from "./ui/reading";

const r = t.reading;

const History = lazy(async () => (await import("./history")).History);

export type Section = "name" | "tags" | "expiry" | "reading";

/** Whether the forms have changes that are not saved. */
interface Edited {
  general: boolean;
  rules: boolean;
}

interface Props {
  id: string;
  section: Section | null;
  onClose: () => void;
  onOpen: (id: string) => void;
  onDownload: (file: FileView) => void;
  onRestore: (file: FileView) => void;
  onChanged: (file: FileView, isReadAgain: boolean) => void;
}

export function Details({ id, section, onClose, onOpen, onDownload, onRestore, onChanged }: Props) {
  const edited = useRef<Edited>({ general: false, rules: false });
  const [file, setFile] = useState<FileView | null>(null);
  const [profile, setProfile] = useState<Profile | "loading" | "none">("loading");
  const [lineage, setLineage] = useState<{ parents: Relative[]; children: Relative[] } | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [version, setVersion] = useState(0);
  // Number of changes that were saved.
  const changes = useRef(0);

  useEffect(() => {
    const abort = new AbortController();
    setProblem(null);
    const load = async () => {
      const found = await api.getFile(id);
      if (abort.signal.aborted) return;
      setFile(found);
      if (found.lifecycleStatus === "deleted") return setProfile("none");
      const lines = api.getLineage(id).then((found) => !abort.signal.aborted && setLineage(found));
      const read = api.getProfile(id, abort.signal).then(async (found) => {
        if (abort.signal.aborted) return;
        setProfile(found ?? "none");
        // Facts that were read before a change was saved are out of date.
        let fresh: FileView;
        let before: number;
        do {
          before = changes.current;
          fresh = await api.getFile(id);
          if (abort.signal.aborted) return;
        } while (changes.current !== before);
        setFile(fresh);
        // The list gets the numbers of rows and columns.
        onChanged(fresh, false);
      });
      await Promise.all([lines, read]);
    };
    load().catch((error: unknown) => {
      if (!abort.signal.aborted) setProblem(problemFrom(error));
    });
    return () => abort.abort();
  }, [id, version]);

  const changed = (next: FileView, isReadAgain = false) => {
    changes.current++;
    setFile(next);
    onChanged(next, isReadAgain);
    if (isReadAgain) {
      setProfile("loading");
      setVersion(version + 1);
    }
  };

  const title = file ? <Name>{file.filename}</Name> : t.actions.details;
  const close = () => {
    const { general, rules } = edited.current;
    const isLost = file?.lifecycleStatus !== "deleted" && (general || rules);
    if (!isLost || confirm(t.details.discard)) onClose();
  };
  return (
    <Dialog title={title} wide onClose={close}>
      {problem && <ProblemNote problem={problem} />}
      {!file && !problem && <p class="muted">{t.loading}</p>}
      {file && (
        <div class="stack wide-gap">
          {file.lifecycleStatus === "deleted" ? (
            <>
              <p class="note">{t.details.inTrash(when(file.updatedAt))}</p>
              <p>
                <button type="button" class="primary" onClick={() => onRestore(file)}>
                  {t.actions.restore}
                </button>
              </p>
            </>
          ) : (
            <>
              <p>
                <button type="button" onClick={() => onDownload(file)}>
                  {t.actions.download}
                </button>
              </p>
              <General
                key={file.id}
                file={file}
                section={section}
                edited={edited.current}
                onChanged={changed}
                onTrashed={() => setVersion(version + 1)}
              />
              <Reading
                file={file}
                profile={profile}
                isOpen={section === "reading"}
                edited={edited.current}
                onChanged={(next) => changed(next, true)}
              />
              {typeof profile === "object" && <Columns profile={profile} />}
              <Lineage file={file} lineage={lineage} onOpen={onOpen} />
              {!file.sharedBy && <HistorySection key={`history ${file.id}`} id={file.id} />}
            </>
          )}
          <Facts file={file} />
        </div>
      )}
    </Dialog>
  );
}

interface GeneralProps {
  file: FileView;
  section: Section | null;
  edited: Edited;
  onChanged: (file: FileView) => void;
  /** The file was moved to the trash elsewhere. */
  onTrashed: () => void;
}

const GENERAL = ["name", "tags", "expiry"];

const pad = (value: number): string => String(value).padStart(2, "0");
function localTime(time: string | number | null | undefined): string {
  if (!time) return "";
  const d = new Date(time);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}T${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

function General({ file, section, edited, onChanged, onTrashed }: GeneralProps) {
  const [name, setName] = useState(file.filename);
  const [tags, setTags] = useState(file.userTags.join(", "));
  const [expires, setExpires] = useState(localTime(file.expiresAt));
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isSaved, setSaved] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const { note, errorOf } = useFormProblem(form, GENERAL, problem);
  edited.general =
    name !== file.filename || tags !== file.userTags.join(", ") || expires !== localTime(file.expiresAt);
  useLayoutEffect(() => {
    if (!section || section === "reading") return;
    const field = form.current?.elements.namedItem(section);
    if (!(field instanceof HTMLInputElement)) return;
    field.focus();
    // Selects the name without its extension.
    if (section === "name") field.setSelectionRange(0, file.filename.replace(/\.\w+$/, "").length);
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setSaved(false);
    const changes: api.Changes = {};
    if (name !== file.filename) changes.filename = name;
    const nextTags = parseTags(tags);
    if (nextTags.join("\n") !== file.userTags.join("\n")) changes.tags = nextTags;
    if (expires !== localTime(file.expiresAt))
      changes.expiresAt = expires ? new Date(expires).toISOString() : null;
    try {
      if (Object.keys(changes).length > 0) {
        const saved = await api.changeFile(file.id, changes);
        onChanged(saved);
        setName(saved.filename);
        setTags(saved.userTags.join(", "));
      }
      setSaved(true);
    } catch (error) {
      const problem = problemFrom(error);
      if (problem.code === "in_trash") return onTrashed();
      setProblem(problem);
    }
    setBusy(false);
  };
  const edit = (set: (value: string) => void) => (event: Event) => {
    setSaved(false);
    set((event.currentTarget as HTMLInputElement).value);
  };
  return (
    <form ref={form} class="fields" aria-label={t.details.general} onSubmit={submit}>
      <Field label={t.details.name} error={errorOf("name")}>
        {(a) => <input {...a} name="name" dir="auto" required value={name} onInput={edit(setName)} />}
      </Field>
      <Field label={t.details.tags} hint={t.details.tagsHint} error={errorOf("tags")}>
        {(a) => <input {...a} name="tags" dir="auto" value={tags} onInput={edit(setTags)} />}
      </Field>
      <Field label={t.details.expires} hint={t.details.expiresHint} error={errorOf("expiry")}>
        {(a) => (
          <input
            {...a}
            name="expiry"
            type="datetime-local"
            min={localTime(Date.now())}
            value={expires}
            onInput={edit(setExpires)}
          />
        )}
      </Field>
      {note && <ProblemNote problem={note} />}
      <div class="row">
        <button type="submit" class="primary" aria-busy={isBusy}>
          {t.save}
        </button>
        <span role="status" class="muted">
          {isSaved && t.details.saved}
        </span>
      </div>
    </form>
  );
}

interface ReadingProps {
  file: FileView;
  profile: Profile | "loading" | "none";
  isOpen: boolean;
  edited: Edited;
  onChanged: (file: FileView) => void;
}

function Reading({ file, profile, isOpen, edited, onChanged }: ReadingProps) {
  const [isEdited, setEdited] = useState(isOpen);
  const isAsked = useRef(false);
  const found = typeof profile === "object" ? profile : null;
  const dialect = found?.dialect ?? file.dialect ?? null;
  return (
    <section class="stack" aria-labelledby="reading-title">
      <h3 id="reading-title">{r.title}</h3>
      {profile === "loading" && <p class="muted">{r.working}</p>}
      {profile === "none" && <p class="muted">{r.notReady}</p>}
      {dialect && found && (
        <>
          <Summary dialect={dialect} />
          {dialect.confidence !== undefined && (
            <p class="muted">{r.sure(Number(percent(dialect.confidence)))}</p>
          )}
          <Findings file={file} profile={found} onChanged={onChanged} />
          {found.rejects.length > 0 && (
            <details>
              <summary>{r.rejects(found.rejects.length)}</summary>
              <ul class="plain">
                {found.rejects.map(({ line, record, reason }) => (
                  <li>{r.reject(line ?? record ?? 0, reason ?? "")}</li>
                ))}
              </ul>
            </details>
          )}
        </>
      )}
      {isEdited ? (
        <Rules
          file={file}
          dialect={dialect}
          edited={edited}
          onChanged={onChanged}
          isFocused={isOpen || isAsked.current}
        />
      ) : (
        <p>
          <button
            type="button"
            onClick={() => {
              isAsked.current = true;
              setEdited(true);
            }}
          >
            {t.actions.reading}
          </button>
        </p>
      )}
    </section>
  );
}

/** The rules of a dialect in the words of the form. */
function detectedValues(dialect: Dialect): Record<string, string> {
  const { delimiter, quote, nullValues } = dialect;
  return {
    delimiter: delimiter ? (r.delimiters[delimiter] ?? delimiter) : r.none,
    encoding: dialect.encoding,
    quote: { '"': r.doubleQuote, "'": r.singleQuote }[quote] ?? r.none,
    escape: r.escapes[dialect.escape] ?? dialect.escape,
    skipRows: count(dialect.skipRows),
    inputHeader: dialect.headerRow ? r.headerYes : r.headerNo,
    comment: dialect.comment ?? r.noComment,
    trim: r.trims[dialect.trim] ?? dialect.trim,
    skipFooter: count(dialect.skipFooter),
    nullValues: nullValues.length > 0 ? nullValues.join(", ") : r.noNullValues,
    ragged: r.raggeds[dialect.ragged] ?? dialect.ragged,
    repeatedHeaders: r.repeats[dialect.repeatedHeaders] ?? dialect.repeatedHeaders,
  };
}

/** Rules that Cutty never detects: they have a default. */
const WITH_DEFAULT = ["skipFooter", "nullValues", "ragged", "repeatedHeaders"];

/** The values of the form for stored rules. */
function formValues(set: Record<string, unknown>): Record<string, string> {
  const text = (name: string): string => {
    const value = set[name] ?? "";
    return Array.isArray(value) ? value.join(", ") : String(value);
  };
  const words: Record<string, string> = { ",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe" };
  const delimiter = words[text("delimiter")] ?? text("delimiter");
  const isWord = ["", "comma", "semicolon", "tab", "pipe", "none"].includes(delimiter);
  const values: Record<string, string> = {
    delimiter: isWord ? delimiter : "other",
    delimiterText: isWord ? "" : delimiter,
  };
  for (const name of RULES) values[name] ??= text(name);
  return values;
}

const RULES = [
  "delimiter",
  "encoding",
  "quote",
  "escape",
  "skipRows",
  "inputHeader",
  "comment",
  "trim",
  ...WITH_DEFAULT,
];

/** The rules that are set. An empty text means that the rule is detected. */
function Rules({
  file,
  dialect: found,
  edited,
  onChanged,
  isFocused,
}: {
  file: FileView;
  dialect: Dialect | null;
  edited: Edited;
  onChanged: (file: FileView) => void;
  isFocused: boolean;
}) {
  const set: Record<string, unknown> = file.dialectOptions ?? {};
  const stored = JSON.stringify(formValues(set));
  const [values, setValues] = useState(() => formValues(set));
  edited.rules = JSON.stringify(values) !== stored;
  useLayoutEffect(() => setValues(JSON.parse(stored) as Record<string, string>), [stored]);
  useEffect(() => () => void (edited.rules = false), []);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => {
    if (isFocused) form.current?.querySelector("select")?.focus();
  }, []);
  const { note, errorOf } = useFormProblem(form, RULES, problem);

  const send = async (dialect: DialectOptions | null) => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      onChanged(await api.changeFile(file.id, { dialect }));
      // The outcome stands above the form.
      form.current?.closest("section")?.scrollIntoView({ block: "start" });
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const dialect: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(values)) {
      if (value === "" || name === "delimiterText") continue;
      if (name === "delimiter") dialect.delimiter = value === "other" ? values.delimiterText : value;
      else if (name === "skipRows" || name === "skipFooter") dialect[name] = Number(value);
      else if (name === "inputHeader") dialect[name] = value === "true";
      else if (name === "nullValues") dialect[name] = value.split(",").map((word) => word.trim());
      else dialect[name] = value;
    }
    void send(Object.keys(dialect).length > 0 ? dialect : null);
  };
  const bind = (name: string) => ({
    name,
    value: values[name],
    onInput: (event: Event) =>
      setValues({ ...values, [name]: (event.currentTarget as HTMLInputElement | HTMLSelectElement).value }),
  });
  /** What the rule is while it is not set: the detected value. A rule that is set hides what would be detected. */
  const detected = (name: string): string => {
    const isSet = set[name] !== undefined && set[name] !== null;
    const value = found && !isSet ? detectedValues(found)[name] : undefined;
    if (WITH_DEFAULT.includes(name)) return value === undefined ? r.default : r.defaultAs(value);
    return value === undefined ? r.detected : r.detectedAs(value);
  };
  const choice = (label: string, name: string, options: [string, string][]) => (
    <Field label={label} error={errorOf(name)}>
      {(a) => (
        <select {...a} {...bind(name)}>
          <option value="">{detected(name)}</option>
          {options.map(([value, label]) => (
            <option value={value}>{label}</option>
          ))}
        </select>
      )}
    </Field>
  );
  const input = (label: string, name: string, rest: Record<string, unknown> = {}, hint?: string) => (
    <Field label={label} hint={hint} error={errorOf(name)}>
      {(a) => <input {...a} {...rest} {...bind(name)} placeholder={detected(name)} />}
    </Field>
  );
  return (
    <form ref={form} class="fields rules" onSubmit={submit} aria-label={r.title}>
      {choice(r.delimiter, "delimiter", [
        ...Object.values(r.delimiters).map((word): [string, string] => [word, word]),
        ["none", r.none],
        ["other", r.other],
      ])}
      {values.delimiter === "other" &&
        input(r.delimiterText, "delimiterText", { required: true, maxLength: 4 })}
      {input(r.encoding, "encoding", { list: "encodings" })}
      <datalist id="encodings">
        {ENCODINGS.map((name) => (
          <option value={name} />
        ))}
      </datalist>
      {choice(r.inputHeader, "inputHeader", [
        ["true", r.headerYes],
        ["false", r.headerNo],
      ])}
      {input(r.skipRows, "skipRows", { type: "number", min: 0, max: 10000 })}
      {input(r.skipFooter, "skipFooter", { type: "number", min: 0, max: 100 })}
      <details>
        <summary>{r.more}</summary>
        <div class="fields rules">
          {choice(r.quote, "quote", [
            ['"', r.doubleQuote],
            ["'", r.singleQuote],
            ["none", r.none],
          ])}
          {choice(r.escape, "escape", Object.entries(r.escapes))}
          {input(r.comment, "comment", { maxLength: 4 }, r.commentHint)}
          {choice(r.trim, "trim", Object.entries(r.trims))}
          {input(r.nullValues, "nullValues", {}, r.nullValuesHint)}
          {choice(r.ragged, "ragged", Object.entries(r.raggeds))}
          {choice(r.repeatedHeaders, "repeatedHeaders", Object.entries(r.repeats))}
        </div>
      </details>
      {note && <ProblemNote problem={note} />}
      <div class="row">
        <button type="submit" class="primary" aria-busy={isBusy}>
          {r.saveRules}
        </button>
        {file.dialectOptions && (
          <button type="button" onClick={() => void send(null)}>
            {r.detectAll}
          </button>
        )}
      </div>
    </form>
  );
}

const COLUMNS_SHOWN = 100;

const Columns = ({ profile }: { profile: Profile }) => (
  <section class="stack" aria-labelledby="columns-title">
    <h3 id="columns-title">
      {t.details.columns} <span class="muted">{count(profile.columns.length)}</span>
    </h3>
    <ul class="columns">
      {profile.columns.slice(0, COLUMNS_SHOWN).map(({ name, type }, index) => (
        <li>
          <Name>{name || `#${index + 1}`}</Name>{" "}
          {type && <span class="type">{t.reading.types[type] ?? type}</span>}
        </li>
      ))}
    </ul>
    {profile.columns.length > COLUMNS_SHOWN && (
      <p class="muted">{t.details.moreColumns(profile.columns.length - COLUMNS_SHOWN)}</p>
    )}
  </section>
);

interface LineageProps {
  file: FileView;
  lineage: { parents: Relative[]; children: Relative[] } | null;
  onOpen: (id: string) => void;
}

function Lineage({ file, lineage, onOpen }: LineageProps) {
  if (!lineage) return null;
  const list = (relatives: Relative[]) => (
    <ul class="plain">
      {relatives.map(({ fileId, filename, createdAt, lifecycleStatus }) => (
        <li>
          {lifecycleStatus === "purged" || !filename ? (
            <span class="muted">{filename ? <Name>{filename}</Name> : t.details.unknownFile}</span>
          ) : (
            <a
              href={`/?file=${fileId}`}
              onClick={(event) => {
                event.preventDefault();
                onOpen(fileId);
              }}
            >
              <Name>{filename}</Name>
            </a>
          )}{" "}
          <span class="muted small">{when(createdAt)}</span>
        </li>
      ))}
    </ul>
  );
  return (
    <section class="stack" aria-labelledby="lineage-title">
      <h3 id="lineage-title">{t.details.lineage}</h3>
      {lineage.parents.length > 0 ? (
        <div>
          <p>{t.details.parents}</p>
          {list(lineage.parents)}
        </div>
      ) : (
        file.source !== "cut" && <p>{t.details.noParents}</p>
      )}
      {lineage.children.length > 0 ? (
        <div>
          <p>{t.details.children}</p>
          {list(lineage.children)}
        </div>
      ) : (
        <p class="muted">{t.details.noChildren}</p>
      )}
    </section>
  );
}

/** The history is read when it is opened. */
function HistorySection({ id }: { id: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section class="stack" aria-labelledby="history-title">
      <h3 id="history-title">{t.details.history}</h3>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>{t.details.openHistory}</summary>
        {isOpen && <History id={id} />}
      </details>
    </section>
  );
}

const Facts = ({ file }: { file: FileView }) => (
  <section class="stack" aria-labelledby="facts-title">
    <h3 id="facts-title">{t.details.facts}</h3>
    <dl>
      <dt>{t.details.size}</dt>
      <dd>
        {bytes(file.size)} {file.size >= 1000 && <span class="muted">({count(file.size)} B)</span>}
      </dd>
      <dt>{t.details.rows}</dt>
      <dd>{typeof file.rowCount === "number" ? count(file.rowCount) : t.details.unknown}</dd>
      {file.dialect && (
        <>
          <dt>{t.reading.delimiter}</dt>
          <dd>{delimiterName(file.dialect.delimiter)}</dd>
        </>
      )}
      <dt>{t.details.created}</dt>
      <dd>{when(file.createdAt)}</dd>
      <dt>{t.details.checksum}</dt>
      <dd class="mono break">{file.checksum ?? t.details.unverified}</dd>
    </dl>
  </section>
);
