// The header of a column: its name, its type, and a picture of its values that is a filter, too.

import { Component } from "preact";
import { useRef, useState } from "preact/hooks";
import { c } from "./cut-strings";
import type { Facts } from "./table";
import { Icon } from "./ui/base";

export const HEAD_HEIGHT = 104;

const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });

export interface HeadProps {
  name: string;
  type: string | null;
  facts: Facts | null;
  isWaiting: boolean;
  isFiltered: boolean;
  onOpen: () => void;
  onRange: (from: string, to: string) => void;
  onValue: (value: string) => void;
}

/** Is drawn only if something about the column has changed, and not when the rows scroll. */
export class Head extends Component<HeadProps, { hovered: string | null }> {
  override state = { hovered: null };

  override shouldComponentUpdate(next: HeadProps, nextState: { hovered: string | null }): boolean {
    const { name, type, facts, isWaiting, isFiltered } = this.props;
    return (
      name !== next.name ||
      type !== next.type ||
      facts !== next.facts ||
      isWaiting !== next.isWaiting ||
      isFiltered !== next.isFiltered ||
      this.state.hovered !== nextState.hovered
    );
  }

  override render() {
    // The functions of the newest properties are called, although they are not compared.
    const { name, type, facts, isWaiting, isFiltered } = this.props;
    return (
      <>
        <button
          type="button"
          class="head-name"
          tabIndex={-1}
          title={name}
          onClick={() => this.props.onOpen()}
        >
          <bdi>{name}</bdi>
          {isFiltered && (
            <span class="dot">
              <span class="unseen">{c.head.filtered}</span>
            </span>
          )}
          <Icon name="down" />
        </button>
        <p class="head-facts">
          {this.state.hovered ? (
            <bdi>{this.state.hovered}</bdi>
          ) : (
            factLines(type, facts, isWaiting).map((line) => <span>{line}</span>)
          )}
        </p>
        <Picture
          facts={facts}
          name={name}
          onHover={(hovered) => this.setState({ hovered })}
          onRange={(from, to) => this.props.onRange(from, to)}
          onValue={(value) => this.props.onValue(value)}
        />
      </>
    );
  }
}

export const typeName = (type: string): string => c.head.types[type] ?? type;

export function distinctText({ distinct, isDistinctExact }: Facts): string | null {
  if (distinct === null || distinct === undefined) return null;
  return isDistinctExact === false ? c.head.about(short.format(distinct)) : short.format(distinct);
}

function factLines(type: string | null, facts: Facts | null, isWaiting: boolean): string[] {
  const distinct = facts && distinctText(facts);
  const empties = facts?.empties && c.head.empties(short.format(facts.empties));
  const kind = [type && typeName(type), empties].filter(Boolean).join(" · ");
  // Each line fits into a column of its type.
  return [kind, distinct ? c.head.distinct(distinct) : !facts && isWaiting ? c.head.waiting : ""];
}

interface PictureProps {
  facts: Facts | null;
  name: string;
  onRange: (from: string, to: string) => void;
  onValue: (value: string) => void;
  /** Receives the words for the bars under the pointer. */
  onHover: (words: string | null) => void;
  isLarge?: boolean;
}

export function Picture({ facts, ...rest }: PictureProps) {
  if (facts?.histogram && facts.histogram.bins.length > 0)
    return <Bins {...rest} bins={facts.histogram.bins} />;
  if (facts?.topValues && facts.topValues.values.length > 0)
    return <Values {...rest} values={facts.topValues.values} />;
  return null;
}

interface Bar {
  count: number;
  text: string;
  /** The ends of a bin. */
  from?: string;
  to?: string;
}

const HEIGHT = 32;

