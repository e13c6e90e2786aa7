// The page `/ops`, for admins: an overview; `/ops?view=…`: the health of the services, upkeep, the usage of all users, and
// the audit log. An address with a filter of the audit log shows the audit log.

import { render } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Problem, User } from "./api";
import { au } from "./audit-strings";
import { wordsOf } from "./audit-words";
import { cursorAt, findUser, listAudit } from "./auditing";
import type { ActionName, AuditFilter, Entry } from "./auditing";
import { bytes, count, moment, when } from "./format";
import { Verify } from "./ops-verify";
import { op } from "./ops-strings";
import { t } from "./strings";
import { Bar } from "./ui/bar";
import { Field, Icon, ProblemNote, problemFrom } from "./ui/base";
import { Exports } from "./ui/exports";
import { keepFocus } from "./ui/focus";
import { Frame } from "./ui/frame";
import { lazy } from "./ui/lazy";
import { Pages, usePages } from "./ui/pages";

const o = au.ops;

const UsersUsage = lazy(async () => (await import("./ops-usage")).UsersUsage);
const Overview = lazy(async () => (await import("./ops-overview")).Overview);
const HealthView = lazy(async () => (await import("./ops-health")).HealthView);
const Upkeep = lazy(async () => (await import("./ops-upkeep")).Upkeep);

type ViewName = "overview" | "health" | "upkeep" | "usage" | "audit";

const TITLES: Record<ViewName, string> = {
  overview: op.overview,
  health: op.health,
  upkeep: op.upkeep,
  usage: o.usageTitle,
  audit: o.title,
};

const TABS: [ViewName, string, string][] = [
  ["overview", "/ops", op.overview],
  ["health", "/ops?view=health", op.health],
  ["upkeep", "/ops?view=upkeep", op.upkeep],
  ["usage", "/ops?view=usage", o.usage],
  ["audit", "/ops?view=audit", o.audit],
];

function viewOfAddress(): ViewName {
  const query = new URLSearchParams(location.search);
  const view = query.get("view") ?? "";
  if (view in TITLES) return view as ViewName;
  const isFiltered = [...NAMES, "success", "at"].some((name) => query.has(name));
  return isFiltered ? "audit" : "overview";
}

function Page({ user }: { user: User }) {
  const [view] = useState(viewOfAddress);
  const title = TITLES[view];
  useEffect(() => {
    document.title = `${title} · ${t.product}`;
  }, []);
  return (
    <>
      <Bar user={user}>
        <a href="/">{t.files_.title}</a>
        <span aria-hidden="true">/</span>
        <span aria-current="page">{o.place}</span>
      </Bar>
      {user.role === "admin" ? (
        <main tabIndex={-1}>
          <h1>{title}</h1>
          <nav class="tabs" aria-label={o.tabs}>
            {TABS.map(([name, address, text]) => (
              <a href={address} aria-current={view === name ? "page" : undefined}>
                {text}
              </a>
            ))}
          </nav>
          {view === "overview" && <Overview />}
          {view === "health" && <HealthView />}
          {view === "upkeep" && <Upkeep />}
          {view === "usage" && <UsersUsage />}
          {view === "audit" && <AuditLog />}
        </main>
      ) : (
        <main tabIndex={-1}>
          <div class="empty">
            <h1>{o.onlyAdmins}</h1>
            <p>{o.onlyAdminsText}</p>
            <a class="button" href="/">
              {o.toFiles}
            </a>
          </div>
        </main>
      )}
    </>
  );
}

// --- The address ----------------------------------------------------------------------------------------------------------

/** What the list shows. The address of the page has the same members. */
interface View {
  filter: AuditFilter;
  /** The entry with which the list begins; null for the newest. */
  at: string | null;
}

const NAMES = ["user", "file", "action", "address", "from", "until"] as const;

function readView(): View {
  const query = new URLSearchParams(location.search);
  const filter: Record<string, string | boolean> = {};
  for (const name of NAMES) {
    const value = query.get(name)?.trim();
    if (value) filter[name] = value;
  }
  const success = query.get("success");
  if (success === "true" || success === "false") filter.success = success === "true";
  return { filter: filter as AuditFilter, at: query.get("at") };
}

function addressOf({ filter, at }: View): string {
  const query = new URLSearchParams();
  for (const name of [...NAMES, "success"] as const) {
    const value = filter[name];
    if (value !== undefined) query.set(name, String(value));
  }
  if (at) query.set("at", at);
  const text = query.toString();
  return text ? `/ops?${text}` : "/ops?view=audit";
}

