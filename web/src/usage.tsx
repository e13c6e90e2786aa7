// The page `/usage`: the storage of the user by kind, the budget, and the operations and the estimated cost by month.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Problem, User } from "./api";
import { wordsOf } from "./audit-words";
import { getReport } from "./auditing";
import type { Month, Report } from "./auditing";
import { bytes, cost, count, dateName, monthName } from "./format";
import { t } from "./strings";
import { Bar } from "./ui/bar";
import { Field, Icon, ProblemNote, problemFrom } from "./ui/base";
import { keepFocus } from "./ui/focus";
import { Frame } from "./ui/frame";
import { Wide } from "./ui/wide";
import { us } from "./usage-strings";

function Page({ user }: { user: User }) {
  const [report, setReport] = useState<Report | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setProblem(null);
    getReport(abort.signal).then(setReport, (error: unknown) => {
      if (!abort.signal.aborted) setProblem(problemFrom(error));
    });
    return () => abort.abort();
  }, [round]);
  return (
    <>
      <Bar user={user}>
        <a href="/">{t.files_.title}</a>
        <span aria-hidden="true">/</span>
        <span aria-current="page">{us.title}</span>
      </Bar>
      <main class="page" tabIndex={-1} aria-busy={!report && !problem}>
        <h1>{us.title}</h1>
        {problem && (
          <ProblemNote problem={problem}>
            <button type="button" onClick={() => setRound(round + 1)}>
              {t.retry}
            </button>
          </ProblemNote>
        )}
        {!report && !problem && <p class="muted">{t.loading}</p>}
        {report && (
          <>
            <Storage report={report} />
            <Budget report={report} />
            <Months report={report} />
          </>
        )}
      </main>
    </>
  );
}

// --- Storage ------------------------------------------------------------------------------------------------------------

interface Part {
  name: keyof typeof us.kinds;
  bytes: number;
  /** Null if this part has no number of files. */
  files: number | null;
}

/** The parts of the quota that are used, in the order of the bar. */
function partsOf({ kinds, usedBytes, reservedBytes, spoolBytes }: Report): Part[] {
  const names = ["uploads", "derived", "imports", "trash"] as const;
  const parts: Part[] = names.flatMap((name) => (kinds?.[name] ? [{ name, ...kinds[name] }] : []));
  const rest = usedBytes - parts.reduce((sum, part) => sum + part.bytes, 0);
  if (rest > 0) parts.push({ name: "other", bytes: rest, files: null });
  if (reservedBytes > 0) parts.push({ name: "reserved", bytes: reservedBytes, files: null });
  if (spoolBytes > 0) parts.push({ name: "spool", bytes: spoolBytes, files: null });
  return parts;
}

function Storage({ report }: { report: Report }) {
  const { quotaBytes, files, quotaFiles, purgeBytes = 0, purgeFiles = 0, purgeAllowanceBytes } = report;
  const parts = partsOf(report);
  const used = parts.reduce((sum, part) => sum + part.bytes, 0);
  const free = Math.max(0, quotaBytes - used);
  return (
    <section aria-labelledby="storage-title">
      <h2 id="storage-title">{us.storage}</h2>
      <p class="row">
        <strong>{us.used(bytes(used), bytes(quotaBytes))}</strong>
        <span class="muted">{us.free(bytes(free))}</span>
      </p>
      <QuotaBar parts={parts} quota={Math.max(quotaBytes, used)} free={free} />
      {free === 0 && (
        <p class="line warn">
          <Icon name="warn" /> <span>{us.full}</span>
        </p>
      )}
      <table class="kinds">
        <thead>
          <tr>
            <th scope="col">{us.heads.kind}</th>
            <th scope="col" class="number">
              {us.heads.bytes}
            </th>
            <th scope="col" class="number">
              {us.heads.files}
            </th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ name, bytes: size, files }) => (
            <tr>
              <th scope="row">
                <Swatch name={name} /> {us.kinds[name]}
              </th>
              <td class="number" title={count(size)}>
                {bytes(size)}
              </td>
              <td class="number">{files === null ? "" : count(files)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <dl class="facts">
        <dt>{us.filesLabel}</dt>
        <dd>
          <span>{us.files(files, quotaFiles ?? files)}</span>
          <span class="small muted">{us.filesHint}</span>
        </dd>
        <dt>{us.purgeLabel}</dt>
        <dd>
          <span>{purgeFiles > 0 ? us.purge(bytes(purgeBytes), purgeFiles) : us.purgeNone}</span>
          {purgeAllowanceBytes !== undefined && (
            <span class="small muted">{us.purgeAllowance(bytes(purgeAllowanceBytes))}</span>
          )}
        </dd>
      </dl>
    </section>
  );
}