/** The path of all bars: one element, however many bars there are. */
function pathOf(bars: Bar[], from = 0, to = bars.length): string {
  const most = Math.max(1, ...bars.map(({ count }) => count));
  let path = "";
  for (let at = from; at < to; at++) {
    const { count } = bars[at]!;
    // A bar with one row among millions is still seen.
    const height = count === 0 ? 0 : Math.max(1.5, (count / most) * HEIGHT);
    if (height > 0) path += `M${at + 0.06} ${HEIGHT}v${-height.toFixed(2)}h.88V${HEIGHT}z`;
  }
  return path;
}

interface BarsProps {
  bars: Bar[];
  label: string;
  isLarge?: boolean;
  /** Whether dragging selects several bars. */
  isRange: boolean;
  onChoose: (from: number, to: number) => void;
  onHover: (words: string | null) => void;
}

function Bars({ bars, label, isRange, isLarge, onChoose, onHover }: BarsProps) {
  const root = useRef<SVGSVGElement>(null);
  const [chosen, setChosen] = useState<{ from: number; to: number } | null>(null);
  const from = useRef<number | null>(null);
  const at = (event: PointerEvent): number => {
    const { left, width } = root.current!.getBoundingClientRect();
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((event.clientX - left) / width) * bars.length)));
  };
  const span = (event: PointerEvent) => {
    const to = at(event);
    const start = isRange && from.current !== null ? from.current : to;
    return { from: Math.min(start, to), to: Math.max(start, to) };
  };
  const choose = (next: { from: number; to: number } | null) => {
    setChosen(next);
    onHover(next && wordsOf(bars, next.from, next.to));
  };
  return (
    <svg
      ref={root}
      class={isLarge ? "bars large" : "bars"}
      role="img"
      aria-label={label}
      viewBox={`0 0 ${bars.length} ${HEIGHT}`}
      preserveAspectRatio="none"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        root.current!.setPointerCapture(event.pointerId);
        from.current = at(event);
        choose(span(event));
      }}
      onPointerMove={(event) => choose(span(event))}
      onPointerLeave={() => from.current === null && choose(null)}
      onPointerCancel={() => {
        from.current = null;
        choose(null);
      }}
      onPointerUp={(event) => {
        if (from.current === null) return;
        const { from: first, to } = span(event);
        from.current = null;
        choose(null);
        onChoose(first, to);
      }}
    >
      <rect class="hit" width={bars.length} height={HEIGHT} />
      <path class="all" d={pathOf(bars)} />
      {chosen && (
        <>
          <rect class="span" x={chosen.from} width={chosen.to - chosen.from + 1} height={HEIGHT} />
          <path class="some" d={pathOf(bars, chosen.from, chosen.to + 1)} />
        </>
      )}
    </svg>
  );
}

/** Bars of a range are contiguous: the words of several go from the start of the first to the end of the last. */
function wordsOf(bars: Bar[], from: number, to: number): string {
  if (from === to) return bars[from]!.text;
  const count = bars.slice(from, to + 1).reduce((sum, bar) => sum + bar.count, 0);
  return c.head.range(bars[from]!.from ?? "", bars[to]!.to ?? "", count);
}

type Rest = Omit<PictureProps, "facts">;

const Bins = ({
  bins,
  name,
  isLarge,
  onHover,
  onRange,
}: Rest & { bins: NonNullable<Facts["histogram"]>["bins"] }) => (
  <Bars
    bars={bins.map(({ from, to, count }) => ({ from, to, count, text: c.head.range(from, to, count) }))}
    label={c.head.bars(name)}
    isRange
    isLarge={isLarge}
    onHover={onHover}
    onChoose={(from, to) => onRange(bins[from]!.from, bins[to]!.to)}
  />
);

type Top = NonNullable<Facts["topValues"]>["values"];

const Values = ({ values, name, isLarge, onHover, onValue }: Rest & { values: Top }) => (
  <Bars
    bars={values.map(({ value, count }) => ({ count, text: c.head.value(value, count) }))}
    label={c.head.bars(name)}
    isRange={false}
    isLarge={isLarge}
    onHover={onHover}
    onChoose={(from) => onValue(values[from]!.value)}
  />
);
