// The page `/`: sign in, upload, find, keep.

import { render } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import type { FileView, Page, Problem, Query, Status, Usage, User } from "./api";
import { signOut } from "./auth";
import type { Details as DetailsView, Section } from "./details";
import { ago, bytes, day, when } from "./format";
import * as idb from "./idb";
import type { ShareDialog as ShareDialogView } from "./share";
import { t } from "./strings";
import { keepFocus } from "./ui/focus";
import { Dialog, Field, Icon, Menu, Name, ProblemNote, parseTags, problemFrom, useStore } from "./ui/base";
import type { Action } from "./ui/base";
import { Account, placesOf } from "./ui/bar";
import { DropZone } from "./ui/drop-zone";
import { Frame } from "./ui/frame";
import { toast, toastProblem, undoLast } from "./ui/toasts";
import { UploadRow, UploadedNote } from "./ui/uploads";
import * as uploading from "./upload";
import { accountTarget } from "./upload-account";

const f = t.files_;
const SORTS = Object.keys(f.sorts);
const STATUSES: Status[] = ["active", "archived", "deleted"];

// --- The address: search, tags, order and view, so that a link or a reload shows the same files ------------------------

function readAddress(): { query: Query; file: string | null } {
  const params = new URLSearchParams(location.search);
  const sort = params.get("sort") ?? "";
  const status = params.get("show") as Status;
  return {
    query: {
      q: params.get("q") ?? "",
      tags: params.getAll("tag"),
      sort: SORTS.includes(sort) ? sort : "-createdAt",
      status: STATUSES.includes(status) ? status : "active",
    },
    file: params.get("file"),
  };
}

function writeAddress(query: Query, file: string | null, isNew: boolean): void {
  const params = new URLSearchParams();
  if (query.q) params.set("q", query.q);
  for (const tag of query.tags) params.append("tag", tag);
  if (query.sort !== "-createdAt") params.set("sort", query.sort);
  if (query.status !== "active") params.set("show", query.status);
  if (file) params.set("file", file);
  const search = params.size > 0 ? `?${params}` : "";
  if (search === location.search) return;
  history[isNew ? "pushState" : "replaceState"](null, "", `/${search}`);
}

// --- The app -----------------------------------------------------------------------------------------------------------

const App = () => <Frame>{(user) => <Files user={user} />}</Frame>;

// --- Actions on files ----------------------------------------------------------------------------------------------------

const AT_ONCE = 4;

/** Runs `work` for each file, a few at a time. Returns the files that were changed, and the first problem. */
async function each(
  files: FileView[],
  work: (file: FileView) => Promise<unknown>,
  onRestore?: (files: FileView[]) => unknown,
) {
  const queue = [...files];
  const done: FileView[] = [];
  const problems: Problem[] = [];
  const run = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      try {
        await work(file);
        done.push(file);
      } catch (error) {
        problems.push(problemFrom(error));
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  const first = problems[0];
  if (first && files.length === 1) toastProblem(first, wayBack(first, files, onRestore));
  else if (first) {
    const title = t.errors.bulk(problems.length, files.length);
    toastProblem(new api.Problem(first.status, first.code, title, first.detail, first.requestId));
  }
  return done;
}

/** A file that was moved to the trash elsewhere can be restored. */
const wayBack = (problem: Problem, files: FileView[], onRestore?: (files: FileView[]) => unknown) =>
  problem.code === "in_trash" && onRestore
    ? { label: t.actions.restore, run: () => onRestore(files) }
    : undefined;

async function download(file: FileView, onRestore: (files: FileView[]) => unknown): Promise<void> {
  try {
    const link = document.createElement("a");
    link.href = await api.getDownload(file.id);
    link.download = "";
    link.click();
    toast(t.done.downloading(file.filename));
  } catch (error) {
    const problem = problemFrom(error);
    toastProblem(problem, wayBack(problem, [file], onRestore));
  }
}

const SAMPLE_ROWS = 500;

/** Makes a small list in the page: the same one each time. */
function sampleFile(): File {
  const first = ["Zoë", "Ada", "Noah", "Mia", "Luca", "Léa", "Emil", "Ida", "José", "Yuki", "Amara", "Finn"];
  const last = [
    "Amrein",
    "Berger",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fontana",
    "Gruber",
    "Haas",
    "Ito",
    "Keller",
  ];
  const cities = ["Bern", "Basel", "Genève", "Lausanne", "Lugano", "Zürich"];
  const lines = ["id,name,city,age,joined,spent"];
  let seed = 17;
  const pick = (below: number): number => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let id = 1; id <= SAMPLE_ROWS; id++) {
    const name = `${first[pick(first.length)]} ${last[pick(last.length)]}`;
    const joined = new Date(Date.UTC(2021, 0, 1 + pick(1800))).toISOString().slice(0, 10);
    const spent = (pick(50000) / 100).toFixed(2);
    lines.push(
      `${String(id).padStart(5, "0")},${name},${cities[pick(cities.length)]},${18 + pick(63)},${joined},${spent}`,
    );
  }
  return new File([lines.join("\n") + "\n"], t.sample.filename, { type: "text/csv", lastModified: 0 });
}