/** The width of the bar in its own units. */
const WIDTH = 1000;
/** A part that is not empty can be seen. */
const LEAST = 4;

/** The quota as one bar. The table below it says the same. */
function QuotaBar({ parts, quota, free }: { parts: Part[]; quota: number; free: number }) {
  const shown = parts.filter((part) => part.bytes > 0);
  let at = 0;
  const rects = shown.map(({ name, bytes }) => {
    const width = Math.max(LEAST, (bytes / (quota || 1)) * WIDTH);
    const rect = <rect class={`kind-${name}`} x={at} y="0" width={Math.min(width, WIDTH - at)} height="12" />;
    at = Math.min(at + width, WIDTH - LEAST);
    return rect;
  });
  const words = shown.map(({ name, bytes: size }) => us.part(us.kinds[name], bytes(size))).join(", ");
  return (
    <svg
      class="quota-bar"
      viewBox={`0 0 ${WIDTH} 12`}
      preserveAspectRatio="none"
      role="img"
      aria-label={us.bar(words || us.kinds.other, bytes(free))}
    >
      <rect class="rest" x="0" y="0" width={WIDTH} height="12" />
      {rects}
    </svg>
  );
}

const Swatch = ({ name }: { name: string }) => (
  <svg class="swatch" viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" focusable="false">
    <rect class={`kind-${name}`} x="0" y="0" width="12" height="12" />
  </svg>
);

// --- The budget -----------------------------------------------------------------------------------------------------------

function Budget({ report }: { report: Report }) {
  const { budgetUsd, whenBudgetSpent, budgetSpent, months = [] } = report;
  const now = new Date().toISOString().slice(0, 7);
  const spent = months.find(({ month }) => month === now)?.costUsd?.total ?? 0;
  const what = whenBudgetSpent ?? "warn";
  return (
    <section aria-labelledby="budget-title">
      <h2 id="budget-title">{us.budget}</h2>
      {typeof budgetUsd !== "number" ? (
        <p>{us.noBudget}</p>
      ) : (
        <>
          <p>{us.budgetText(cost(spent), cost(budgetUsd))}</p>
          <progress aria-label={us.budgetLabel} value={Math.min(spent, budgetUsd)} max={budgetUsd || 1} />
          {budgetSpent ? (
            <p class="line warn">
              <Icon name="warn" />{" "}
              <span>
                <strong>{us.spent}</strong> {us.nowSpent[what] ?? us.nowSpent.warn}
              </span>
            </p>
          ) : (
            <p>{us.whenSpent[what] ?? us.whenSpent.warn}</p>
          )}
          <p class="small muted">{us.late}</p>
        </>
      )}
    </section>
  );
}

// --- Months ---------------------------------------------------------------------------------------------------------------

const operationsOf = ({ operations }: Month): { count: number; failed: number } =>
  Object.values(operations ?? {}).reduce(
    (sum, { count, failed }) => ({ count: sum.count + count, failed: sum.failed + failed }),
    { count: 0, failed: 0 },
  );

