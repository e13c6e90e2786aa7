// The page `/cut`: the rows of one file, its columns, and the filter of a cut.

import { render } from "preact";
import type { ComponentType } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import * as api from "./api";
import type { Dialect, DialectOptions, FileView, Problem, Profile, User } from "./api";
import { signOut } from "./auth";
import { useCounting } from "./counting";
import { viewOf } from "./cut";
import type { Cut } from "./cut";
import { c } from "./cut-strings";
import type { CutState, ExportSection } from "./export";
import { useFilter } from "./filter-state";
import type { Tree } from "./filter-text";
import { Filters, columnsIn, withRange, withValue, withoutValue } from "./filters";
import { count } from "./format";
import { Grid } from "./grid";
import type { GridColumn, GridHandle, Place } from "./grid";
import { Head } from "./heads";
import * as idb from "./idb";
import { addressOf, checksOf, isRead, readView } from "./address";
import type { View } from "./address";
import { MANY_COLUMNS, Rows } from "./rows";
import { t } from "./strings";
import { getColumns } from "./table";
import type { Column, Facts, Selection } from "./table";
import { Account, placesOf } from "./ui/bar";
import { Dialog, Icon, Name, ProblemNote, problemFrom } from "./ui/base";
import { keepFocus } from "./ui/focus";
import { Frame } from "./ui/frame";
import { Findings, warnings } from "./ui/reading";
import { toastProblem } from "./ui/toasts";

// --- The state -------------------------------------------------------------------------------------------------------------