/** The limit of a request that reads as many files as are shown. */
const limitFor = (shown: number): number => Math.min(api.MAX_PAGE_FILES, Math.max(api.PAGE_FILES, shown));

/** Numbers of files that are not active. */
type Elsewhere = Record<"archived" | "deleted", number>;

// --- The files -------------------------------------------------------------------------------------------------------------

function Files({ user }: { user: User }) {
  const address = useRef(readAddress());
  const [query, setQuery] = useState(address.current.query);
  const [search, setSearch] = useState(query.q);
  const [opened, setOpened] = useState<{ id: string; section: Section | null } | null>(
    address.current.file ? { id: address.current.file, section: null } : null,
  );
  const [page, setPage] = useState<Page | null>(null);
  // The query of the files that are shown, which may still be those of the last query.
  const [shownQuery, setShownQuery] = useState(query);
  const [moreProblem, setMoreProblem] = useState<Problem | null>(null);
  const [elsewhere, setElsewhere] = useState<Elsewhere | null>(null);
  const [isLoading, setLoading] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [usage, setUsage] = useState<Usage | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [dialog, setDialog] = useState<
    | { kind: "tags"; files: FileView[] }
    | { kind: "remove"; files: FileView[] }
    | { kind: "share"; file: FileView }
    | { kind: "shortcuts" }
    | null
  >(null);
  const uploads = useStore(uploading.uploads, uploading.onUploads);
  const [hasShortcuts, setShortcuts] = useState(true);
  const loading = useRef<AbortController | null>(null);
  const isInFlight = useRef(false);
  const searchBox = useRef<HTMLInputElement>(null);
  const chooser = useRef<HTMLInputElement>(null);
  const lastClicked = useRef<string | null>(null);
  /** Uploads that were complete before this view was opened, and the number of files before more are shown. */
  const doneBefore = useRef<ReadonlySet<string>>(new Set());
  const shownBefore = useRef<number | null>(null);

  const latest = useRef({ query, shown: 0 });
  latest.current = { query, shown: page?.files.length ?? 0 };

  const load = useCallback(async (query: Query, cursor: string | null, limit = api.PAGE_FILES) => {
    loading.current?.abort();
    const abort = (loading.current = new AbortController());
    isInFlight.current = true;
    setLoading(true);
    try {
      const next = await api.listFiles(query, cursor, limit, abort.signal);
      if (abort.signal.aborted) return;
      setProblem(null);
      setMoreProblem(null);
      setShownQuery(query);
      setPage((before) => (cursor && before ? { ...next, files: [...before.files, ...next.files] } : next));
    } catch (error) {
      if (abort.signal.aborted) return;
      if (cursor) setMoreProblem(problemFrom(error));
      else setProblem(problemFrom(error));
    }
    isInFlight.current = false;
    setLoading(false);
  }, []);

  const loadUsage = useCallback(() => {
    api.getUsage().then(setUsage, () => undefined);
  }, []);

  // Before the first paint, so that no file can be chosen before the uploads have a target.
  useLayoutEffect(() => void uploading.beginUploads(accountTarget(user.id)), []);

  useEffect(() => {
    loadUsage();
    void idb.get<boolean>("settings", "shortcuts").then((value) => setShortcuts(value ?? true));
    const back = () => {
      const { query, file } = readAddress();
      setQuery(query);
      setSearch(query.q);
      setOpened(file ? { id: file, section: null } : null);
    };
    addEventListener("popstate", back);
    // The list is read again when the connection is back.
    const stop = api.onReach((reach) => {
      const { query, shown } = latest.current;
      if (reach === "ok" && !isInFlight.current) void load(query, null, limitFor(shown));
    });
    return () => {
      removeEventListener("popstate", back);
      stop();
    };
  }, []);

  useEffect(() => {
    setSelected(new Set());
    setMoreProblem(null);
    doneBefore.current = new Set(uploads.filter(({ status }) => status === "done").map(({ key }) => key));
    void load(query, null);
  }, [query]);

  // If there are no active files, the page says where the others are.
  const hasNoFiles = page?.total === 0;
  useEffect(() => {
    setElsewhere(null);
    if (!hasNoFiles || shownQuery.status !== "active") return;
    let isCurrent = true;
    const total = async (status: Status) =>
      (await api.listFiles({ q: "", tags: [], sort: "-createdAt", status }, null, 1)).total;
    Promise.all([total("archived"), total("deleted")]).then(
      ([archived, deleted]) => isCurrent && setElsewhere({ archived, deleted }),
      () => isCurrent && setElsewhere({ archived: 0, deleted: 0 }),
    );
    return () => void (isCurrent = false);
  }, [hasNoFiles, shownQuery]);

  // The last button "Show more" disappears. The first new file gets the focus.
  useLayoutEffect(() => {
    const at = shownBefore.current;
    if (!page || at === null || page.files.length <= at) return;
    shownBefore.current = null;
    const active = document.activeElement;
    if (!page.hasMore && (!active || active === document.body))
      document.querySelectorAll<HTMLElement>("li.file .open")[at]?.focus();
  }, [page]);

  useEffect(() => {
    if (search === query.q) return;
    const timer = setTimeout(() => change({ q: search }, false), 200);
    return () => clearTimeout(timer);
  }, [search]);

  const change = (changes: Partial<Query>, isNew = true) => {
    const next = { ...query, ...changes };
    writeAddress(next, null, isNew);
    setQuery(next);
  };

  const open = (id: string, section: Section | null = null) => {
    writeAddress(query, id, opened === null);
    setOpened({ id, section });
  };
  const closeDetails = () => {
    writeAddress(query, null, false);
    setOpened(null);
  };

  /** Puts a changed file into the list, or removes it from a list where it does not belong. */
  const replace = useCallback((file: FileView) => {
    setPage((page) => page && { ...page, files: page.files.map((old) => (old.id === file.id ? file : old)) });
    uploading.refreshResult(file, false);
  }, []);

  /** Reads the list again, as far as it is shown. If a row with the focus is gone, the row in its place gets the focus. */
  const reload = useCallback(async () => {
    const rows = () => [...document.querySelectorAll<HTMLElement>("li.file")];
    const at = rows().findIndex((row) => row.contains(document.activeElement) || row.matches(".selected"));
    setSelected(new Set());
    loadUsage();
    const { query, shown } = latest.current;
    await load(query, null, limitFor(shown));
    requestAnimationFrame(() => {
      if (document.activeElement && document.activeElement !== document.body) return;
      const row = rows().at(Math.max(0, Math.min(at, rows().length - 1)));
      const target = row?.querySelector<HTMLElement>("a") ?? chooser.current;
      target?.focus({ preventScroll: true });
    });
  }, []);

  useEffect(
    () =>
      uploading.onStored((file) => {
        loadUsage();
        setPage((page) => {
          if (!page || page.files.some(({ id }) => id === file.id)) {
            return page && { ...page, files: page.files.map((old) => (old.id === file.id ? file : old)) };
          }
          // New files are the first of the default list. Other lists are not changed while somebody reads them.
          const { q, tags, status, sort } = readAddress().query;
          if (q || tags.length > 0 || status !== "active" || sort !== "-createdAt") return page;
          return { ...page, files: [file, ...page.files], total: page.total + 1 };
        });
      }),
    [],
  );

  const restore = async (files: FileView[]) => {
    const done = await each(files, ({ id }) => api.restoreFile(id));
    if (done[0]) toast(t.done.restored(done.length, done[0].filename));
    await reload();
  };
  const trash = async (files: FileView[]) => {
    const done = await each(files, ({ id }) => api.trashFile(id));
    for (const { id } of done) uploading.forgetResult(id);
    if (done[0]) toast(t.done.trashed(done.length, done[0].filename), () => untrash(done));
    await reload();
  };
  /** Undoes `trash`: archived files are archived again. */
  const untrash = async (files: FileView[]) => {
    const done = await each(files, async ({ id, lifecycleStatus }) => {
      await api.restoreFile(id);
      if (lifecycleStatus === "archived") await api.changeFile(id, { archived: true });
    });
    if (done[0]) toast(t.done.untrashed(done.length, done[0].filename));
    await reload();
  };
  const archive = async (files: FileView[], archived: boolean) => {
    const done = await each(files, ({ id }) => api.changeFile(id, { archived }), restore);
    for (const { id } of done) if (archived) uploading.forgetResult(id);
    const text = archived ? t.done.archived : t.done.restored;
    if (done[0]) toast(text(done.length, done[0].filename), () => archive(done, !archived));
    await reload();
  };
  const removeForever = async (files: FileView[]) => {
    setDialog(null);
    const done = await each(files, ({ id }) => api.deleteFile(id));
    for (const { id } of done) uploading.forgetResult(id);
    if (done[0]) toast(t.done.removed(done.length, done[0].filename));
    await reload();
  };
  const tag = async (files: FileView[], add: string[], remove: string[]) => {
    setDialog(null);
    const done = await each(
      files,
      ({ id, userTags }) =>
        api.changeFile(id, {
          tags: [...new Set([...userTags.filter((tag) => !remove.includes(tag)), ...add])],
        }),
      restore,
    );
    if (done.length > 0) toast(t.done.tagged(done.length));
    await reload();
  };

  const actionsFor = (file: FileView): Action[] => {
    const remove = {
      label: t.actions.remove,
      isDangerous: true,
      isGroup: true,
      run: () => setDialog({ kind: "remove", files: [file] }),
    };
    if (file.lifecycleStatus === "deleted") {
      return [
        { label: t.actions.restore, run: () => void restore([file]) },
        { label: t.actions.details, run: () => open(file.id) },
        remove,
      ];
    }
    const isArchived = file.lifecycleStatus === "archived";
    return [
      { label: t.actions.cut, run: () => location.assign(cutterOf(file.id)) },
      { label: t.actions.recipes, run: () => location.assign(`${cutterOf(file.id)}#recipes`) },
      { label: t.actions.details, run: () => open(file.id) },
      { label: t.actions.download, run: () => void download(file, restore) },
      { label: t.actions.rename, run: () => open(file.id, "name") },
      { label: t.actions.tags, run: () => open(file.id, "tags") },
      { label: t.actions.expiry, run: () => open(file.id, "expiry") },
      { label: t.actions.reading, run: () => open(file.id, "reading") },
      { label: t.actions.share, run: () => setDialog({ kind: "share", file }) },
      {
        label: isArchived ? t.actions.unarchive : t.actions.archive,
        isGroup: true,
        run: () => void archive([file], !isArchived),
      },
      { label: t.actions.trash, run: () => void trash([file]) },
      remove,
    ];
  };

  const files = page?.files ?? [];
  const chosen = files.filter(({ id }) => selected.has(id));

  const select = (file: FileView, isOn: boolean, isRange: boolean) => {
    const next = new Set(selected);
    const from = files.findIndex(({ id }) => id === lastClicked.current);
    const to = files.findIndex(({ id }) => id === file.id);
    const range = isRange && from >= 0 ? files.slice(Math.min(from, to), Math.max(from, to) + 1) : [file];
    for (const { id } of range) isOn ? next.add(id) : next.delete(id);
    lastClicked.current = file.id;
    setSelected(next);
  };

  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (document.querySelector("dialog[open]")) return;
      const target = event.target as HTMLElement;
      const isTyping =
        target.matches("select, textarea") ||
        (target instanceof HTMLInputElement && !["checkbox", "file"].includes(target.type));
      if (event.key === "Escape") {
        if (target === searchBox.current && search) return setSearch("");
        if (selected.size > 0) return setSelected(new Set());
      }
      if (isTyping) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") return moveFocus(event);
      if (!hasShortcuts) return;
      const row = target.closest<HTMLElement>("[data-file]")?.dataset.file;
      const run: Record<string, () => void> = {
        "/": () => {
          if (searchBox.current?.checkVisibility()) return searchBox.current.focus();
          // The bar of the selection is where the search was.
          setSelected(new Set());
          requestAnimationFrame(() => searchBox.current?.focus());
        },
        u: () => chooser.current?.click(),
        z: undoLast,
        x: () => {
          const file = files.find(({ id }) => id === row);
          if (file) select(file, !selected.has(file.id), false);
        },
        "?": () => setDialog({ kind: "shortcuts" }),
      };
      const action = run[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });

  const isEmpty = page?.total === 0 && uploads.length === 0;
  const isFiltered = shownQuery.q !== "" || shownQuery.tags.length > 0;
  const shownUploads = uploads.filter(({ key }) => query.status === "active" || !doneBefore.current.has(key));
  const missing = page?.total === 0 && !isFiltered ? shownQuery.status : null;
  const others = elsewhere ? elsewhere.archived + elsewhere.deleted : null;
  const fresh = new Map(uploads.flatMap((item) => (item.result ? [[item.result.id, item] as const] : [])));

  return (
    <DropZone onFiles={uploading.addFiles}>
      <a class="skip" href="#files">
        {t.skipToFiles}
      </a>
      <header class="bar">
        <a class="brand" href="/">
          <Icon name="cut" /> {t.product}
        </a>
        <span class="grow" />
        <UploadsRing uploads={uploads} />
        <Account
          user={user}
          actions={[
            { label: t.shortcuts.open, run: () => setDialog({ kind: "shortcuts" }) },
            { label: t.shares, run: () => location.assign("/shares") },
            { label: t.receipts, run: () => location.assign("/receipt") },
            ...placesOf(user),
            { label: t.reference, run: () => location.assign("/docs") },
            { label: t.auth.signOut, run: () => void leave(uploads) },
          ]}
        />
      </header>
      <main id="files" tabIndex={-1}>
        <div class="top">
          <h1>{f.title}</h1>
          <button type="button" class="primary" onClick={() => chooser.current?.click()}>
            <Icon name="upload" /> {t.upload.button}
          </button>
          <input
            ref={chooser}
            type="file"
            multiple
            hidden
            aria-label={t.upload.choose}
            onChange={(event) => {
              uploading.addFiles([...(event.currentTarget.files ?? [])]);
              event.currentTarget.value = "";
            }}
          />
          <a href="/shares?with=me">{t.sharedWithMe}</a>
          <span class="grow" />
          <UsageBar usage={usage} />
        </div>
        {selected.size > 0 && (
          <div class="tools selection" role="toolbar" aria-label={f.selected(selected.size)}>
            <strong role="status">{f.selected(selected.size)}</strong>
            {query.status === "deleted" ? (
              <button type="button" onClick={() => void restore(chosen)}>
                {t.actions.restore}
              </button>
            ) : (
              <>
                <button type="button" onClick={() => setDialog({ kind: "tags", files: chosen })}>
                  {t.actions.addTags}
                </button>
                <button type="button" onClick={() => void archive(chosen, query.status === "active")}>
                  {query.status === "active" ? t.actions.archive : t.actions.unarchive}
                </button>
                <button type="button" onClick={() => void trash(chosen)}>
                  {t.actions.trash}
                </button>
              </>
            )}
            <button type="button" class="danger" onClick={() => setDialog({ kind: "remove", files: chosen })}>
              {t.actions.remove}
            </button>
            <button
              type="button"
              class="quiet square"
              aria-label={f.clearSelection}
              onClick={() => setSelected(new Set())}
            >
              <Icon name="close" />
            </button>
          </div>
        )}
        <Tools
          query={query}
          isBehind={selected.size > 0}
          search={search}
          searchBox={searchBox}
          known={[...new Set(files.flatMap(({ userTags }) => userTags))].sort()}
          onSearch={setSearch}
          onChange={change}
        />
        {problem && (
          <ProblemNote problem={problem}>
            <button type="button" onClick={() => void load(query, null)}>
              {t.retry}
            </button>
          </ProblemNote>
        )}
        {page && !(isEmpty && !isFiltered) && (
          <div class="list-head">
            <label class="check">
              <input
                type="checkbox"
                aria-label={f.selectAll}
                disabled={files.length === 0}
                checked={files.length > 0 && chosen.length === files.length}
                ref={(box) => {
                  if (box) box.indeterminate = chosen.length > 0 && chosen.length < files.length;
                }}
                onChange={(event) =>
                  setSelected(new Set(event.currentTarget.checked ? files.map(({ id }) => id) : []))
                }
              />
            </label>
            <span class="muted small">
              {files.length > 0 && <span class="label-name">{f.heads.name}</span>}
              <span role="status" aria-busy={isLoading}>
                {f.total(files.length, page.total)}
              </span>
            </span>
            {files.length > 0 && (
              <>
                <span class="label" aria-hidden="true">
                  {f.heads.rows}
                </span>
                <span class="label" aria-hidden="true">
                  {f.heads.size}
                </span>
                <span class="label" aria-hidden="true">
                  {f.heads.age}
                </span>
              </>
            )}
          </div>
        )}
        {(files.length > 0 || shownUploads.length > 0) && (
          <ul class="list" aria-label={f.list} aria-busy={isLoading}>
            {shownUploads
              .filter(({ result }) => !result || !files.some(({ id }) => id === result.id))
              .map((item) => (
                <UploadRow key={item.key} item={item} isElsewhere={query.status !== "active"} />
              ))}
            {files.map((file) => (
              <FileRow
                key={fresh.get(file.id)?.key ?? file.id}
                file={file}
                isSelected={selected.has(file.id)}
                actions={actionsFor(file)}
                onSelect={(isOn, isRange) => select(file, isOn, isRange)}
                onOpen={() => open(file.id)}
                onTag={(tag) => query.tags.includes(tag) || change({ tags: [...query.tags, tag] })}
                item={fresh.get(file.id)}
                onChange={() => open(file.id, "reading")}
                onChanged={(file) => {
                  replace(file);
                  uploading.refreshResult(file, true);
                }}
              />
            ))}
          </ul>
        )}
        {page?.hasMore && (
          <div class="more">
            <button
              type="button"
              aria-busy={isLoading}
              onClick={() => {
                shownBefore.current = files.length;
                void load(query, page.nextCursor ?? null);
              }}
            >
              {f.more}
            </button>
            {moreProblem && (
              <div ref={(element) => element?.scrollIntoView({ block: "nearest" })}>
                <ProblemNote problem={moreProblem} />
              </div>
            )}
          </div>
        )}
        {!page && !problem && <p class="muted center">{t.loading}</p>}
        {page && files.length === 0 && isFiltered && (
          <div class="empty">
            <p>{shownQuery.status === "active" ? f.noMatch : f.noMatchIn(f.views[shownQuery.status])}</p>
            <button
              type="button"
              onClick={() => {
                setSearch("");
                change({ q: "", tags: [] });
              }}
            >
              {f.clearFilters}
            </button>
          </div>
        )}
        {isEmpty && missing === "active" && others !== null && others > 0 && (
          <div class="empty">
            <h2>{f.noActiveTitle}</h2>
            <p>{f.noActiveText}</p>
            <p class="row center">
              {(["archived", "deleted"] as const).map(
                (status) =>
                  elsewhere![status] > 0 && (
                    <a
                      href={`/?show=${status}`}
                      class="button"
                      onClick={(event) => {
                        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                        event.preventDefault();
                        change({ status });
                      }}
                    >
                      {f.goToCount(f.goTo[status]!, elsewhere![status])}
                    </a>
                  ),
              )}
            </p>
          </div>
        )}
        {isEmpty && missing === "active" && others === 0 && (
          <div class="empty drop">
            <Icon name="upload" />
            <h2>{f.emptyTitle}</h2>
            <p>{f.emptyText}</p>
            <p class="row center">
              <button type="button" class="primary" onClick={() => chooser.current?.click()}>
                {t.upload.choose}
              </button>
              <button type="button" onClick={() => uploading.addFiles([sampleFile()])}>
                {f.trySample}
              </button>
            </p>
          </div>
        )}
        {missing && missing !== "active" && (
          <div class="empty">
            <p>{missing === "archived" ? f.emptyArchive : f.emptyTrash}</p>
          </div>
        )}
      </main>
      {opened && (
        <LazyDetails
          key={opened.id}
          {...opened}
          onClose={closeDetails}
          onOpen={(id) => open(id)}
          onDownload={(file) => void download(file, restore)}
          onRestore={(file) => {
            closeDetails();
            void restore([file]);
          }}
          onChanged={(file, isReadAgain) => {
            replace(file);
            if (isReadAgain) uploading.refreshResult(file, true);
          }}
        />
      )}
      {dialog?.kind === "tags" && (
        <TagsDialog files={dialog.files} onClose={() => setDialog(null)} onSave={tag} />
      )}
      {dialog?.kind === "share" && <LazyShare file={dialog.file} onClose={() => setDialog(null)} />}
      {dialog?.kind === "remove" && (
        <Dialog
          title={t.confirm.removeTitle(dialog.files.length, dialog.files[0]?.filename ?? "")}
          onClose={() => setDialog(null)}
        >
          <p>{query.status === "deleted" ? t.confirm.removeFromTrashText : t.confirm.removeText}</p>
          <p class="row end">
            <button type="button" data-focus onClick={() => setDialog(null)}>
              {t.cancel}
            </button>
            <button type="button" class="danger filled" onClick={() => void removeForever(dialog.files)}>
              {t.actions.remove}
            </button>
          </p>
        </Dialog>
      )}
      {dialog?.kind === "shortcuts" && (
        <Dialog title={t.shortcuts.title} onClose={() => setDialog(null)}>
          <dl class="keys">
            {t.shortcuts.list.map(([key, meaning]) => (
              <>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{meaning}</dd>
              </>
            ))}
          </dl>
          <label class="check">
            <input
              type="checkbox"
              checked={hasShortcuts}
              onChange={(event) => {
                setShortcuts(event.currentTarget.checked);
                void idb.put("settings", "shortcuts", event.currentTarget.checked);
              }}
            />
            {t.shortcuts.enabled}
          </label>
        </Dialog>
      )}
    </DropZone>
  );
}