function useView(): [View, (next: View) => void] {
  const [view, setView] = useState(readView);
  useEffect(() => {
    const back = () => setView(readView());
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const show = (next: View) => {
    if (addressOf(next) !== addressOf(view)) history.pushState(null, "", addressOf(next));
    setView(next);
  };
  return [view, show];
}

// --- The audit log --------------------------------------------------------------------------------------------------------

function AuditLog() {
  const [view, show] = useView();
  const isFiltered = Object.keys(view.filter).length > 0;
  return (
    <>
      <FilterForm view={view} show={show} />
      <div class="acts">
        <Verify linkOf={(id) => addressOf({ filter: {}, at: id })} />
        <section class="stack" aria-labelledby="export-title">
          <h2 id="export-title">{o.exportTitle}</h2>
          <p>{o.exportText(isFiltered)}</p>
          <Exports
            choices={[
              {
                label: o.exportCsv,
                filename: "audit.csv",
                wanted: { kind: "audit", format: "csv", filter: view.filter },
              },
              {
                label: o.exportNdjson,
                filename: "audit.ndjson",
                wanted: { kind: "audit", format: "ndjson", filter: view.filter },
              },
            ]}
          />
        </section>
      </div>
      <Entries view={view} show={show} />
    </>
  );
}

// --- The filter -----------------------------------------------------------------------------------------------------------

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const pad = (value: number): string => String(value).padStart(2, "0");
/** A time of the address as the value of a field, in the time zone of the reader. */
function localTime(iso: string | undefined): string {
  const d = new Date(iso ?? NaN);
  if (Number.isNaN(d.getTime())) return "";
  const date = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  return `${date}T${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
}

type FieldName = (typeof NAMES)[number] | "success";

const draftOf = ({ filter }: View): Record<FieldName, string> => ({
  user: filter.user ?? "",
  file: filter.file ?? "",
  action: filter.action ?? "",
  address: filter.address ?? "",
  from: localTime(filter.from),
  until: localTime(filter.until),
  success: filter.success === undefined ? "" : String(filter.success),
});

function FilterForm({ view, show }: { view: View; show: (view: View) => void }) {
  const [draft, setDraft] = useState(() => draftOf(view));
  const [wrong, setWrong] = useState<FieldName | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  // The form stays in the page, so that the focus stays where it is.
  useLayoutEffect(() => {
    setDraft(draftOf(view));
    setWrong(null);
    setProblem(null);
  }, [addressOf(view)]);
  useEffect(() => {
    if (wrong) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [wrong]);

  /** Returns the id for what the reader wrote: the same text if it is an id. */
  const userOf = async (text: string): Promise<string | null> =>
    UUID.test(text) || text === view.filter.user ? text : findUser(text);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setProblem(null);
    setWrong(null);
    const text = (name: FieldName) => draft[name].trim();
    const time = (name: "from" | "until") => {
      // The field has no parts of a second. A time of the address may have them.
      if (draft[name] === localTime(view.filter[name])) return view.filter[name];
      return draft[name] ? new Date(draft[name]).toISOString() : undefined;
    };
    const [from, until] = [time("from"), time("until")];
    if (text("file") && !UUID.test(text("file"))) return setWrong("file");
    if (from && until && Date.parse(from) >= Date.parse(until)) return setWrong("until");
    const filter: AuditFilter = {};
    setBusy(true);
    try {
      if (text("user")) {
        const user = await userOf(text("user"));
        if (!user) {
          setBusy(false);
          return setWrong("user");
        }
        filter.user = user;
      }
      if (text("file")) filter.file = text("file").toLowerCase();
      if (draft.action) filter.action = draft.action as ActionName;
      if (draft.success) filter.success = draft.success === "true";
      if (text("address")) filter.address = text("address");
      if (from) filter.from = from;
      if (until) filter.until = until;
      show({ filter, at: null });
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };

  const bind = (name: FieldName) => ({
    name,
    value: draft[name],
    onInput: (event: Event) => {
      setWrong(null);
      const { value } = event.currentTarget as HTMLInputElement | HTMLSelectElement;
      setDraft((before) => ({ ...before, [name]: value }));
    },
  });
  const input = (
    name: FieldName,
    label: string,
    hint: string | undefined,
    error: string,
    rest: Record<string, unknown> = {},
  ) => (
    <Field label={label} hint={hint} error={wrong === name ? error : undefined}>
      {(attributes) => <input {...attributes} autocomplete="off" {...rest} {...bind(name)} />}
    </Field>
  );
  const time = { type: "datetime-local", step: 1 };
  return (
    <form ref={form} class="fields filter" aria-label={o.filter} noValidate onSubmit={submit}>
      {input("user", o.user, o.userHint, o.userError, { maxLength: 255 })}
      {input("file", o.file, o.fileHint, o.fileError, { maxLength: 36, class: "mono" })}
      <Field label={o.action}>
        {(attributes) => (
          <select {...attributes} {...bind("action")}>
            <option value="">{o.anyAction}</option>
            {Object.keys(au.actions)
              .sort()
              .map((name) => (
                <option value={name}>{name}</option>
              ))}
          </select>
        )}
      </Field>
      <Field label={o.result}>
        {(attributes) => (
          <select {...attributes} {...bind("success")}>
            <option value="">{o.results.all}</option>
            <option value="true">{o.results.true}</option>
            <option value="false">{o.results.false}</option>
          </select>
        )}
      </Field>
      {input("address", o.address, o.addressHint, "", { maxLength: 64 })}
      {input("from", o.from, o.times, "", time)}
      {input("until", o.until, o.times, o.untilError, time)}
      {problem && <ProblemNote problem={problem} />}
      <div class="row">
        <button type="submit" class="primary" aria-busy={isBusy}>
          {o.apply}
        </button>
        {addressOf(view) !== "/ops?view=audit" && (
          <button type="button" onClick={() => show({ filter: {}, at: null })}>
            {o.clear}
          </button>
        )}
      </div>
    </form>
  );
}

// --- The entries ----------------------------------------------------------------------------------------------------------

function Entries({ view, show }: { view: View; show: (view: View) => void }) {
  const { filter, at } = view;
  const start = at ? cursorAt(at) : null;
  const pages = usePages<Entry>(
    (cursor, signal) => listAudit(filter, cursor ?? start, signal),
    addressOf(view),
  );
  const isThere = !at || pages.isLoading || pages.items?.[0]?.id === at;
  const head = (
    <div class="audit-head" aria-hidden="true">
      <span>{o.heads.time}</span>
      <span>{o.heads.action}</span>
      <span>{o.heads.who}</span>
      <span>{o.heads.result}</span>
    </div>
  );
  return (
    <section class="stack" aria-label={o.list}>
      <div class="row">
        <button
          type="button"
          class="small"
          aria-busy={pages.isLoading}
          onClick={() => !pages.isLoading && void pages.reload()}
        >
          <Icon name="retry" /> {o.reload}
        </button>
        {at && (
          <>
            <span role="status" class="break">
              {isThere ? o.at(at) : o.notThere(at)}
            </span>
            <button type="button" class="link" onClick={() => show({ filter, at: null })}>
              {o.fromNewest}
            </button>
          </>
        )}
      </div>
      <Pages
        pages={pages}
        class="audit"
        label={o.list}
        head={head}
        empty={
          <div class="empty">
            <h2>{o.empty}</h2>
            <p>{o.emptyText}</p>
          </div>
        }
        more={o.more}
      >
        {(entry) => <Row key={entry.id} entry={entry} isChosen={entry.id === at} show={show} />}
      </Pages>
    </section>
  );
}

function Row({ entry, isChosen, show }: { entry: Entry; isChosen: boolean; show: (view: View) => void }) {
  const [isOpen, setOpen] = useState(isChosen);
  const { action, success, timestamp, principal } = entry;
  return (
    <li>
      <details open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary class={isChosen ? "chosen" : ""}>
          <time dateTime={timestamp} title={when(timestamp)}>
            {moment(timestamp)}
          </time>
          <span>
            <strong class="mono">{action}</strong> <span class="muted small">{wordsOf(action)[0]}</span>
          </span>
          <span class="mono small who-acted">{principal ?? o.nobody}</span>
          <span class={success ? "verdict complete" : "verdict failed"}>
            <Icon name={success ? "good" : "bad"} /> {success ? o.ok : (entry.errorCode ?? o.bad)}
          </span>
        </summary>
        {isOpen && <Facts entry={entry} show={show} />}
      </details>
    </li>
  );
}

function Facts({ entry, show }: { entry: Entry; show: (view: View) => void }) {
  const { facts } = o;
  const only = (label: string, filter: AuditFilter) => {
    const view: View = { filter, at: null };
    return (
      <a
        href={addressOf(view)}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          show(view);
        }}
      >
        {label}
      </a>
    );
  };
  const counts = Object.entries((entry.counts ?? {}) as Record<string, unknown>);
  const rows: [string, string | null | undefined, ReturnType<typeof only>?][] = [
    [facts.id, entry.id],
    [facts.seq, typeof entry.seq === "number" ? count(entry.seq) : facts.unsealed],
    [facts.principal, entry.principal ?? o.nobody],
    [facts.user, entry.userId, entry.userId ? only(o.onlyUser, { user: entry.userId }) : undefined],
    [facts.file, entry.fileId, entry.fileId ? only(o.onlyFile, { file: entry.fileId }) : undefined],
    [facts.subject, entry.subject],
    [facts.route, entry.route],
    [facts.counts, counts.map(([code, number]) => `${code}: ${String(number)}`).join(", ")],
    [facts.errorCode, entry.errorCode],
    [facts.errorMessage, entry.errorMessage],
    [facts.bytes, typeof entry.bytesTransferred === "number" ? bytesText(entry.bytesTransferred) : null],
    [facts.duration, typeof entry.durationMs === "number" ? au.milliseconds(entry.durationMs) : null],
    [
      facts.ip,
      entry.ipAddress,
      entry.ipAddress ? only(o.onlyAddress, { address: entry.ipAddress }) : undefined,
    ],
    [facts.agent, entry.userAgent],
    [facts.request, entry.requestId],
    [facts.hash, entry.hash],
  ];
  return (
    <dl class="facts">
      {rows
        .filter(([, value]) => value)
        .map(([label, value, link]) => (
          <>
            <dt>{label}</dt>
            <dd>
              <bdi class="break">{value}</bdi>
              {link}
            </dd>
          </>
        ))}
    </dl>
  );
}

const bytesText = (size: number): string => (size < 1000 ? bytes(size) : `${bytes(size)} (${count(size)} B)`);

keepFocus();
render(<Frame>{(user) => <Page user={user} />}</Frame>, document.getElementById("app")!);