/** The state of the page, which the address holds. `moves` increases when the rows have to follow it. */
function useView() {
  const [state, setState] = useState(() => ({ view: readView(location.search), moves: 0 }));
  useEffect(() => {
    const back = () => setState(({ moves }) => ({ view: readView(location.search), moves: moves + 1 }));
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const latest = useRef(state.view);
  latest.current = state.view;
  const change = useCallback((changes: Partial<View>, isNew: boolean, isMove = true) => {
    const view = { ...latest.current, ...changes };
    const address = addressOf(view);
    const isSame = address === location.pathname + location.search;
    if (isSame && !isMove) return;
    if (!isSame) history[isNew ? "pushState" : "replaceState"](null, "", address);
    latest.current = view;
    setState(({ moves }) => ({ view, moves: isMove ? moves + 1 : moves }));
  }, []);
  return { ...state, change };
}

interface Table {
  file: FileView | null;
  columns: Column[] | null;
  dialect: Dialect | null;
  profile: Profile | null;
  isProfiled: boolean;
  problem: Problem | null;
  reload: () => void;
}

const NOTHING = { columns: null, dialect: null, problem: null };

/** What is known of a file. The statistics may follow much later than the columns. */
function useTable(id: string, reading: DialectOptions): Table {
  const [file, setFile] = useState<FileView | null>(null);
  const [head, setHead] = useState<Pick<Table, "columns" | "dialect" | "problem">>(NOTHING);
  const [profile, setProfile] = useState<{ found: Profile | null; isOver: boolean }>({
    found: null,
    isOver: false,
  });
  const [version, setVersion] = useState(0);

  useEffect(() => {
    if (!id) return;
    const abort = new AbortController();
    const fail = (error: unknown) => {
      if (!abort.signal.aborted) setHead({ ...NOTHING, problem: problemFrom(error) });
    };
    setProfile({ found: null, isOver: false });
    api.getFile(id).then((found) => !abort.signal.aborted && setFile(found), fail);
    profileOf(id, abort.signal).then(
      (found) => !abort.signal.aborted && setProfile({ found, isOver: true }),
      () => !abort.signal.aborted && setProfile({ found: null, isOver: true }),
    );
    return () => abort.abort();
  }, [id, version]);

  const key = JSON.stringify(reading);
  const [again, setAgain] = useState(0);
  useEffect(() => {
    if (!id) return;
    const abort = new AbortController();
    setHead((before) => ({ ...before, problem: null }));
    getColumns(id, reading, abort.signal).then(
      ({ columns, dialect }) => {
        if (abort.signal.aborted) return;
        setHead({ columns, dialect: dialect ?? null, problem: null });
      },
      (error: unknown) => !abort.signal.aborted && setHead({ ...NOTHING, problem: problemFrom(error) }),
    );
    return () => abort.abort();
  }, [id, key, version, again]);

  // The types of the columns come with the profile.
  useEffect(() => {
    const isUntyped = head.columns?.every(({ type }) => !type);
    if (profile.found && isUntyped && !isRead(reading)) setAgain(again + 1);
  }, [profile.found]);

  return {
    file,
    ...head,
    profile: isRead(reading) ? null : profile.found,
    isProfiled: profile.isOver,
    reload: () => setVersion(version + 1),
  };
}

/** Asks until the profile is there. */
async function profileOf(id: string, signal: AbortSignal): Promise<Profile | null> {
  while (!signal.aborted) {
    const found = await api.getProfile(id, signal);
    if (found) return found;
  }
  return null;
}

/** The rows of a selection. Old ones are given up when there is a new selection. */
function useRows(selection: Selection | null, columns: Column[] | null, start: number, round: number) {
  const [version, redraw] = useReducer((n: number) => n + 1, 0);
  const wide = columns && columns.length > MANY_COLUMNS ? columns.length : 0;
  const key = selection && JSON.stringify([selection, wide, round]);
  const rows = useMemo(() => (key ? new Rows(selection!, wide, () => redraw(undefined)) : null), [key]);
  useEffect(() => {
    // The first rows do not wait for the columns.
    if (!columns) rows?.want(start, start + 1, [0]);
    return () => rows?.dispose();
  }, [rows]);
  return { rows, version, key };
}

/** Rows that are drawn while nobody knows how many there are. */
const PROVISIONAL_ROWS = 60;

interface RowCount {
  /** Rows that are drawn. */
  rowCount: number;
  isExact: boolean;
  /** Rows that were read or counted. */
  least: number;
}

/** `sought` is the row that the address names, which may be after all rows that were read. */
function rowCountOf(
  rows: Rows | null,
  counting: { status: string; rows: number },
  known: number | null,
  sought: number,
): RowCount {
  const exact = (rowCount: number) => ({ rowCount, isExact: true, least: rowCount });
  if (counting.status === "done") return exact(counting.rows);
  const total = rows?.total ?? rows?.end ?? known;
  if (total !== null && total !== undefined) return exact(total);
  const least = Math.max(rows?.seen ?? 0, counting.rows);
  const drawn = Math.max(rows?.reached ?? 0, counting.rows) || PROVISIONAL_ROWS;
  const isBeyond = typeof rows?.ceiling === "number" && sought > rows.ceiling;
  return { rowCount: Math.max(drawn, isBeyond ? 0 : sought), isExact: false, least };
}

// --- Columns -----------------------------------------------------------------------------------------------------------------

const WIDTHS: Record<string, number> = {
  integer: 144,
  decimal: 144,
  date: 136,
  datetime: 192,
  boolean: 120,
  categorical: 152,
  text: 208,
  empty: 120,
};

const isNarrow = (): boolean => innerWidth < 560;

const widthOf = ({ name, type }: Column): number =>
  Math.min(
    isNarrow() ? 152 : 280,
    Math.max(WIDTHS[type ?? ""] ?? 176, Math.round(Math.min(280, name.length * 8 + 48))),
  );

function chosenColumns(columns: Column[], chosen: string[] | null): Column[] {
  if (!chosen) return columns;
  const byName = new Map(columns.map((column) => [column.name, column]));
  const found = [...new Set(chosen)].flatMap((name) => byName.get(name) ?? []);
  return found.length > 0 ? found : columns;
}

const CHECKS = ["strict", "as"] as const;

/** The fragment of an address that opens the recipes. */
const RECIPES = "#recipes";

// --- Parts that are loaded when they are first opened ----------------------------------------------------------------------------

interface LazyProps<P> {
  load: () => Promise<ComponentType<P>>;
  props: P;
  onFail: () => void;
}

function Lazy<P extends object>({ load, props, onFail }: LazyProps<P>) {
  const [View, setView] = useState<ComponentType<P> | null>(null);
  useEffect(() => {
    load().then(
      (view) => setView(() => view),
      () => {
        toastProblem(api.noConnection());
        onFail();
      },
    );
  }, []);
  return View && <View {...props} />;
}

const loadColumns = () => import("./columns").then(({ ColumnsPanel }) => ColumnsPanel);
const loadReading = () => import("./reading-form").then(({ ReadingForm }) => ReadingForm);
const loadCell = () => import("./inspect").then(({ CellDialog }) => CellDialog);
const loadColumn = () => import("./inspect").then(({ ColumnDialog }) => ColumnDialog);
const loadExport = () => import("./export").then(({ ExportPanel }) => ExportPanel);
const loadShare = () => import("./export").then(({ ShareCut }) => ShareCut);
const loadRecipes = () => import("./export").then(({ RecipesPanel }) => RecipesPanel);

type Opened =
  | { kind: "columns" }
  | { kind: "reading" }
  | { kind: "shortcuts" }
  | { kind: "column"; name: string }
  | { kind: "cell"; row: number; name: string }
  | { kind: "recipes" }
  | { kind: "share" }
  | { kind: "export"; section: ExportSection; isStarted?: boolean };

// --- The page ----------------------------------------------------------------------------------------------------------------

function Cutter({ user }: { user: User }) {
  const { view, moves, change } = useView();
  const { file: id, filter, q, reading, checks } = view;
  const table = useTable(id, reading);
  const { file, columns } = table;
  const [opened, setOpened] = useState<Opened | null>(() =>
    location.hash === RECIPES ? { kind: "recipes" } : null,
  );
  const [isText, setText] = useState(false);
  const [asked, setAsked] = useState<{ column: string } | null>(null);
  const [place, setPlace] = useState<Place | null>(null);
  const [round, setRound] = useState(0);
  // The row that somebody has asked for, among the rows with this key. The key is `null` until there are rows.
  const [sought, setSought] = useState<{ row: number; key: string | null } | null>(
    view.row === null ? null : { row: view.row, key: null },
  );
  const handle = useRef<GridHandle>(null);
  const goTo = useRef<HTMLInputElement>(null);
  const close = () => setOpened(null);
  useEffect(() => {
    // A dialog belongs to the view in which it was opened.
    if (location.hash === RECIPES) history.replaceState(null, "", location.pathname + location.search);
    addEventListener("popstate", close);
    return () => removeEventListener("popstate", close);
  }, []);

  const filtering = useFilter(filter, isRead(reading) ? null : id, (text, isContinued) =>
    change({ filter: text, row: null }, !isContinued),
  );
  const isFiltered = filter !== "" || q !== "";
  const isHere = file !== null && file.lifecycleStatus !== "deleted";
  // The rows do not wait for the facts of the file.
  const hasRows = id !== "" && file?.lifecycleStatus !== "deleted" && filtering.isReady;
  const selection: Selection | null = hasRows ? { file: id, filter, q, reading, as: checks.as } : null;
  // Another account may share the file, and with it the right to see it, or to cut it, too.
  const sharedBy = file?.sharedBy ?? null;
  const canCut = file !== null && (sharedBy === null || file.may === "cut");
  const counting = useCounting(isFiltered && canCut ? selection : null);
  const { rows, version, key } = useRows(selection, columns, (view.row ?? 1) - 1, round);
  const total = table.profile?.rowCount ?? (isRead(reading) ? null : (file?.rowCount ?? null));
  const known = isFiltered ? null : total;
  const { rowCount, isExact, least } = rowCountOf(rows, counting, known, view.row ?? 0);

  useEffect(() => {
    document.title = file ? `${file.filename} · ${t.product}` : t.product;
  }, [file]);

  const facts = useMemo(() => {
    const found = new Map<string, Facts>();
    if (table.profile && columns)
      for (const { name, index } of columns) {
        const fact = table.profile.columns[index - 1];
        if (fact) found.set(name, fact);
      }
    return found;
  }, [table.profile, columns]);

  const shown = useMemo(() => chosenColumns(columns ?? [], view.columns), [columns, view.columns]);
  const filtered = useMemo(() => columnsIn(filtering.state.tree), [filtering.state.tree]);
  const gridColumns = useMemo(
    (): GridColumn[] =>
      shown.map((column) => ({
        name: column.name,
        index: column.index - 1,
        type: column.type ?? null,
        width: widthOf(column),
        isFiltered: filtered.has(column.name),
      })),
    [shown, filtered],
  );
  const filterColumns = useMemo(
    () =>
      (columns ?? []).map(({ name, type }) => ({ name, type: type ?? null, facts: facts.get(name) ?? null })),
    [columns, facts],
  );
  const defects = useMemo(
    () => new Map((table.profile?.rejects ?? []).map(({ record, reason }) => [record, reason])),
    [table.profile],
  );

  const onPlace = useCallback(
    (next: Place) => {
      setPlace((before) => (JSON.stringify(before) === JSON.stringify(next) ? before : next));
      const row = (next.active ?? next.first) + 1;
      change({ row: row > 1 ? row : null }, false, false);
    },
    [change],
  );

  useEffect(() => {
    if (key && sought?.key === null) setSought({ ...sought, key });
  }, [key]);

  const setColumns = (next: string[] | null) => change({ columns: next }, true, false);
  const moveColumn = (at: number, by: number) => {
    const names = shown.map(({ name }) => name);
    const [moved] = names.splice(at, 1);
    if (!moved || at + by < 0 || at + by > names.length) return;
    names.splice(at + by, 0, moved);
    const isAll = names.length === columns!.length && names.every((name, at) => name === columns![at]!.name);
    setColumns(isAll ? null : names);
  };
  const hideColumn = (name: string) =>
    setColumns(shown.map((column) => column.name).filter((other) => other !== name));
  const goToRow = (row: number) => {
    setSought({ row, key });
    const isAfter = isExact && row > rowCount;
    change({ row: isAfter ? Math.max(1, rowCount) : row }, true);
    handle.current?.focus();
  };
  const showInFile = (row: number) => change({ filter: "", q: "", row }, true);
  const filterBy = (work: (tree: Tree | null) => Tree | null) => {
    close();
    filtering.change(work);
  };
  const ask = (column: string) => {
    close();
    setAsked({ column });
  };
  const apply = (cut: Cut) => {
    const { reading: given, ...shown } = viewOf(cut);
    // A recipe without rules for reading suits however the file is read now.
    change({ ...shown, ...(isRead(given) && { reading: given }) }, true);
  };

  useShortcuts({
    "/": () => document.getElementById("search-all")?.focus(),
    f: () => setAsked({ column: columns?.[0]?.name ?? "" }),
    c: () => columns && setOpened({ kind: "columns" }),
    r: () => file && setOpened({ kind: "reading" }),
    g: () => goTo.current?.focus(),
    "?": () => setOpened({ kind: "shortcuts" }),
  });

  const problem = table.problem ?? (rows?.seen === 0 ? rows.problem : null);
  const canShow = rows !== null && columns !== null && !problem && isHere;

  // The rows follow the address.
  useLayoutEffect(() => {
    if (view.row) handle.current?.goTo(view.row - 1);
    else handle.current?.turn(-Infinity);
  }, [key, moves, canShow]);

  // A row that somebody has asked for by its number, and that does not exist.
  const isBeyond = canShow && sought !== null && sought.key === key && isExact && sought.row > rowCount;
  useLayoutEffect(() => {
    if (isBeyond && rowCount > 0) handle.current?.goTo(rowCount - 1);
  }, [isBeyond]);

  const failure = rows?.failure ?? table.profile?.failure ?? null;
  const isByRule = isRead(reading) || table.dialect?.ragged === "refuse";

  const isWaiting = !problem && isHere && !canShow && !filtering.isBroken;
  const cutState: CutState | null = file && {
    file,
    columns: view.columns,
    filter,
    q,
    reading,
    checks,
    output: view.output,
    count: rows && (isExact || counting.rows > 0) ? { rows: least, exact: isExact } : null,
    estimate: counting.estimate,
  };
  const unknown = (view.columns ?? []).filter(
    (name) => columns && !columns.some((column) => column.name === name),
  );
  const openColumn = opened?.kind === "column" ? shown.findIndex(({ name }) => name === opened.name) : -1;
  const openCell = opened?.kind === "cell" ? gridColumns.find(({ name }) => name === opened.name) : undefined;

  return (
    <>
      <a class="skip" href="#rows">
        {c.skip}
      </a>
      <header class="bar">
        <a class="brand" href="/">
          <Icon name="cut" /> {t.product}
        </a>
        <nav class="place" aria-label={t.place}>
          <a href="/">{c.files}</a>
          <span aria-hidden="true">/</span>
        </nav>
        <h1 class="bar-title">{file ? <Name>{file.filename}</Name> : id ? t.loading : c.noFileTitle}</h1>
        <span class="grow" />
        <Account
          user={user}
          actions={[
            ...(isHere && canCut && columns
              ? [{ label: c.recipes, run: () => setOpened({ kind: "recipes" }) }]
              : []),
            { label: t.shortcuts.open, run: () => setOpened({ kind: "shortcuts" }) },
            { label: t.shares, run: () => location.assign("/shares") },
            { label: t.receipts, run: () => location.assign("/receipt") },
            ...placesOf(user),
            { label: t.reference, run: () => location.assign("/docs") },
            {
              label: t.auth.signOut,
              run: () => void signOut().catch((error: unknown) => toastProblem(problemFrom(error))),
            },
          ]}
        />
      </header>
      <main class="cutter" tabIndex={-1}>
        <div class="cut-top">
          {isHere && (
            <>
              <span class="muted shape-line">
                {total !== null && `${t.rows(total)} · `}
                {columns && c.columnsOf(shown.length, columns.length)}
              </span>
              <ReadingButton
                dialect={table.dialect}
                isOpen={opened?.kind === "reading"}
                isChanged={isRead(reading)}
                onOpen={() => (opened?.kind === "reading" ? close() : setOpened({ kind: "reading" }))}
              />
              {CHECKS.filter((check) => checks[check]).map((check) => (
                <span class="chip" title={c.checks[check].title}>
                  <span>{c.checks[check].name}</span>
                  <button
                    type="button"
                    aria-label={c.checks.remove(c.checks[check].name)}
                    onClick={() => change({ checks: checksOf({ ...checks, [check]: undefined }) }, true)}
                  >
                    <Icon name="close" />
                  </button>
                </span>
              ))}
              {!sharedBy && (
                <a class="small" href={`/?file=${id}`}>
                  {c.details}
                </a>
              )}
              <span class="grow" />
              <button
                type="button"
                aria-keyshortcuts="c"
                disabled={!columns}
                onClick={() => setOpened({ kind: "columns" })}
              >
                <Icon name="columns" /> {c.columns.button}
              </button>
              {canCut && (
                <>
                  <button type="button" disabled={!columns} onClick={() => setOpened({ kind: "recipes" })}>
                    {c.recipes}
                  </button>
                  <button
                    type="button"
                    disabled={!canShow}
                    onClick={() => setOpened({ kind: "export", section: "save" })}
                  >
                    {c.save}
                  </button>
                  {!sharedBy && (
                    <button type="button" disabled={!canShow} onClick={() => setOpened({ kind: "share" })}>
                      {c.share}
                    </button>
                  )}
                </>
              )}
              <button
                type="button"
                class="primary"
                disabled={!canShow}
                onClick={() =>
                  canCut ? setOpened({ kind: "export", section: "download" }) : void downloadFile(id)
                }
              >
                {canCut ? c.download : c.downloadFile}
              </button>
            </>
          )}
        </div>
        {isHere && sharedBy && <p class="muted">{c.shared(sharedBy, canCut)}</p>}
        {opened?.kind === "reading" && file && (
          <Lazy
            load={loadReading}
            onFail={close}
            props={{
              file,
              dialect: table.dialect,
              reading,
              onChange: (reading) => change({ reading, row: null }, true),
              onKept: () => {
                change({ reading: {} }, false);
                close();
                table.reload();
                setRound(round + 1);
              },
              onClose: close,
            }}
          />
        )}
        {isHere && columns && (
          <Filters
            state={filtering.state}
            applied={filter}
            q={q}
            columns={filterColumns}
            counting={counting}
            isText={isText}
            asked={asked}
            onText={setText}
            onAsked={setAsked}
            onEdit={filtering.edit}
            onSearch={(q) => change({ q, row: null }, true)}
          />
        )}
        {isHere && (
          <Notices
            file={file}
            table={table}
            notice={rows?.notice ?? ""}
            unknown={unknown}
            onRow={showInFile}
            onChanged={() => {
              table.reload();
              setRound(round + 1);
            }}
          />
        )}
        {!id && (
          <div class="empty">
            <p>{c.noFile}</p>
            <a class="button" href="/">
              {c.toFiles}
            </a>
          </div>
        )}
        {file && !isHere && <InTrash file={file} onRestored={table.reload} />}
        {problem && (!file || isHere) && (
          <ProblemNote problem={problem}>
            <p class="row">
              {problem.status === 404 ? (
                <a class="button" href="/">
                  {c.toFiles}
                </a>
              ) : (
                <button
                  type="button"
                  onClick={() => {
                    table.reload();
                    setRound(round + 1);
                  }}
                >
                  {t.retry}
                </button>
              )}
              {file && (problem.status === 422 || isRead(reading)) && (
                <button type="button" onClick={() => setOpened({ kind: "reading" })}>
                  {c.reading.change}
                </button>
              )}
            </p>
          </ProblemNote>
        )}
        {filtering.isBroken && <p class="note">{c.filters.cannotUse}</p>}
        {isWaiting && (
          <p class="muted center" role="status">
            {c.grid.loading}
          </p>
        )}
        {canShow && (
          <section class="rows" id="rows" aria-label={c.grid.label(file!.filename)}>
            {failure && (
              <p class="warn line" role="status">
                <Icon name="warn" />
                <span>
                  {c.reading.unreadable(failure.record, failure.line, failure.reason)}{" "}
                  {isByRule ? c.reading.unreadableByRule : c.reading.unreadableFile}
                </span>
                {isByRule && (
                  <button type="button" class="small" onClick={() => setOpened({ kind: "reading" })}>
                    {c.reading.change}
                  </button>
                )}
              </p>
            )}
            <Grid
              rows={rows}
              rowCount={rowCount}
              fileRows={Math.max(rowCount, total ?? 0)}
              isExact={isExact}
              columns={gridColumns}
              version={version}
              defects={defects}
              handle={handle}
              label={c.grid.label(file!.filename)}
              head={(column) => (
                <Head
                  name={column.name}
                  type={column.type}
                  facts={facts.get(column.name) ?? null}
                  isWaiting={!table.isProfiled}
                  isFiltered={column.isFiltered}
                  onOpen={() => setOpened({ kind: "column", name: column.name })}
                  onRange={(from, to) => filterBy((tree) => withRange(tree, column.name, from, to))}
                  onValue={(value) => filterBy((tree) => withValue(tree, column.name, value))}
                />
              )}
              onPlace={onPlace}
              onCell={(row, { name }) => setOpened({ kind: "cell", row, name })}
              onHead={({ name }) => setOpened({ kind: "column", name })}
              onMoveColumn={moveColumn}
            />
            {isExact && rowCount === 0 && (
              <div class="empty grid-empty" role="status">
                <p>{isFiltered ? c.grid.noMatch : c.grid.noRows}</p>
                {isFiltered && (
                  <>
                    <p class="muted">{c.grid.noMatchHint}</p>
                    <button type="button" onClick={() => change({ filter: "", q: "", row: null }, true)}>
                      {c.grid.clear}
                    </button>
                  </>
                )}
              </div>
            )}
            {rows.problem && (
              <ProblemNote problem={rows.problem}>
                <button type="button" onClick={() => rows.retry()}>
                  {t.retry}
                </button>
              </ProblemNote>
            )}
            <Foot
              place={place}
              rowCount={rowCount}
              least={least}
              isExact={isExact}
              isFiltered={isFiltered}
              isCutOff={failure !== null}
              isBeyond={isBeyond}
              isBusy={rows.isBusy}
              defect={defectOf(rows, place, defects)}
              input={goTo}
              onTurn={(pages) => handle.current?.turn(pages)}
              onGo={goToRow}
            />
          </section>
        )}
      </main>
      {opened?.kind === "columns" && columns && (
        <Lazy
          load={loadColumns}
          onFail={close}
          props={{
            columns,
            chosen: view.columns,
            onChange: setColumns,
            onGo: (name) => {
              close();
              requestAnimationFrame(() => {
                handle.current?.focus();
                handle.current?.showColumn(shown.findIndex((column) => column.name === name));
              });
            },
            onClose: close,
          }}
        />
      )}
      {opened?.kind === "column" && openColumn >= 0 && (
        <Lazy
          key={opened.name}
          load={loadColumn}
          onFail={close}
          props={{
            name: opened.name,
            type: shown[openColumn]!.type ?? null,
            facts: facts.get(opened.name) ?? null,
            canMove: { left: openColumn > 0, right: openColumn < shown.length - 1 },
            canHide: shown.length > 1,
            onRange: (from, to) => filterBy((tree) => withRange(tree, opened.name, from, to)),
            onValue: (value) => filterBy((tree) => withValue(tree, opened.name, value)),
            onFilter: () => ask(opened.name),
            onHide: () => {
              close();
              hideColumn(opened.name);
            },
            onMove: (by) => moveColumn(openColumn, by),
            onClose: close,
          }}
        />
      )}
      {opened?.kind === "cell" && openCell && rows && selection && (
        <Lazy
          load={loadCell}
          onFail={close}
          props={{
            selection,
            cell: rows.cell(opened.row, openCell.index),
            row: opened.row,
            number: rows.number(opened.row) ?? opened.row + 1,
            column: openCell,
            onKeep: (value) => filterBy((tree) => withValue(tree, openCell.name, value)),
            onDrop: (value) => filterBy((tree) => withoutValue(tree, openCell.name, value)),
            onClose: close,
          }}
        />
      )}
      {opened?.kind === "export" && cutState && (
        <Lazy
          load={loadExport}
          onFail={close}
          props={{
            state: cutState,
            section: opened.section,
            isStarted: opened.isStarted,
            close,
            apply,
            keep: (output) => change({ output }, false, false),
          }}
        />
      )}
      {opened?.kind === "share" && cutState && (
        <Lazy load={loadShare} onFail={close} props={{ state: cutState, close }} />
      )}
      {opened?.kind === "recipes" && file && canCut && (
        <Lazy
          load={loadRecipes}
          onFail={close}
          props={{
            file,
            close,
            apply: (cut) => {
              close();
              apply(cut);
            },
            download: (cut) => {
              apply(cut);
              setOpened({ kind: "export", section: "download", isStarted: true });
            },
          }}
        />
      )}
      {opened?.kind === "shortcuts" && <Shortcuts onClose={close} />}
    </>
  );
}

async function downloadFile(id: string): Promise<void> {
  try {
    const link = document.createElement("a");
    link.href = await api.getDownload(id);
    link.download = "";
    link.click();
  } catch (error) {
    toastProblem(problemFrom(error));
  }
}

function defectOf(rows: Rows, place: Place | null, defects: Map<number, string>): string | null {
  if (place?.active === null || place?.active === undefined) return null;
  const number = rows.number(place.active);
  return number === undefined ? null : (defects.get(number) ?? null);
}

interface ReadingButtonProps {
  dialect: Dialect | null;
  isOpen: boolean;
  isChanged: boolean;
  onOpen: () => void;
}

function ReadingButton({ dialect, isOpen, isChanged, onOpen }: ReadingButtonProps) {
  const delimiter =
    dialect && (dialect.delimiter === "\t" ? c.reading.tab : (dialect.delimiter ?? t.reading.oneColumn));
  const text = dialect ? `${dialect.encoding} · ${delimiter}` : t.loading;
  return (
    <button
      type="button"
      class={isChanged ? "quiet changed" : "quiet"}
      aria-label={c.reading.open(text)}
      aria-expanded={isOpen}
      aria-keyshortcuts="r"
      onClick={onOpen}
    >
      {text}
      {isChanged && <span class="small">({c.reading.changed})</span>}
      <Icon name="down" />
    </button>
  );
}

/** The words for the parts of `X-Cutty-Notice`. */
function noticeTexts(notice: string): string[] {
  const r = t.reading;
  const words: Record<string, (value: number) => string> = {
    "rows-long": r.rowsLong,
    "rows-short": r.rowsShort,
    "rows-malformed": r.rowsMalformed,
    undecodable: r.undecodable,
    "comment-lines": r.commentLines,
    encoding: () => r.guessed,
    dialect: () => r.unsure,
  };
  return notice.split(";").flatMap((part) => {
    const [name = "", value = ""] = part.trim().split("=");
    return words[name]?.(Number(value)) ?? [];
  });
}

interface NoticesProps {
  file: FileView;
  table: Table;
  notice: string;
  unknown: string[];
  onRow: (row: number) => void;
  onChanged: () => void;
}

/** What a reader should know about the file, and the rows that it concerns. */
function Notices({ file, table, notice, unknown, onRow, onChanged }: NoticesProps) {
  const { profile } = table;
  const texts = profile ? warnings(profile) : noticeTexts(notice);
  const rejects = profile?.rejects ?? [];
  const total = texts.length + (file.sharedBy ? 0 : (profile?.suggestions.length ?? 0));
  return (
    <>
      {unknown.length > 0 && (
        <p class="warn line">
          <Icon name="warn" /> <span>{c.columns.unknown(unknown.join(", "))}</span>
        </p>
      )}
      {total > 0 && (
        <details class="notices" open={!!profile?.failure}>
          <summary>
            <Icon name="warn" /> {c.reading.notices(total)}
          </summary>
          <div class="stack">
            {profile ? (
              <Findings file={file} profile={profile} onChanged={onChanged} />
            ) : (
              texts.map((text) => <p>{text}</p>)
            )}
            {rejects.length > 0 && (
              <div>
                <p>{c.reading.defects(rejects.length)}</p>
                <ul class="plain">
                  {rejects.map(({ record, line, reason }) => (
                    <li>
                      {record > 0 ? (
                        <button type="button" class="link" onClick={() => onRow(record)}>
                          {c.reading.defect(record, line, reason)}
                        </button>
                      ) : (
                        c.reading.defect(record, line, reason)
                      )}
                    </li>
                  ))}
                </ul>
              </div>
            )}
          </div>
        </details>
      )}
    </>
  );
}

function InTrash({ file, onRestored }: { file: FileView; onRestored: () => void }) {
  const [isBusy, setBusy] = useState(false);
  const restore = async () => {
    setBusy(true);
    try {
      await api.restoreFile(file.id);
      onRestored();
    } catch (error) {
      toastProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return (
    <div class="empty">
      <h2>{c.inTrashTitle}</h2>
      <p>{c.inTrash(file.filename)}</p>
      <p class="row center">
        <button type="button" class="primary" aria-busy={isBusy} onClick={() => void restore()}>
          {t.actions.restore}
        </button>
        <a class="button" href="/">
          {c.toFiles}
        </a>
      </p>
    </div>
  );
}

interface FootProps {
  place: Place | null;
  rowCount: number;
  /** Rows that were read or counted. */
  least: number;
  isExact: boolean;
  isFiltered: boolean;
  /** Whether there are rows that cannot be read. */
  isCutOff: boolean;
  /** Whether the row that somebody has asked for does not exist. */
  isBeyond: boolean;
  isBusy: boolean;
  /** What is wrong with the active row. */
  defect: string | null;
  input: { current: HTMLInputElement | null };
  onTurn: (pages: number) => void;
  onGo: (row: number) => void;
}

/** Reads the number of a row, which may have signs between its thousands. */
function rowOf(text: string): number | null {
  const digits = /^\d{1,3}([\s'’,._])\d{3}(?:\1\d{3})*$/.test(text) ? text.replace(/\D/g, "") : text;
  const row = /^\d+$/.test(digits) ? Number(digits) : 0;
  return Number.isSafeInteger(row) && row >= 1 ? row : null;
}

function Foot(props: FootProps) {
  const { place, rowCount, least, isExact, isFiltered, isCutOff, isBeyond, isBusy, defect, input } = props;
  const { onTurn, onGo } = props;
  const [isWrong, setWrong] = useState(false);
  const first = place ? Math.min(place.first + 1, rowCount) : 0;
  const last = place ? Math.min(place.last + 1, rowCount) : 0;
  const turn = (label: string, icon: "first" | "up" | "down" | "last", pages: number, isOff: boolean) => (
    <button
      type="button"
      class="quiet square"
      aria-label={label}
      title={label}
      disabled={isOff}
      onClick={() => onTurn(pages)}
    >
      <Icon name={icon} />
    </button>
  );
  const label = isFiltered ? c.grid.goToMatch : c.grid.goTo;
  const only = isCutOff ? c.grid.onlyReadable(rowCount) : c.grid.onlySo(rowCount, isFiltered);
  const problem = isWrong ? c.grid.notARow : isBeyond ? only : null;
  const rangeOf = (): string => {
    if (rowCount === 0) return c.grid.none;
    if (isExact)
      return c.grid.range(first, last, isCutOff ? c.grid.readable(count(rowCount)) : count(rowCount));
    // The rows in view may not exist.
    if (first > least) return c.grid.loading;
    return c.grid.range(first, Math.min(last, least), c.grid.atLeast(least));
  };
  return (
    <div class="foot">
      <p class="defect" role="status">
        {defect && (
          <>
            <Icon name="warn" /> {defect}
          </>
        )}
      </p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          const row = rowOf(input.current!.value.trim());
          setWrong(row === null);
          if (row === null) return;
          onGo(row);
          input.current!.value = "";
        }}
      >
        <label for="go-to">{label}</label>
        <input
          ref={input}
          id="go-to"
          inputMode="numeric"
          autocomplete="off"
          aria-keyshortcuts="g"
          aria-invalid={isWrong ? "true" : undefined}
          aria-describedby="go-to-problem"
          onInput={() => setWrong(false)}
        />
        <button type="submit">{c.grid.go}</button>
        <span id="go-to-problem" class="field-error" role="status">
          {problem && (
            <>
              <Icon name="bad" /> {problem}
            </>
          )}
        </span>
      </form>
      <span class="range-text" role="status" aria-busy={isBusy}>
        {place && rangeOf()}
      </span>
      <div class="turns" role="group" aria-label={c.grid.pages}>
        {turn(c.grid.first, "first", -Infinity, first <= 1)}
        {turn(c.grid.previous, "up", -1, first <= 1)}
        {turn(c.grid.next, "down", 1, last >= rowCount)}
        {turn(c.grid.last, "last", Infinity, last >= rowCount)}
      </div>
    </div>
  );
}

const Shortcuts = ({ onClose }: { onClose: () => void }) => (
  <Dialog title={t.shortcuts.title} onClose={onClose}>
    <dl class="keys">
      {c.shortcuts.map(([key, meaning]) => (
        <>
          <dt>
            <kbd>{key}</kbd>
          </dt>
          <dd>{meaning}</dd>
        </>
      ))}
    </dl>
  </Dialog>
);

/** Single keys, unless somebody types, a dialog is open, or they are turned off on the page of the files. */
function useShortcuts(run: Record<string, () => unknown>): void {
  const latest = useRef(run);
  latest.current = run;
  const isOn = useRef(true);
  useEffect(() => {
    void idb.get<boolean>("settings", "shortcuts").then((value) => (isOn.current = value ?? true));
    const onKey = (event: KeyboardEvent) => {
      if (!isOn.current || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]")) return;
      const target = event.target as HTMLElement;
      if (target.matches("select, textarea, input:not([type=checkbox])")) return;
      const action = latest.current[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, []);
}

keepFocus();
render(<Frame>{(user) => <Cutter key={user.id} user={user} />}</Frame>, document.getElementById("app")!);
