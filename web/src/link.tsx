// The page `/s#token`: what the holder of a link sees. It needs no account, and has no code of accounts.

import { render } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { CellText } from "./cell-text";
import { DropBox } from "./drop-box";
import { bytes, when } from "./format";
import { Problem, onReach } from "./net";
import { explain } from "./problems";
import * as shared from "./shared";
import type { Opened, Rows, SharedInfo } from "./shared";
import { s } from "./shared-strings";
import { t } from "./strings";
import { Banner } from "./ui/banner";
import { Field, Icon, Name, ProblemNote, problemFrom } from "./ui/base";
import { keepFocus } from "./ui/focus";

const tokenOf = (): string => location.hash.slice(1);

// --- What was opened ----------------------------------------------------------------------------------------------------

/** Opening counts a use. So the history entry of this page keeps what was opened, and a reload needs no other use. */
function recallOpened(link: string): Opened | null {
  const state = history.state as { link: string; opened: Opened } | null;
  if (state?.link !== link || Date.parse(state.opened.until) <= Date.now()) return null;
  return state.opened;
}

const keepOpened = (link: string, opened: Opened): void => history.replaceState({ link, opened }, "");

// --- The page -----------------------------------------------------------------------------------------------------------

function App() {
  const [link, setLink] = useState(tokenOf);
  useEffect(() => {
    const read = () => setLink(tokenOf());
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  return (
    <>
      <Banner />
      <header class="bar">
        <a class="brand" href="/">
          <Icon name="cut" /> {t.product}
        </a>
        <span class="muted">{s.by}</span>
      </header>
      <Link key={link} link={link} />
    </>
  );
}

function Link({ link }: { link: string }) {
  const [opened, setOpened] = useState(() => recallOpened(link));
  const [info, setInfo] = useState<SharedInfo | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const token = opened?.token ?? link;
  const load = useCallback(async () => {
    try {
      setInfo(await shared.getInfo(token));
      setProblem(null);
    } catch (error) {
      setProblem(problemFrom(error));
    }
  }, [token]);
  const problemStatus = useRef<number | null>(null);
  problemStatus.current = problem?.status ?? null;
  useEffect(() => {
    if (!link) return;
    void load();
    return onReach((reach) => void (reach === "ok" && problemStatus.current === 0 && load()));
  }, [load]);
  const heading = info?.filename ?? (info?.kind === "upload" ? info.name : null);
  useEffect(() => {
    const title = heading ?? (info && s.kinds[info.kind]) ?? s.page;
    document.title = s.title(title);
  }, [heading, info]);

  if (!link) return <Message title={s.noLink} text={s.noLinkText} />;
  if (info?.kind === "upload") return <DropBox token={link} info={info} problem={problem} onChanged={load} />;
  if (problem && hasEnded(problem)) return <Message title={s.ended} text={explain(problem).detail} />;
  if (problem && !info)
    return (
      <main class="page" tabIndex={-1}>
        <h1>{s.page}</h1>
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => void load()}>
            {t.retry}
          </button>
        </ProblemNote>
      </main>
    );
  if (!info)
    return (
      <main class="page" tabIndex={-1} aria-busy="true">
        <h1>{s.page}</h1>
        <p class="muted">{s.loading}</p>
      </main>
    );
  const open = (opened: Opened) => {
    keepOpened(link, opened);
    setOpened(opened);
  };
  return (
    <main class="page" tabIndex={-1}>
      <h1>{info.filename ? <Name>{info.filename}</Name> : s.open.title}</h1>
      <Facts info={info} opened={opened} />
      {info.mustOpen ? (
        <Open link={link} info={info} onOpened={open} onProblem={setProblem} />
      ) : (
        <Content token={token} info={info} />
      )}
    </main>
  );
}

const hasEnded = ({ status }: Problem): boolean => status === 404 || status === 410;

const Message = ({ title, text }: { title: string; text: string }) => (
  <main class="page" tabIndex={-1}>
    <h1>{title}</h1>
    <p>{text}</p>
  </main>
);

function Facts({ info, opened }: { info: SharedInfo; opened: Opened | null }) {
  const { size, rowCount, columnCount, expiresAt, usesLeft } = info;
  const facts = [
    typeof size === "number" && bytes(size),
    typeof rowCount === "number" && s.shape(rowCount, columnCount ?? null),
  ].filter(Boolean);
  return (
    <div class="stack facts-line">
      {facts.length > 0 && <p>{facts.join(" · ")}</p>}
      <p class="muted" role="status">
        {opened ? (
          s.open.opened(when(opened.until))
        ) : (
          <>
            {expiresAt && s.until(when(expiresAt))} {typeof usesLeft === "number" && s.usesLeft(usesLeft)}
          </>
        )}
      </p>
    </div>
  );
}

// --- Open ---------------------------------------------------------------------------------------------------------------

interface OpenProps {
  link: string;
  info: SharedInfo;
  onOpened: (opened: Opened) => void;
  onProblem: (problem: Problem) => void;
}

function Open({ link, info, onOpened, onProblem }: OpenProps) {
  const [password, setPassword] = useState("");
  const [isWrong, setWrong] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const needsPassword = info.passwordRequired;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setWrong(false);
    try {
      onOpened(await shared.openShare(link, needsPassword ? password : null));
    } catch (error) {
      const problem = problemFrom(error);
      if (problem.status === 410) onProblem(problem);
      else if (problem.code === "forbidden") setWrong(true);
      else setProblem(problem);
      setBusy(false);
      input.current?.focus();
    }
  };
  return (
    <form class="stack open-form" onSubmit={submit}>
      {needsPassword && (
        <Field label={s.open.password} hint={s.open.passwordHint} error={isWrong ? s.open.wrong : undefined}>
          {(attributes) => (
            <input
              {...attributes}
              ref={input}
              type="password"
              autocomplete="off"
              required
              value={password}
              onInput={(event) => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
      )}
      {typeof info.usesLeft === "number" && <p>{s.open.counts(info.usesLeft)}</p>}
      {problem && <ProblemNote problem={problem} />}
      <button type="submit" class="primary" aria-busy={isBusy}>
        {isBusy ? s.open.working : s.open.button}
      </button>
    </form>
  );
}

// --- The file -----------------------------------------------------------------------------------------------------------

function Content({ token, info }: { token: string; info: SharedInfo }) {
  const [isBusy, setBusy] = useState(false);
  const [hasBegun, setBegun] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const download = async () => {
    if (isBusy) return;
    setBusy(true);
    setProblem(null);
    setBegun(false);
    try {
      // If the link has ended, the page can say so. The browser would only say that the download failed.
      await shared.getInfo(token);
      const link = document.createElement("a");
      link.href = shared.downloadAddress(token);
      link.download = "";
      link.click();
      setBegun(true);
    } catch (error) {
      setProblem(problemFrom(error));
    }
    setBusy(false);
  };
  return (
    <>
      <div class="row">
        <button type="button" class="primary" aria-busy={isBusy} onClick={() => void download()}>
          {s.download.button}
        </button>
        <span role="status">{hasBegun && s.download.begins}</span>
      </div>
      {problem && <ProblemNote problem={problem} />}
      <Preview token={token} name={info.filename ?? ""} />
    </>
  );
}

const PAGE_ROWS = 50;
/** Cells beyond these columns are left out: the preview is no grid. */
const SHOWN_COLUMNS = 60;

function Preview({ token, name }: { token: string; name: string }) {
  const [offset, setOffset] = useState(0);
  const [page, setPage] = useState<Rows | null>(null);
  const [isBusy, setBusy] = useState(true);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);
  const region = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const abort = new AbortController();
    setBusy(true);
    setProblem(null);
    shared.getRows(token, offset, PAGE_ROWS, abort.signal).then(
      (next) => {
        setPage(next);
        setBusy(false);
        region.current?.scrollTo({ top: 0 });
      },
      (error: unknown) => {
        if (abort.signal.aborted) return;
        setProblem(problemFrom(error));
        setBusy(false);
      },
    );
    return () => abort.abort();
  }, [token, offset, round]);
  const columns = page?.columns.slice(0, SHOWN_COLUMNS) ?? [];
  const last = page ? page.offset + page.rows.length : 0;
  const hasPages = page !== null && (page.offset > 0 || page.hasMore);
  return (
    <section class="stack" aria-labelledby="rows-title" aria-busy={isBusy}>
      <h2 id="rows-title">{s.rows.title}</h2>
      {problem && (
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => setRound(round + 1)}>
            {t.retry}
          </button>
        </ProblemNote>
      )}
      {!page && !problem && <p class="muted">{s.rows.loading}</p>}
      {page && page.rows.length === 0 && <p class="muted">{s.rows.none}</p>}
      {page && columns.length > 0 && page.rows.length > 0 && (
        <div class="preview" ref={region} tabIndex={0} role="region" aria-label={s.rows.label(name)}>
          <table>
            <thead>
              <tr>
                <th scope="col" class="row-number">
                  {s.rows.number}
                </th>
                {columns.map((column) => (
                  <th scope="col">
                    <CellText cell={column} isRead />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {page.rows.map((cells, index) => (
                <tr>
                  <th scope="row" class="row-number">
                    {page.rowNumbers[index]}
                  </th>
                  {columns.map((_, at) => (
                    <td>
                      <CellText cell={cells[at]} isRead />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {page?.failure && (
        <p class="warn line">
          <Icon name="warn" />
          <span>{s.rows.failure(Math.max(0, page.failure.record - 1))}</span>
        </p>
      )}
      {page && page.columns.length > SHOWN_COLUMNS && (
        <p class="muted">{s.rows.more(SHOWN_COLUMNS, page.columns.length)}</p>
      )}
      {page && page.rows.length > 0 && (
        <div class="row">
          <span class="muted" role="status">
            {s.rows.range(page.offset + 1, last, page.total ?? null)}
          </span>
          {hasPages && (
            <>
              <button
                type="button"
                aria-disabled={page.offset === 0}
                onClick={() => page.offset > 0 && setOffset(Math.max(0, page.offset - PAGE_ROWS))}
              >
                {s.rows.before}
              </button>
              <button
                type="button"
                aria-disabled={!page.hasMore}
                onClick={() => page.hasMore && setOffset(last)}
              >
                {s.rows.after}
              </button>
            </>
          )}
        </div>
      )}
    </section>
  );
}

keepFocus();
render(<App />, document.getElementById("app")!);
