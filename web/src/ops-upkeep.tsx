// Upkeep: the runs of the sweeps, the findings, and the self-check.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "./api";
import { count, moment } from "./format";
import { checkPage, listFindings, listSweeps, resolveFinding, runSweeps } from "./operating";
import type { Finding, SweepRun, Violation } from "./operating";
import { op } from "./ops-strings";
import { t } from "./strings";
import { ProblemNote, problemFrom } from "./ui/base";
import { Confirm } from "./ui/confirm";
import { usePages } from "./ui/pages";
import { Wide } from "./ui/wide";

export const Upkeep = () => (
  <>
    <Sweeps />
    <Findings />
    <Fsck />
  </>
);

type Paged<T extends { id: string }> = ReturnType<typeof usePages<T>>;

/** What is below every list: that it loads, its problem, and its next page. */
function Rest<T extends { id: string }>({ pages, empty }: { pages: Paged<T>; empty: string }) {
  const { items, next, problem, isLoading } = pages;
  return (
    <>
      {!items && !problem && <p class="muted">{t.loading}</p>}
      {items?.length === 0 && <p class="muted">{empty}</p>}
      {problem && (
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => void pages.retry()}>
            {t.retry}
          </button>
        </ProblemNote>
      )}
      {next && !problem && (
        <div class="more">
          <button type="button" aria-busy={isLoading} onClick={() => !isLoading && void pages.more()}>
            {op.more}
          </button>
        </div>
      )}
    </>
  );
}

function Sweeps() {
  const [round, setRound] = useState(0);
  const [isRunning, setRunning] = useState(false);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const pages = usePages<SweepRun>(listSweeps, String(round));
  const run = async () => {
    if (isRunning) return;
    setRunning(true);
    setProblem(null);
    setSaid(op.running);
    try {
      setSaid(op.ran(await runSweeps()));
      setRound(round + 1);
    } catch (error) {
      setSaid("");
      setProblem(problemFrom(error));
    }
    setRunning(false);
  };
  return (
    <section class="stack" aria-labelledby="sweeps-title">
      <h2 id="sweeps-title">{op.sweeps}</h2>
      <p>{op.sweepsText}</p>
      <button type="button" aria-busy={isRunning} onClick={() => void run()}>
        {op.runSweeps}
      </button>
      {isRunning && <progress aria-label={op.running} />}
      <p role="status">{said}</p>
      {problem && <ProblemNote problem={problem} />}
      {pages.items && pages.items.length > 0 && (
        <Wide label={op.runs}>
          <table class="months" aria-label={op.runs}>
            <thead>
              <tr>
                <th scope="col">{op.sweep}</th>
                <th scope="col">{op.ended}</th>
                <th scope="col" class="number">
                  {op.changed}
                </th>
                <th scope="col" class="number">
                  {op.failedItems}
                </th>
                <th scope="col">{op.problem}</th>
              </tr>
            </thead>
            <tbody>
              {pages.items.map((run) => (
                <tr key={run.id}>
                  <th scope="row">
                    <code>{run.kind}</code>
                  </th>
                  <td>{moment(run.finishedAt)}</td>
                  <td class="number">{count(run.changed)}</td>
                  <td class="number">{count(run.failed)}</td>
                  <td>{run.error ?? ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      <Rest pages={pages} empty={op.noRuns} />
    </section>
  );
}

function Findings() {
  const [round, setRound] = useState(0);
  const [asked, setAsked] = useState<Finding | null>(null);
  const pages = usePages<Finding>(listFindings, String(round));
  return (
    <section class="stack" aria-labelledby="findings-title">
      <h2 id="findings-title">{op.findings}</h2>
      <p>{op.findingsText}</p>
      {pages.items && pages.items.length > 0 && (
        <Wide label={op.openFindings}>
          <table class="months" aria-label={op.openFindings}>
            <thead>
              <tr>
                <th scope="col">{op.file}</th>
                <th scope="col">{op.kind}</th>
                <th scope="col">{op.seen}</th>
                <td />
              </tr>
            </thead>
            <tbody>
              {pages.items.map((finding) => (
                <tr key={finding.id}>
                  <th scope="row">
                    <a href={`/ops?file=${finding.fileId}`}>
                      <code>{finding.fileId}</code>
                    </a>
                  </th>
                  <td>{finding.kind}</td>
                  <td>{moment(finding.lastSeenAt)}</td>
                  <td>
                    <button type="button" onClick={() => setAsked(finding)}>
                      {op.resolve}
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      <Rest pages={pages} empty={op.noFindings} />
      {asked && (
        <Confirm
          title={op.resolveTitle}
          text={op.resolveText}
          label={op.resolve}
          run={async () => {
            await resolveFinding(asked.id);
            setRound(round + 1);
          }}
          onClose={() => setAsked(null)}
        />
      )}
    </section>
  );
}

/** Violations that are shown. */
const SHOWN = 200;

function Fsck() {
  const [isRunning, setRunning] = useState(false);
  const [said, setSaid] = useState("");
  const [found, setFound] = useState<Violation[]>([]);
  const [problem, setProblem] = useState<Problem | null>(null);
  const abort = useRef<AbortController | null>(null);
  useEffect(() => () => abort.current?.abort(), []);
  const run = async () => {
    const { signal } = (abort.current = new AbortController());
    setRunning(true);
    setProblem(null);
    setFound([]);
    let number = 0;
    try {
      let cursor: string | null = null;
      for (let checked = 0; ; checked += 1) {
        setSaid(op.fsckRunning(checked));
        const page = await checkPage(cursor, signal);
        number += page.violations.length;
        setFound((before) => [...before, ...page.violations].slice(0, SHOWN));
        cursor = page.cursor ?? null;
        if (page.complete || !cursor) {
          setSaid(number ? op.fsckBad(number) : op.fsckGood(checked + 1));
          break;
        }
      }
    } catch (error) {
      if (!signal.aborted) {
        setSaid("");
        setProblem(problemFrom(error));
      }
    }
    setRunning(false);
  };
  const stop = () => {
    abort.current?.abort();
    setSaid(op.fsckStopped);
  };
  return (
    <section class="stack" aria-labelledby="fsck-title">
      <h2 id="fsck-title">{op.fsck}</h2>
      <p>{op.fsckText}</p>
      {/* One button with two roles keeps the focus. */}
      <button type="button" onClick={() => (isRunning ? stop() : void run())}>
        {isRunning ? op.fsckStop : op.fsckRun}
      </button>
      {isRunning && <progress aria-label={op.fsck} />}
      <p role="status">{said}</p>
      {problem && <ProblemNote problem={problem} />}
      {found.length > 0 && (
        <ul class="violations">
          {found.map(({ code, subject, detail, whatToDo }) => (
            <li>
              <strong>{code}</strong> <code>{subject}</code>
              <p>{detail}</p>
              <p class="muted">{whatToDo}</p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
