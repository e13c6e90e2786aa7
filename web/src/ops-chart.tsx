// A chart of a series by uPlot, and the same numbers as a table.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { moment } from "./format";
import { op } from "./ops-strings";
import { Wide } from "./ui/wide";

export interface Line {
  label: string;
  /** The custom property with the colour. */
  color: string;
  values: (number | null)[];
}

interface ChartProps {
  title: string;
  /** Start of each bucket, in seconds since 1970. */
  times: number[];
  lines: Line[];
  /** A value as text. */
  show: (value: number) => string;
}

const HEIGHT = 200;
const DAY_SECONDS = 86_400;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/** The label of a value on an axis. A part of 1 gets no label: rounded, it would repeat the label beside it. */
const labelOf = (show: (value: number) => string) => (value: number) =>
  Number.isInteger(value) ? show(value) : "";

/** The labels of the axis of time: the time of the day, and the date at midnight and if the labels are days apart. */
function timeLabels(_: uPlot, times: number[], _axis: number, _space: number, step: number): string[] {
  return times.map((seconds) => {
    const at = new Date(seconds * 1000);
    const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
    return (step >= DAY_SECONDS || isMidnight ? date : clock).format(at);
  });
}

export function Chart({ title, times, lines, show }: ChartProps) {
  const isEmpty = lines.every(({ values }) => values.every((value) => value === null || value === 0));
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      {isEmpty ? (
        <p class="muted">{op.charts.noValues}</p>
      ) : (
        <>
          <Plot times={times} lines={lines} show={show} />
          <Numbers title={title} times={times} lines={lines} show={show} />
        </>
      )}
    </figure>
  );
}

function Plot({ times, lines, show }: Omit<ChartProps, "title">) {
  const box = useRef<HTMLDivElement>(null);
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const change = () => setDark(query.matches);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, []);
  useEffect(() => {
    const at = box.current!;
    const style = getComputedStyle(at);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: color("--muted"),
      grid: { stroke: color("--line") },
      ticks: { stroke: color("--line") },
    };
    const options: uPlot.Options = {
      width: at.clientWidth,
      height: HEIGHT,
      cursor: { y: false },
      legend: { show: true, live: true },
      axes: [
        { ...axis, values: timeLabels },
        { ...axis, size: 72, values: (_, values) => values.map(labelOf(show)) },
      ],
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), high || 1] } },
      series: [
        {
          label: op.charts.time,
          value: (_, value) => (value ? moment(new Date(value * 1000).toISOString()) : ""),
        },
        ...lines.map(({ label, color: name, values }) => ({
          label,
          stroke: color(name),
          width: 2,
          // A line needs two neighbours, so a few single values are shown as points.
          points: { show: values.filter((value) => value !== null).length < 60, size: 5 },
          value: (_: uPlot, value: number | null) => (value === null ? "" : show(value)),
        })),
      ],
    };
    const plot = new uPlot(options, [times, ...lines.map(({ values }) => values)], at);
    const look = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height: HEIGHT }));
    look.observe(at);
    return () => {
      look.disconnect();
      plot.destroy();
    };
  }, [times, lines, isDark]);
  // The table below has the numbers for those who do not see the picture.
  return <div ref={box} class="plot" aria-hidden="true" />;
}

function Numbers({ title, times, lines, show }: ChartProps) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{op.charts.numbers}</summary>
      {isOpen && (
        <Wide label={title}>
          <table aria-label={title}>
            <thead>
              <tr>
                <th scope="col">{op.charts.time}</th>
                {lines.map(({ label }) => (
                  <th scope="col" class="number">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times.map((time, place) => (
                <tr>
                  <th scope="row">{moment(new Date(time * 1000).toISOString())}</th>
                  {lines.map(({ values }) => {
                    const value = values[place];
                    return <td class="number">{typeof value === "number" ? show(value) : "–"}</td>;
                  })}
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </details>
  );
}
