// The overview of the operators: tiles, charts, errors, actions and users of a period. It is read again every 30 seconds
// while the page is visible.

import { useEffect, useMemo, useState } from "preact/hooks";
import type { Problem } from "./api";
import { wordsOf } from "./audit-words";
import { bytes, count, moment } from "./format";
import { getMetrics, PERIODS } from "./operating";
import type { Period, Point, Series, Summary } from "./operating";
import { Chart } from "./ops-chart";
import { op } from "./ops-strings";
import { t } from "./strings";
import { Field, Name, ProblemNote, problemFrom } from "./ui/base";
import { Wide } from "./ui/wide";

const EVERY_MS = 30_000;

const periodOfAddress = (): Period => {
  const wanted = new URLSearchParams(location.search).get("period") ?? "";
  return wanted in PERIODS ? (wanted as Period) : "24h";
};

interface Read {
  summary: Summary;
  series: Series;
  at: string;
}

export function Overview() {
  const [period, setPeriod] = useState(periodOfAddress);
  const [read, setRead] = useState<Read | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = async () => {
      clearTimeout(timer);
      // Nobody looks at a hidden page, so it asks for nothing.
      if (document.hidden) return;
      try {
        const { summary, series } = await getMetrics(period, abort.signal);
        setRead({ summary, series, at: new Date().toISOString() });
        setProblem(null);
      } catch (error) {
        if (abort.signal.aborted) return;
        setProblem(problemFrom(error));
      }
      // Two calls of this function may overlap. Only one timer remains.
      clearTimeout(timer);
      if (!abort.signal.aborted) timer = setTimeout(refresh, EVERY_MS);
    };
    void refresh();
    document.addEventListener("visibilitychange", refresh);
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", refresh);
    };
  }, [period, round]);
  const choose = (event: Event) => {
    const next = (event.currentTarget as HTMLSelectElement).value as Period;
    setPeriod(next);
    setRead(null);
    history.replaceState(null, "", `/ops?period=${next}`);
  };
  return (
    <section class="stack" aria-label={op.overview} aria-busy={!read && !problem}>
      <div class="month">
        <Field label={op.period}>
          {(attributes) => (
            <select {...attributes} value={period} onChange={choose}>
              {Object.entries(op.periods).map(([name, text]) => (
                <option value={name}>{text}</option>
              ))}
            </select>
          )}
        </Field>
      </div>
      {problem && (
        <ProblemNote problem={problem}>
          <button type="button" onClick={() => setRound(round + 1)}>
            {t.retry}
          </button>
        </ProblemNote>
      )}
      {!read && !problem && <p class="muted">{t.loading}</p>}
      {read && <Shown {...read} />}
    </section>
  );
}

function Shown({ summary, series, at }: Read) {
  return (
    <>
      <Tiles summary={summary} series={series} />
      {summary.totalOperations === 0 ? (
        <div class="empty">
          <h2>{op.nothing}</h2>
          <p>{op.nothingText}</p>
        </div>
      ) : (
        <>
          <Charts series={series} />
          <div class="acts">
            <Errors summary={summary} />
            <Actions summary={summary} />
            <Users summary={summary} />
          </div>
        </>
      )}
      <p class="note">{op.updated(moment(at))}</p>
    </>
  );
}

const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const time = (ms: number | null | undefined): string =>
  typeof ms !== "number"
    ? op.unknown
    : ms < 1000
      ? `${count(Math.round(ms))} ms`
      : `${count(Math.round(ms / 100) / 10)} s`;

