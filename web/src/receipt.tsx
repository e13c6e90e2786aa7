// The page `/receipt`: the receipts of cuts, and one receipt with everything about its cut.

import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import * as api from "./api";
import type { Dialect, Problem, User } from "./api";
import { cutterOf, filterOf, receiptAddress } from "./cut";
import type { Cut } from "./cut";
import * as cuts from "./cuts";
import type { ListedReceipt, Receipt } from "./cuts";
import { e } from "./export-strings";
import { ago, bytes, count, duration, when } from "./format";
import { outputWords } from "./output-words";
import { t } from "./strings";
import { Bar } from "./ui/bar";
import { Icon, Name, ProblemNote, problemFrom } from "./ui/base";
import { CheckFile } from "./ui/check";
import { DownloadResult, ReceiptFacts, useDownload } from "./ui/download";
import { keepFocus } from "./ui/focus";
import { Frame } from "./ui/frame";
import { Pages, usePages } from "./ui/pages";
import { Summary } from "./ui/reading";
import { Verdict, VerdictNote, outcomeOf } from "./ui/verdict";

const r = e.receipt;

function Page({ user }: { user: User }) {
  const query = new URLSearchParams(location.search);
  const id = query.get("cut");
  return (
    <>
      <Bar user={user}>
        <a href="/">{t.files_.title}</a>
        <span aria-hidden="true">/</span>
        {id ? <a href="/receipt">{e.receipts.place}</a> : <span aria-current="page">{e.receipts.place}</span>}
      </Bar>
      {id ? <One id={id} /> : <All fileId={query.get("file")} />}
    </>
  );
}

// --- Files by their ids -------------------------------------------------------------------------------------------------

/** The name of a file; null if the file is gone. Undefined while it is looked up. */
type NameOf = (id: string) => string | null | undefined;

const isMissing = (error: unknown): boolean => error instanceof api.Problem && error.code === "not_found";

function useNames(ids: string[]): NameOf {
  const [names, setNames] = useState<Record<string, string | null>>({});
  const asked = useRef(new Set<string>());
  useEffect(() => {
    for (const id of new Set(ids)) {
      if (asked.current.has(id)) continue;
      asked.current.add(id);
      api.getFile(id).then(
        ({ filename }) => setNames((before) => ({ ...before, [id]: filename })),
        // Without the name, the receipt still says everything else.
        () => setNames((before) => ({ ...before, [id]: null })),
      );
    }
  }, [ids.join()]);
  return (id) => names[id];
}

// --- One receipt --------------------------------------------------------------------------------------------------------

const LOOK_AGAIN_MS = 3000;

/** Reads the receipt, again and again while the cut is running. */
function useReceipt(id: string) {
  const [receipt, setReceipt] = useState<Receipt | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const load = async () => {
      try {
        const found = await cuts.getReceipt(id);
        if (isOver) return;
        setReceipt(found);
        setProblem(null);
        if (outcomeOf(found) === "running") timer = setTimeout(() => void load(), LOOK_AGAIN_MS);
      } catch (error) {
        if (!isOver) setProblem(isMissing(error) ? missing() : problemFrom(error));
      }
    };
    void load();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [id]);
  return { receipt, problem };
}

const missing = (): Problem => new api.Problem(404, "unknown", r.missingTitle, r.missing);

/** Reads the recipe: "gone" if it is not stored any more. */
function useRecipe(id: string): { recipe: Cut | "gone" | null; problem: Problem | null } {
  const [recipe, setRecipe] = useState<Cut | "gone" | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  useEffect(() => {
    cuts.getRecipe(id).then(
      (found) => setRecipe(found ?? "gone"),
      (error: unknown) => setProblem(problemFrom(error)),
    );
  }, [id]);
  return { recipe, problem };
}