const underWay = (uploads: readonly uploading.Item[]) =>
  uploads.filter(({ status }) => ["queued", "sending", "waiting", "paused"].includes(status));

async function leave(uploads: readonly uploading.Item[]): Promise<void> {
  const open = underWay(uploads).length;
  if (open > 0 && !confirm(t.auth.leaveUploads(open))) return;
  try {
    await signOut();
  } catch (error) {
    toastProblem(problemFrom(error));
  }
}

/** Arrows move between the names in the list. */
function moveFocus(event: KeyboardEvent): void {
  const names = [...document.querySelectorAll<HTMLElement>(".list .open")];
  const row = (event.target as HTMLElement).closest("li");
  const at = names.findIndex((name) => row?.contains(name));
  const isInList =
    row !== null || event.target === document.body || (event.target as HTMLElement).id === "files";
  if (!isInList) return;
  const to = names[at + (event.key === "ArrowDown" ? 1 : -1)] ?? (at < 0 ? names[0] : undefined);
  if (!to) return;
  event.preventDefault();
  to.focus();
}

/** A file in the trash has no rows to show, so its name opens its details. */
const cutterOf = (id: string): string => `/cut?file=${id}`;

interface FileRowProps {
  file: FileView;
  isSelected: boolean;
  actions: Action[];
  item: uploading.Item | undefined;
  onSelect: (isOn: boolean, isRange: boolean) => void;
  onOpen: () => void;
  onTag: (tag: string) => void;
  onChange: () => void;
  onChanged: (file: FileView) => void;
}