function Tiles({ summary, series }: { summary: Summary; series: Series }) {
  const { tiles } = op;
  const failed =
    summary.successRate === null || summary.successRate === undefined ? 0 : 1 - summary.successRate;
  const stored = [...series.points].reverse().find((point) => typeof point.storedBytes === "number");
  const hits = summary.cacheHitRate;
  const all: [string, string, string][] = [
    [
      tiles.operations,
      count(summary.totalOperations),
      failed > 0 ? tiles.failed(percent.format(failed)) : tiles.noneFailed,
    ],
    [tiles.latency, time(summary.p50), tiles.latencyMore(time(summary.p95), time(summary.p99))],
    [tiles.sent, bytes(summary.bytesOut), tiles.received(bytes(summary.bytesIn))],
    [tiles.scanned, bytes(summary.scannedBytes), tiles.skipped(bytes(summary.skippedBytes))],
    [
      tiles.cache,
      typeof hits === "number" ? percent.format(hits) : "–",
      typeof hits === "number"
        ? tiles.hits(summary.cacheHits, summary.cacheHits + summary.cacheMisses)
        : tiles.cacheNone,
    ],
    [
      tiles.stored,
      stored ? bytes(stored.storedBytes ?? 0) : op.unknown,
      stored ? tiles.files(stored.files ?? 0) : "",
    ],
  ];
  return (
    <dl class="tiles">
      {all.map(([name, value, more]) => (
        <div>
          <dt>{name}</dt>
          <dd>
            <strong>{value}</strong>
            <span class="muted">{more}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Charts({ series }: { series: Series }) {
  const charts = useMemo(() => {
    const times = series.points.map((point) => Date.parse(point.at) / 1000);
    const values = (of: (point: Point) => number | null | undefined) =>
      series.points.map((point) => of(point) ?? null);
    const line = (label: string, color: string, of: (point: Point) => number | null | undefined) => ({
      label,
      color,
      values: values(of),
    });
    const c = op.charts;
    const whole = (value: number) => count(Math.round(value));
    return [
      {
        title: c.operations,
        lines: [
          line(c.succeeded, "--accent", (point) => point.operations - point.failures),
          line(c.failed, "--bad", (point) => point.failures),
        ],
        show: whole,
      },
      {
        title: c.latency,
        lines: [
          line(c.p50, "--good", (point) => point.p50),
          line(c.p95, "--accent", (point) => point.p95),
          line(c.p99, "--bad", (point) => point.p99),
        ],
        show: whole,
      },
      {
        title: c.bytes,
        lines: [
          line(c.out, "--accent", (point) => point.bytesOut),
          line(c.in, "--good", (point) => point.bytesIn),
        ],
        show: bytes,
      },
      { title: c.stored, lines: [line(c.size, "--accent", (point) => point.storedBytes)], show: bytes },
      {
        title: c.platform,
        lines: [
          line(c.classA, "--accent", (point) => point.r2ClassA),
          line(c.classB, "--good", (point) => point.r2ClassB),
          line(c.rowsWritten, "--bad", (point) => point.d1RowsWritten),
          line(c.rowsRead, "--muted", (point) => point.d1RowsRead),
        ],
        show: whole,
      },
    ].map((chart) => ({ ...chart, times }));
  }, [series]);
  return (
    <div class="charts">
      {charts.map((chart) => (
        <Chart key={chart.title} {...chart} />
      ))}
    </div>
  );
}

interface ListProps {
  title: string;
  heads: string[];
  rows: (string | preact.JSX.Element)[][];
}

/** A table whose first column has names, and whose other columns have numbers. */
function List({ title, heads, rows }: ListProps) {
  return (
    <Wide label={title}>
      <table class="months" aria-label={title}>
        <thead>
          <tr>
            {heads.map((text, place) => (
              <th scope="col" class={place ? "number" : ""}>
                {text}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells) => (
            <tr>
              {cells.map((cell, place) =>
                place ? <td class="number">{cell}</td> : <th scope="row">{cell}</th>,
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Wide>
  );
}

function Errors({ summary }: { summary: Summary }) {
  const errors = Object.entries(summary.errorBreakdown).sort(([, a], [, b]) => b - a);
  const since = `/ops?success=false&from=${encodeURIComponent(summary.from)}&until=${encodeURIComponent(summary.to)}`;
  return (
    <section class="stack">
      <h2>{op.errors}</h2>
      {errors.length === 0 ? (
        <p class="muted">{op.noErrors}</p>
      ) : (
        <>
          <List
            title={op.errors}
            heads={[op.errorCode, op.errorCount]}
            rows={errors.map(([code, number]) => [<code>{code}</code>, count(number)])}
          />
          <p>
            <a href={since}>{op.failedEntries}</a>
          </p>
        </>
      )}
    </section>
  );
}

function Actions({ summary }: { summary: Summary }) {
  const actions = Object.entries(summary.operationBreakdown).sort(
    ([, a], [, b]) => b.operations - a.operations,
  );
  return (
    <section class="stack">
      <h2>{op.byAction}</h2>
      <List
        title={op.byAction}
        heads={[op.action, op.tiles.operations, op.failures]}
        rows={actions.map(([name, { operations, failures }]) => [
          wordsOf(name)[0],
          count(operations),
          count(failures),
        ])}
      />
    </section>
  );
}

function Users({ summary }: { summary: Summary }) {
  return (
    <section class="stack">
      <h2>{op.users}</h2>
      <List
        title={op.users}
        heads={[op.user, op.tiles.operations, op.bytes]}
        rows={summary.topUsers.map((user) => [
          <a href={`/ops?user=${encodeURIComponent(user.userId)}`} title={user.userId}>
            {user.username ? <Name>{user.username}</Name> : op.deletedUser}
          </a>,
          count(user.operations),
          bytes(user.bytesTransferred),
        ])}
      />
    </section>
  );
}