function One({ id }: { id: string }) {
  const { receipt, problem } = useReceipt(id);
  const nameOf = useNames(receipt ? [receipt.fileId] : []);
  if (!receipt)
    return (
      <main class="page" tabIndex={-1} aria-busy={!problem}>
        <h1>{r.title}</h1>
        {problem ? (
          <>
            <ProblemNote problem={problem} />
            <p>
              <a href="/receipt">{r.all}</a>
            </p>
          </>
        ) : (
          <p class="muted">{t.loading}</p>
        )}
      </main>
    );
  const name = nameOf(receipt.fileId);
  if (name) document.title = r.pageTitle(name);
  return (
    <main class="page" tabIndex={-1}>
      <h1>{r.title}</h1>
      <div role="status">
        <VerdictNote receipt={receipt} />
        {outcomeOf(receipt) === "running" && <progress aria-label={e.verdict.running} />}
      </div>
      {problem && <ProblemNote problem={problem} />}
      <ReceiptFacts receipt={receipt}>
        <dt>{r.file}</dt>
        <dd>
          <FileLink id={receipt.fileId} name={name} />
        </dd>
        <dt>{r.time}</dt>
        <dd>{timeText(receipt)}</dd>
      </ReceiptFacts>
      {receipt.checksum && outcomeOf(receipt) === "complete" && (
        <section aria-labelledby="check-title">
          <h2 id="check-title">{e.check.title}</h2>
          <CheckFile expected={{ sha256: receipt.checksum, bytes: receipt.bytesOut }} />
        </section>
      )}
      <section aria-labelledby="defects-title">
        <h2 id="defects-title">{r.defects}</h2>
        <Defects receipt={receipt} />
      </section>
      <Recipe receipt={receipt} name={name} />
    </main>
  );
}

function FileLink({ id, name }: { id: string; name: string | null | undefined }) {
  if (name === null) return <span class="muted">{r.deletedFile}</span>;
  if (name === undefined)
    return (
      <span class="awaited">
        <span class="hidden">{t.loading}</span>
      </span>
    );
  return (
    <a href={`/cut?file=${encodeURIComponent(id)}`}>
      <Name>{name}</Name>
    </a>
  );
}

function timeText({ createdAt, finishedAt }: Receipt): string {
  const began = when(createdAt);
  const seconds = finishedAt ? (Date.parse(finishedAt) - Date.parse(createdAt)) / 1000 : 0;
  return seconds < 1 ? began : r.timeText(began, duration(seconds));
}

// --- Defects ------------------------------------------------------------------------------------------------------------

interface Details {
  dialect?: Dialect;
  encoding?: string;
  rowsShort?: number;
  rowsLong?: number;
  rowsMalformed?: number;
  undecodable?: number;
  undecodablePlaces?: { line?: number }[];
  invalidUtf8?: number;
  commentLines?: number;
  notComparable?: number;
}

const detailsOf = ({ details }: Receipt): Details => details as Details;

function defectsOf(receipt: Receipt): string[] {
  const details = detailsOf(receipt);
  const line = details.undecodablePlaces?.[0]?.line;
  const found: (string | undefined | 0)[] = [
    receipt.rowsRejected && r.rejected,
    details.rowsLong && r.long(details.rowsLong),
    details.rowsShort && r.short(details.rowsShort),
    details.rowsMalformed && r.malformed(details.rowsMalformed),
    details.undecodable &&
      [r.undecodable(details.undecodable, details.encoding ?? "?"), line && r.undecodableAt(line)]
        .filter(Boolean)
        .join(" "),
    // In a file that is UTF-8, the same bytes are counted as undecodable.
    !details.undecodable && details.invalidUtf8 ? r.invalidUtf8(details.invalidUtf8) : undefined,
    details.commentLines && r.comments(details.commentLines),
    details.notComparable && r.notComparable(details.notComparable),
  ];
  return found.filter((text): text is string => Boolean(text));
}

function Defects({ receipt }: { receipt: Receipt }) {
  const found = defectsOf(receipt);
  if (found.length === 0)
    return <p class="muted">{outcomeOf(receipt) === "complete" ? r.noDefects : r.noneYet}</p>;
  return (
    <ul class="plain">
      {found.map((text) => (
        <li class="line warn">
          <Icon name="warn" />
          <span>{text}</span>
        </li>
      ))}
    </ul>
  );
}

// --- The recipe ---------------------------------------------------------------------------------------------------------