function FileRow({
  file,
  isSelected,
  actions,
  item,
  onSelect,
  onOpen,
  onTag,
  onChange,
  onChanged,
}: FileRowProps) {
  const isShift = useRef(false);
  const isTrashed = file.lifecycleStatus === "deleted";
  return (
    <li
      class={isSelected ? "file selected" : "file"}
      data-file={file.id}
      onClick={(event) => {
        // The name is the control for the keyboard; the rest of the row is a larger target for the mouse.
        const target = event.target as HTMLElement;
        const isControl = target.closest("a, button, input, label, .uploaded, .popup") !== null;
        if (isControl || getSelection()?.isCollapsed === false) return;
        if (isTrashed) onOpen();
        else location.assign(cutterOf(file.id));
      }}
    >
      <label class="check">
        <input
          type="checkbox"
          aria-label={f.select(file.filename)}
          checked={isSelected}
          onClick={(event) => (isShift.current = event.shiftKey)}
          onChange={(event) => {
            onSelect(event.currentTarget.checked, isShift.current);
            isShift.current = false;
          }}
        />
      </label>
      <div class="what">
        <a
          class="open"
          href={isTrashed ? `/?file=${file.id}` : cutterOf(file.id)}
          onClick={(event) => {
            if (!isTrashed || event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            onOpen();
          }}
        >
          <Name>{file.filename}</Name>
        </a>
        {file.source === "cut" && (
          <span class="kind" title={f.fromCutHint}>
            <Icon name="cut" /> {f.fromCut}
          </span>
        )}
        {file.userTags.map((tag) => (
          <button type="button" class="tag" aria-label={f.filterByTag(tag)} onClick={() => onTag(tag)}>
            <bdi>{tag}</bdi>
          </button>
        ))}
        {isTrashed && (
          <span class="muted small" title={when(file.updatedAt)}>
            {f.inTrashSince(day(file.updatedAt))}
          </span>
        )}
        {file.expiresAt && !isTrashed && (
          <span class="muted small" title={when(file.expiresAt)}>
            {f.expires(day(file.expiresAt))}
          </span>
        )}
      </div>
      <span class="shape">
        {typeof file.rowCount === "number" && t.rows(file.rowCount)}
        {typeof file.columnCount === "number" && ` · ${t.columns(file.columnCount)}`}
      </span>
      <span class="size">{bytes(file.size)}</span>
      <time class="age muted" dateTime={file.createdAt} title={when(file.createdAt)}>
        {ago(file.createdAt)}
      </time>
      <Menu label={f.menu(file.filename)} actions={actions}>
        <Icon name="more" />
      </Menu>
      {item && <UploadedNote item={item} file={file} onChange={onChange} onChanged={onChanged} />}
    </li>
  );
}

interface ToolsProps {
  query: Query;
  /** Whether the bar of the selection covers it, except on phones. */
  isBehind: boolean;
  search: string;
  searchBox: { current: HTMLInputElement | null };
  known: string[];
  onSearch: (text: string) => void;
  onChange: (changes: Partial<Query>) => void;
}

function Tools({ query, isBehind, search, searchBox, known, onSearch, onChange }: ToolsProps) {
  const tag = useRef<HTMLInputElement>(null);
  /** Enter, the button, a suggestion, and leaving the field apply the tag once. */
  const addTag = () => {
    const added = tag.current!.value.trim();
    tag.current!.value = "";
    if (added && !query.tags.includes(added)) onChange({ tags: [...query.tags, added] });
  };
  return (
    <div class={isBehind ? "tools behind" : "tools"} role="search" aria-label={f.searchShort}>
      <div class="search">
        <Icon name="search" />
        <input
          ref={searchBox}
          type="search"
          aria-label={f.search}
          placeholder={f.search}
          aria-keyshortcuts="/"
          value={search}
          onInput={(event) => onSearch(event.currentTarget.value)}
        />
      </div>
      <form
        class="tags"
        onSubmit={(event) => {
          event.preventDefault();
          addTag();
        }}
      >
        {query.tags.map((tag) => (
          <button
            type="button"
            class="tag on"
            aria-label={f.removeTagFilter(tag)}
            onClick={() => onChange({ tags: query.tags.filter((other) => other !== tag) })}
          >
            <bdi>{tag}</bdi> <Icon name="close" />
          </button>
        ))}
        <input
          class="tag-input"
          aria-label={f.tagFilter}
          placeholder={f.tagFilter}
          list="known-tags"
          ref={tag}
          onChange={addTag}
          onInput={(event) => (event as InputEvent).inputType === "insertReplacementText" && addTag()}
        />
        <button type="submit" class="tag-add">
          {f.addTag}
        </button>
        <datalist id="known-tags">
          {known.map((tag) => (
            <option value={tag} />
          ))}
        </datalist>
      </form>
      <select
        aria-label={f.sort}
        value={query.sort}
        onChange={(event) => onChange({ sort: event.currentTarget.value })}
      >
        {SORTS.map((sort) => (
          <option value={sort}>{f.sorts[sort]}</option>
        ))}
      </select>
      <select
        aria-label={f.view}
        value={query.status}
        onChange={(event) => onChange({ status: event.currentTarget.value as Status })}
      >
        {STATUSES.map((status) => (
          <option value={status}>{f.views[status]}</option>
        ))}
      </select>
    </div>
  );
}

function UsageBar({ usage }: { usage: Usage | null }) {
  if (!usage) return null;
  const [used, quota, reserved] = [
    bytes(usage.usedBytes),
    bytes(usage.quotaBytes),
    bytes(usage.reservedBytes),
  ];
  return (
    <div class="usage" title={t.usage.hint(used, reserved, quota)}>
      <a class="small" href="/usage">
        <span class="hidden">{t.usage.open}: </span>
        {t.usage.text(used, quota)}
      </a>
      <progress
        aria-label={t.usage.label}
        value={usage.usedBytes + usage.reservedBytes}
        max={usage.quotaBytes || 1}
      />
    </div>
  );
}

function UploadsRing({ uploads }: { uploads: readonly uploading.Item[] }) {
  const open = underWay(uploads);
  if (open.length === 0) return null;
  const [sent, size] = open.reduce(([sent, size], item) => [sent + item.sent, size + item.size], [0, 0]);
  return (
    <span class="ring small">
      <Icon name="upload" /> {t.upload.under(open.length, Math.floor((sent / (size || 1)) * 100))}
    </span>
  );
}

interface TagsProps {
  files: FileView[];
  onClose: () => void;
  onSave: (files: FileView[], add: string[], remove: string[]) => void;
}

function TagsDialog({ files, onClose, onSave }: TagsProps) {
  const [add, setAdd] = useState("");
  const [remove, setRemove] = useState<string[]>([]);
  const known = [...new Set(files.flatMap(({ userTags }) => userTags))].sort();
  return (
    <Dialog title={t.bulkTags.title(files.length)} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          onSave(files, parseTags(add), remove);
        }}
      >
        <Field label={t.bulkTags.add} hint={t.details.tagsHint}>
          {(a) => (
            <input
              {...a}
              data-focus
              dir="auto"
              value={add}
              onInput={(event) => setAdd(event.currentTarget.value)}
            />
          )}
        </Field>
        {known.length > 0 && (
          <fieldset>
            <legend>{t.bulkTags.remove}</legend>
            {known.map((tag) => (
              <label class="check">
                <input
                  type="checkbox"
                  onChange={(event) =>
                    setRemove(
                      event.currentTarget.checked
                        ? [...remove, tag]
                        : remove.filter((other) => other !== tag),
                    )
                  }
                />
                <bdi>{tag}</bdi>
              </label>
            ))}
          </fieldset>
        )}
        <p class="row end">
          <button type="button" onClick={onClose}>
            {t.cancel}
          </button>
          <button type="submit" class="primary">
            {t.save}
          </button>
        </p>
      </form>
    </Dialog>
  );
}

/** Loads the details when they are first opened. */
function LazyDetails(props: Parameters<typeof DetailsView>[0]) {
  const [View, setView] = useState<typeof DetailsView | null>(null);
  useEffect(() => {
    import("./details").then(
      ({ Details }) => setView(() => Details),
      () => {
        toastProblem(api.noConnection());
        props.onClose();
      },
    );
  }, []);
  return View && <View {...props} />;
}

/** Loads the dialog of shares when it is first opened. */
function LazyShare(props: Parameters<typeof ShareDialogView>[0]) {
  const [View, setView] = useState<typeof ShareDialogView | null>(null);
  useEffect(() => {
    import("./share").then(
      ({ ShareDialog }) => setView(() => ShareDialog),
      () => {
        toastProblem(api.noConnection());
        props.onClose();
      },
    );
  }, []);
  return View && <View {...props} />;
}

keepFocus();
render(<App />, document.getElementById("app")!);