function Months({ report }: { report: Report }) {
  const { months = [], pricesReadOn, pricesSource } = report;
  const m = us.months_;
  const source = pricesSource && /^https:\/\//.test(pricesSource) ? pricesSource : null;
  return (
    <section aria-labelledby="months-title">
      <h2 id="months-title">{us.months}</h2>
      {months.length === 0 ? (
        <p class="muted">{us.noMonths}</p>
      ) : (
        <>
          <Wide label={us.monthsList}>
            <table class="months" aria-label={us.monthsList}>
              <thead>
                <tr>
                  <th scope="col" rowSpan={2}>
                    {m.month}
                  </th>
                  {[m.operations, m.in, m.out, m.scanned].map((text) => (
                    <th scope="col" rowSpan={2} class="number">
                      {text}
                    </th>
                  ))}
                  <th scope="colgroup" colSpan={3} class="number">
                    {us.costGroup}
                  </th>
                </tr>
                <tr>
                  {[m.storage, m.work, m.cost].map((text) => (
                    <th scope="col" class="number">
                      {text}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {months.map((month) => (
                  <MonthRow key={month.month} month={month} />
                ))}
              </tbody>
            </table>
          </Wide>
          <Operations months={months} />
          <ul class="small muted plain">
            {Object.values(us.explained).map((text) => (
              <li>{text}</li>
            ))}
            <li>{us.utc}</li>
          </ul>
        </>
      )}
      <p class="note">
        <span>
          {pricesReadOn ? us.estimate(dateName(pricesReadOn)) : us.estimateNoDate}{" "}
          {source ? (
            <a href={source} rel="noreferrer">
              {us.source}
            </a>
          ) : (
            pricesSource
          )}
        </span>
      </p>
    </section>
  );
}

function MonthRow({ month }: { month: Month }) {
  const { count: operations, failed } = operationsOf(month);
  const { bytesIn = 0, bytesOut = 0, bytesScanned = 0, costUsd } = month;
  return (
    <tr>
      <th scope="row">{monthName(month.month)}</th>
      <td class="number">
        {count(operations)}
        {failed > 0 && <span class="small muted"> {us.failedOf(failed)}</span>}
      </td>
      {[bytesIn, bytesOut, bytesScanned].map((size) => (
        <td class="number" title={count(size)}>
          {bytes(size)}
        </td>
      ))}
      {[costUsd?.storage, costUsd?.operations].map((value) => (
        <td class="number">{value === undefined ? "" : cost(value)}</td>
      ))}
      <td class="number">{costUsd && <strong>{cost(costUsd.total)}</strong>}</td>
    </tr>
  );
}

/** The operations of one month by action. */
function Operations({ months }: { months: Month[] }) {
  const [chosen, setChosen] = useState(months[0]!.month);
  const month = months.find((one) => one.month === chosen) ?? months[0]!;
  const rows = Object.entries(month.operations ?? {}).sort(([, a], [, b]) => b.count - a.count);
  return (
    <details>
      <summary>{us.operationsOf(monthName(month.month))}</summary>
      <div class="stack operations">
        {months.length > 1 && (
          <Field label={us.months_.month}>
            {(attributes) => (
              <select
                {...attributes}
                value={month.month}
                onChange={(event) => setChosen(event.currentTarget.value)}
              >
                {months.map(({ month }) => (
                  <option value={month}>{monthName(month)}</option>
                ))}
              </select>
            )}
          </Field>
        )}
        <table class="kinds">
          <thead>
            <tr>
              <th scope="col">{us.operationHeads.action}</th>
              <th scope="col" class="number">
                {us.operationHeads.count}
              </th>
              <th scope="col" class="number">
                {us.operationHeads.failed}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([action, { count: all, failed }]) => (
              <tr>
                <th scope="row">{wordsOf(action)[0]}</th>
                <td class="number">{count(all)}</td>
                <td class="number">{failed > 0 ? count(failed) : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

keepFocus();
render(<Frame>{(user) => <Page user={user} />}</Frame>, document.getElementById("app")!);
