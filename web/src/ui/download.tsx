// A download of a cut by the browser itself, and its receipt.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api";
import { bytes, count } from "../format";
import { cutterOf, receiptAddress, resultName } from "../cut";
import type { Cut } from "../cut";
import * as cuts from "../cuts";
import type { Receipt } from "../cuts";
import { e } from "../export-strings";
import { ProblemNote, problemFrom } from "./base";
import { CopyButton } from "./copy";
import { VerdictNote, outcomeOf } from "./verdict";

const p = e.progress;

export type Download =
  | { kind: "idle" }
  | { kind: "asking" }
  /** `isLate`: the browser has not begun for a while. */
  | { kind: "waiting"; name: string; isLate: boolean }
  | { kind: "found"; name: string; receipt: Receipt }
  /** The server has no list of receipts. */
  | { kind: "unlisted" }
  | { kind: "failed"; problem: Problem };

interface Source {
  id: string;
  filename: string;
}

const LATE_MS = 15_000;
const PAUSE_MS = 500;
const MAX_PAUSE_MS = 3000;
const NEWEST = 20;

const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });

const newest = async (fileId: string): Promise<Receipt[]> =>
  (await cuts.listReceipts(fileId, null, NEWEST)).cuts;

const isWithoutList = (error: unknown): boolean => error instanceof Problem && error.code === "not_found";

/** Whether the same request can succeed later. */
const isPassing = (error: unknown): boolean =>
  error instanceof Problem && (error.status === 0 || error.status >= 500);

/** Whether a receipt is that of this cut: another tab can cut the same file at the same time. */
async function isOf(receipt: Receipt, wanted: Cut): Promise<boolean> {
  const made = await cuts.getRecipe(receipt.id);
  if (!made) return false;
  const sameColumns = JSON.stringify(made.columns ?? null) === JSON.stringify(wanted.columns ?? null);
  return (
    (made.format ?? "csv") === (wanted.format ?? "csv") && made.compress === wanted.compress && sameColumns
  );
}

async function findNew(fileId: string, known: Set<string>, cut: Cut): Promise<Receipt | null> {
  const found = (await newest(fileId)).filter(({ id }) => !known.has(id));
  if (found.length < 2) return found[0] ?? null;
  // The oldest one that fits is from this download; newer ones can be from another tab.
  for (const receipt of found.reverse()) if (await isOf(receipt, cut)) return receipt;
  return null;
}

/** Begins a download, and follows its receipt until the cut has ended. */
async function follow(
  file: Source,
  cut: Cut,
  show: (download: Download) => void,
  signal: AbortSignal,
): Promise<void> {
  show({ kind: "asking" });
  const known = await newest(file.id).then(
    (found) => new Set(found.map(({ id }) => id)),
    (error: unknown) => {
      if (isWithoutList(error)) return null;
      throw error;
    },
  );
  const link = document.createElement("a");
  link.href = await cuts.getCutDownload(file.id, cut);
  link.download = "";
  if (signal.aborted) return;
  link.click();
  if (!known) return show({ kind: "unlisted" });
  const name = resultName(file.filename, cut);
  const began = Date.now();
  show({ kind: "waiting", name, isLate: false });
  let receipt: Receipt | null = null;
  for (let pause = PAUSE_MS; ; pause = Math.min(pause * 1.3, MAX_PAUSE_MS)) {
    await sleep(pause, signal);
    const next: Promise<Receipt | null> = receipt
      ? cuts.getReceipt(receipt.id)
      : findNew(file.id, known, cut);
    receipt = await next.catch((error: unknown) => {
      // The browser may still be downloading, so the receipt is looked for until the server responds again.
      if (isPassing(error)) return receipt;
      throw error;
    });
    if (receipt) show({ kind: "found", name, receipt });
    else if (Date.now() - began > LATE_MS) show({ kind: "waiting", name, isLate: true });
    if (receipt && outcomeOf(receipt) !== "running") return;
  }
}

export function useDownload() {
  const [download, setDownload] = useState<Download>({ kind: "idle" });
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);
  const start = (file: Source, cut: Cut) => {
    abort.current?.abort();
    const { signal } = (abort.current = new AbortController());
    const show = (next: Download) => {
      if (!signal.aborted) setDownload(next);
    };
    follow(file, cut, show, signal).catch((error: unknown) =>
      show({ kind: "failed", problem: problemFrom(error) }),
    );
  };
  return { download, start, isBusy: download.kind === "asking" };
}

const Hash = ({ of: text }: { of: string }) => (
  <span class="hash">
    <span class="mono break small">{text}</span>
    <CopyButton text={text} class="small" />
  </span>
);

/** Numbers and the hash; `children` are the first facts. */
export const ReceiptFacts = ({ receipt, children }: { receipt: Receipt; children?: ComponentChildren }) => (
  <dl class="facts">
    {children}
    <dt>{e.receipt.rows}</dt>
    <dd>{e.receipt.rowsText(receipt.rowsIn, receipt.rowsOut)}</dd>
    <dt>{e.receipt.bytes}</dt>
    <dd title={count(receipt.bytesOut)}>
      {receipt.bytesSkipped > 0
        ? e.receipt.bytesText(bytes(receipt.bytesIn), bytes(receipt.bytesSkipped), bytes(receipt.bytesOut))
        : e.receipt.bytesTextAll(bytes(receipt.bytesIn), bytes(receipt.bytesOut))}
    </dd>
    <dt>{e.receipt.hash}</dt>
    <dd>{receipt.checksum ? <Hash of={receipt.checksum} /> : e.receipt.noHash}</dd>
  </dl>
);

/** What became of the download: where the eye already is. */
export function DownloadResult({ file, cut, download }: { file: Source; cut: Cut; download: Download }) {
  return (
    <div class="stack result" role="status">
      {download.kind === "asking" && <p class="muted">{p.asking}</p>}
      {download.kind === "waiting" && (
        <>
          <p>{download.isLate ? p.late : p.waiting(download.name)}</p>
          <progress aria-label={p.waiting(download.name)} />
        </>
      )}
      {download.kind === "unlisted" && <p>{p.unlisted}</p>}
      {download.kind === "failed" && <ProblemNote problem={download.problem} />}
      {download.kind === "found" && (
        <>
          {outcomeOf(download.receipt) === "running" ? (
            <>
              <p>{p.running(download.name)}</p>
              <progress aria-label={p.running(download.name)} />
            </>
          ) : (
            <>
              <VerdictNote receipt={download.receipt} />
              <ReceiptFacts receipt={download.receipt} />
              {outcomeOf(download.receipt) === "complete" && <p class="muted small">{p.disk}</p>}
            </>
          )}
          <div class="row links">
            <a href={receiptAddress(download.receipt.id)}>{e.receipt.link}</a>
            <CopyButton
              class="link"
              label={e.receipt.copyLink}
              text={location.origin + cutterOf(file.id, cut)}
            />
          </div>
        </>
      )}
    </div>
  );
}