function Recipe({ receipt, name }: { receipt: Receipt; name: string | null | undefined }) {
  const { recipe, problem } = useRecipe(receipt.id);
  const { dialect } = detailsOf(receipt);
  return (
    <section aria-labelledby="recipe-title">
      <h2 id="recipe-title">{r.recipe}</h2>
      {problem && <ProblemNote problem={problem} />}
      {recipe === "gone" && <p class="muted">{r.recipeGone}</p>}
      {recipe && recipe !== "gone" && (
        <dl class="facts">
          <dt>{r.filter}</dt>
          <dd>
            <FilterText cut={recipe} />
          </dd>
          <dt>{r.columns}</dt>
          <dd class="break">{recipe.columns?.join(", ") ?? r.allColumns}</dd>
          <dt>{r.format}</dt>
          <dd>{outputWords(recipe).join(", ")}</dd>
          {dialect && (
            <>
              <dt>{r.reading}</dt>
              <dd>
                <Summary dialect={dialect} />
              </dd>
            </>
          )}
        </dl>
      )}
      {recipe && recipe !== "gone" && name && (
        <Again receipt={receipt} file={{ id: receipt.fileId, filename: name }} cut={recipe} />
      )}
    </section>
  );
}

function FilterText({ cut }: { cut: Cut }) {
  const parts = [filterOf(cut), cut.q ? `* CONTAINS "${cut.q}"` : ""].filter(Boolean);
  if (parts.length === 0) return <>{r.noFilter}</>;
  return (
    <>
      {parts.map((text) => (
        <span class="mono break">{text}</span>
      ))}
    </>
  );
}

function Again({
  receipt,
  file,
  cut,
}: {
  receipt: Receipt;
  file: { id: string; filename: string };
  cut: Cut;
}) {
  const { download, start, isBusy } = useDownload();
  const made =
    download.kind === "found" && outcomeOf(download.receipt) === "complete" ? download.receipt : null;
  return (
    <>
      <div class="row">
        <a class="button" href={cutterOf(file.id, cut)}>
          {r.openCutter}
        </a>
        <button type="button" aria-busy={isBusy} onClick={() => !isBusy && start(file, cut)}>
          {r.runAgain}
        </button>
      </div>
      <DownloadResult file={file} cut={cut} download={download} />
      {made && receipt.checksum && <p>{made.checksum === receipt.checksum ? r.sameAgain : r.otherAgain}</p>}
    </>
  );
}

// --- All receipts -------------------------------------------------------------------------------------------------------

function All({ fileId }: { fileId: string | null }) {
  const a = e.receipts;
  const pages = usePages<ListedReceipt>(async (cursor, signal) => {
    const page = await cuts.listReceipts(fileId, cursor, cuts.PAGE_CUTS, signal);
    return { items: page.cuts, next: page.nextCursor ?? null };
  }, "");
  const name = fileId && pages.items?.[0]?.fileName;
  const empty = (
    <div class="empty">
      <h2>{a.emptyTitle}</h2>
      <p>{a.empty}</p>
      <a class="button" href="/">
        {a.toFiles}
      </a>
    </div>
  );
  const head = (
    <div class="receipts-head" aria-hidden="true">
      <span>{a.heads.file}</span>
      <span class="number">{a.heads.rows}</span>
      <span class="number">{a.heads.bytes}</span>
      <span class="number">{a.heads.time}</span>
      <span>{a.heads.verdict}</span>
    </div>
  );
  return (
    <main tabIndex={-1}>
      <h1>{name ? a.of(name) : a.title}</h1>
      <Pages pages={pages} class="receipts" label={a.list} head={head} empty={empty} more={a.more}>
        {(receipt) => <Row key={receipt.id} receipt={receipt} />}
      </Pages>
    </main>
  );
}

const Row = ({ receipt }: { receipt: ListedReceipt }) => (
  <li>
    <a href={receiptAddress(receipt.id)}>
      {receipt.fileName ? <Name>{receipt.fileName}</Name> : <span class="muted">{r.deletedFile}</span>}
      <span class="number">{t.rows(receipt.rowsOut)}</span>
      <span class="number" title={count(receipt.bytesOut)}>
        {bytes(receipt.bytesOut)}
      </span>
      <time class="number" dateTime={receipt.createdAt} title={when(receipt.createdAt)}>
        {ago(receipt.createdAt)}
      </time>
      <Verdict receipt={receipt} />
    </a>
  </li>
);

keepFocus();
render(<Frame>{(user) => <Page user={user} />}</Frame>, document.getElementById("app")!);
