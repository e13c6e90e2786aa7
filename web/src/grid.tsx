// A grid of any number of rows and columns. Only the cells in view are in the document.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { CellText } from "./cell-text";
import { c } from "./cut-strings";
import { count } from "./format";
import { HEAD_HEIGHT } from "./heads";
import type { Rows } from "./rows";
import { Icon } from "./ui/base";

export interface GridColumn {
  name: string;
  /** The place in the file, from 0. */
  index: number;
  type: string | null;
  width: number;
  isFiltered: boolean;
}

export interface Place {
  /** The first and the last row in view, from 0. */
  first: number;
  last: number;
  active: number | null;
}

export interface GridHandle {
  goTo(row: number): void;
  turn(pages: number): void;
  showColumn(column: number): void;
  focus(): void;
}

interface Props {
  rows: Rows;
  rowCount: number;
  /** The largest number of a row. */
  fileRows: number;
  isExact: boolean;
  columns: GridColumn[];
  /** Increases when cells have changed. */
  version: number;
  head: (column: GridColumn) => ComponentChildren;
  /** What is wrong with rows, by their number in the file. */
  defects: Map<number, string>;
  handle: { current: GridHandle | null };
  label: string;
  onPlace: (place: Place) => void;
  onCell: (row: number, column: GridColumn) => void;
  onHead: (column: GridColumn) => void;
  onMoveColumn: (column: number, by: number) => void;
}

/** Browsers do not show elements of more than some ten million pixels. */
const MAX_HEIGHT = 8_000_000;
/** Near both ends, the bar moves as the rows do. In between, it moves in proportion. */
const END_HEIGHT = 1_000_000;
/** A scroll of more than this is a jump of the bar. */
const JUMP = 5_000;
const SETTLE_MS = 160;
const COLUMN_MARGIN = 160;

/** The heights of the rows and of the element that stands for them. */
class Scale {
  readonly total: number;
  readonly height: number;
  private readonly isExact: boolean;

  constructor(
    rows: number,
    rowHeight: number,
    readonly view: number,
  ) {
    this.total = rows * rowHeight;
    this.isExact = this.total <= MAX_HEIGHT;
    this.height = this.isExact ? this.total : MAX_HEIGHT;
  }

  get last(): number {
    return Math.max(0, this.total - this.view);
  }

  get lastBar(): number {
    return Math.max(0, this.height - this.view);
  }

  clamp(top: number): number {
    return Math.round(Math.max(0, Math.min(this.last, top)));
  }

  /** The place of the bar for a place in the rows. */
  bar(top: number): number {
    if (this.isExact || top < END_HEIGHT) return top;
    if (top > this.last - END_HEIGHT) return this.lastBar - (this.last - top);
    const share = (top - END_HEIGHT) / (this.last - 2 * END_HEIGHT);
    return Math.round(END_HEIGHT + share * (this.lastBar - 2 * END_HEIGHT));
  }

  /** The place in the rows for a place of the bar. */
  top(bar: number): number {
    if (this.isExact || bar < END_HEIGHT) return bar;
    if (bar > this.lastBar - END_HEIGHT) return this.last - (this.lastBar - bar);
    const share = (bar - END_HEIGHT) / (this.lastBar - 2 * END_HEIGHT);
    return END_HEIGHT + share * (this.last - 2 * END_HEIGHT);
  }
}

interface Active {
  /** -1 is the header. */
  row: number;
  column: number;
}

const isCoarse = (): boolean => matchMedia("(pointer: coarse)").matches;

export function Grid(props: Props) {
  const { rows, rowCount, columns, version, head, defects, handle, label } = props;
  const root = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [active, setActive] = useState<Active | null>(null);
  const [, draw] = useState(0);
  const rowHeight = useMemo(() => (isCoarse() ? 36 : 28), []);
  const scale = new Scale(rowCount, rowHeight, Math.max(0, size.height - HEAD_HEIGHT));
  // The place in the rows, in pixels; the bar may only approximate it.
  const place = useRef({ top: 0, left: 0, bar: 0 });
  const settling = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef({ props, scale, active });
  latest.current = { props, scale, active };

  const gutter = Math.max(64, String(props.fileRows).length * 8 + 40);
  const edges = useMemo(() => {
    const found = [0];
    for (const { width } of columns) found.push(found.at(-1)! + width);
    return found;
  }, [columns]);
  const width = gutter + edges.at(-1)!;

  const top = (place.current.top = scale.clamp(place.current.top));
  const firstRow = Math.floor(top / rowHeight);
  const lastRow = Math.min(rowCount, Math.ceil((top + scale.view) / rowHeight));
  const { left } = place.current;
  const firstColumn = Math.max(0, indexAt(edges, left - COLUMN_MARGIN));
  const lastColumn = Math.min(columns.length, indexAt(edges, left + size.width - gutter + COLUMN_MARGIN) + 1);
  const shown = columns.slice(firstColumn, lastColumn);

  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      setSize({ width: Math.round(width), height: Math.round(height) });
    });
    observer.observe(root.current!);
    return () => {
      observer.disconnect();
      clearTimeout(settling.current);
    };
  }, []);

  const settle = () => {
    clearTimeout(settling.current);
    settling.current = setTimeout(() => {
      const { scale, active, props } = latest.current;
      setBar(scale.bar(place.current.top));
      const first = Math.floor(place.current.top / rowHeight);
      const last = Math.min(props.rowCount, Math.floor((place.current.top + scale.view) / rowHeight));
      const isActive = active && active.row >= first && active.row < Math.max(last, first + 1);
      props.onPlace({ first, last: last - 1, active: isActive ? active.row : null });
    }, SETTLE_MS);
  };

  const setBar = (bar: number) => {
    const element = root.current;
    if (!element) return;
    if (Math.abs(element.scrollTop - bar) >= 1) element.scrollTop = bar;
    place.current.bar = element.scrollTop;
  };

  const moveTo = (next: number) => {
    place.current.top = latest.current.scale.clamp(next);
    draw((n) => n + 1);
  };

  // The bar follows after the element has its height.
  useLayoutEffect(() => {
    const bar = scale.bar(place.current.top);
    if (Math.abs(bar - place.current.bar) >= JUMP || scale.height <= MAX_HEIGHT - 1) setBar(bar);
    settle();
  });

  useEffect(() => {
    if (rowCount === 0 || shown.length === 0 || size.height === 0) return;
    // The place may have changed since the rows were drawn.
    const { top } = place.current;
    rows.want(
      Math.floor(top / rowHeight),
      Math.min(rowCount, Math.ceil((top + scale.view) / rowHeight)),
      shown.map(({ index }) => index),
    );
  });

  const onScroll = () => {
    const element = root.current;
    // A scroll event can arrive after the grid has left the page.
    if (!element) return;
    const { scale } = latest.current;
    const by = element.scrollTop - place.current.bar;
    place.current.left = Math.max(0, element.scrollLeft);
    place.current.bar = element.scrollTop;
    if (by !== 0) {
      const isJump = Math.abs(by) > JUMP || element.scrollTop <= 0 || element.scrollTop >= scale.lastBar;
      place.current.top = scale.clamp(isJump ? scale.top(element.scrollTop) : place.current.top + by);
    }
    draw((n) => n + 1);
    settle();
  };

  const reveal = ({ row, column }: Active) => {
    const { scale } = latest.current;
    const from = row * rowHeight;
    if (row >= 0) {
      if (from < place.current.top) moveTo(from);
      else if (from + rowHeight > place.current.top + scale.view) moveTo(from + rowHeight - scale.view);
    }
    const element = root.current!;
    const space = element.clientWidth - gutter;
    const [start, end] = [edges[column] ?? 0, edges[column + 1] ?? 0];
    if (start < element.scrollLeft || end - start > space) element.scrollLeft = start;
    else if (end > element.scrollLeft + space) element.scrollLeft = end - space;
    place.current.left = element.scrollLeft;
  };

  // If the grid becomes lower, the active row stays in view.
  const viewBefore = useRef(scale.view);
  useLayoutEffect(() => {
    const from = (active?.row ?? -1) * rowHeight - place.current.top;
    if (from >= 0 && from < viewBefore.current) reveal(active!);
    viewBefore.current = scale.view;
  }, [size.height]);

  const activate = (next: Active) => {
    const row = Math.max(-1, Math.min(rowCount - 1, next.row));
    const column = Math.max(0, Math.min(columns.length - 1, next.column));
    setActive({ row, column });
    reveal({ row, column });
  };

  handle.current = {
    goTo: (row) => {
      const to = Math.max(0, Math.min(rowCount - 1, row));
      setActive({ row: to, column: active?.column ?? 0 });
      moveTo(to * rowHeight);
    },
    turn: (pages) => moveTo(place.current.top + pages * Math.max(rowHeight, scale.view - rowHeight)),
    showColumn: (column) => activate({ row: active?.row ?? -1, column }),
    focus: () => root.current?.focus({ preventScroll: true }),
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== root.current || event.metaKey) return;
    const at = active ?? { row: firstRow, column: firstColumn };
    const page = Math.max(1, Math.floor(scale.view / rowHeight) - 1);
    const { key, ctrlKey, altKey } = event;
    if (altKey && (key === "ArrowLeft" || key === "ArrowRight")) {
      if (at.row >= 0) return;
      const by = key === "ArrowLeft" ? -1 : 1;
      event.preventDefault();
      props.onMoveColumn(at.column, by);
      return activate({ row: -1, column: at.column + by });
    }
    if (altKey) return;
    const moves: Record<string, Active> = {
      ArrowUp: { ...at, row: ctrlKey ? 0 : at.row - 1 },
      ArrowDown: { ...at, row: ctrlKey ? rowCount - 1 : at.row + 1 },
      ArrowLeft: { ...at, column: ctrlKey ? 0 : at.column - 1 },
      ArrowRight: { ...at, column: ctrlKey ? columns.length - 1 : at.column + 1 },
      PageUp: { ...at, row: Math.max(0, at.row - page) },
      PageDown: { ...at, row: at.row + page },
      Home: ctrlKey ? { row: 0, column: 0 } : { ...at, column: 0 },
      End: ctrlKey
        ? { row: rowCount - 1, column: columns.length - 1 }
        : { ...at, column: columns.length - 1 },
    };
    const to = moves[key];
    if (to) {
      event.preventDefault();
      return activate(active || key !== "ArrowDown" ? to : at);
    }
    const column = columns[at.column];
    if (!column || !active || ctrlKey || (key !== "Enter" && key !== " ")) return;
    event.preventDefault();
    if (active.row < 0) props.onHead(column);
    else props.onCell(active.row, column);
  };

  const cellAt = (event: Event): Active | null => {
    const cell = (event.target as HTMLElement).closest<HTMLElement>("[data-column]");
    if (!cell) return null;
    const row = cell.closest<HTMLElement>("[data-row]")?.dataset.row;
    return row === undefined ? null : { row: Number(row), column: Number(cell.dataset.column) };
  };

  const onClick = (event: MouseEvent) => {
    const at = cellAt(event);
    if (!at || (event.target as HTMLElement).closest("button")) return;
    // A finger has no double click: the second tap on a cell opens it.
    const isSame = active?.row === at.row && active.column === at.column;
    setActive(at);
    if (at.row >= 0 && (event.detail === 2 || (isSame && isCoarse())))
      props.onCell(at.row, columns[at.column]!);
  };

  /** Copies the active cell, unless a text is selected. */
  const onCopy = (event: ClipboardEvent) => {
    const column = active && columns[active.column];
    if (!column || active.row < 0 || getSelection()?.isCollapsed === false) return;
    const cell = rows.cell(active.row, column.index);
    if (typeof cell !== "string") return;
    event.preventDefault();
    event.clipboardData?.setData("text/plain", cell);
  };

  const onFocus = () => {
    if (!active && rowCount > 0 && root.current!.matches(":focus-visible"))
      setActive({ row: firstRow, column: firstColumn });
  };

  const isActiveShown =
    active !== null &&
    (active.row < 0 || (active.row >= firstRow && active.row < lastRow)) &&
    active.column >= firstColumn &&
    active.column < lastColumn;

  const before = edges[firstColumn] ?? 0;
  const headRow = (
    <div class="grid-head" role="row" aria-rowindex={1} data-row="-1">
      <div class="grid-corner" role="columnheader" aria-colindex={1}>
        #
      </div>
      <Gap width={before} />
      {shown.map((column, index) => (
        <div
          key={column.index}
          id={isActiveShown && active.row < 0 && active.column === firstColumn + index ? ACTIVE : undefined}
          class={headClass(column, isActiveShown && active.row < 0 && active.column === firstColumn + index)}
          role="columnheader"
          aria-colindex={firstColumn + index + 2}
          data-column={firstColumn + index}
          style={{ width: `${column.width}px` }}
        >
          {head(column)}
        </div>
      ))}
    </div>
  );

  const body: ComponentChildren[] = [];
  for (let row = firstRow; row < lastRow; row++) {
    const number = rows.number(row);
    const defect = number === undefined ? undefined : defects.get(number);
    body.push(
      <div
        class={active?.row === row ? "grid-row on" : "grid-row"}
        role="row"
        aria-rowindex={row + 2}
        data-row={row}
      >
        <div class="grid-number" role="rowheader" aria-colindex={1} title={defect}>
          {defect && <Icon name="warn" />}
          {number === undefined ? "" : count(number)}
          {defect && <span class="unseen">{defect}</span>}
        </div>
        <Gap width={before} />
        {shown.map((column, index) => {
          const isActive = active?.row === row && active.column === firstColumn + index;
          return (
            <div
              id={isActive ? ACTIVE : undefined}
              class={cellClass(column, isActive)}
              role="gridcell"
              aria-colindex={firstColumn + index + 2}
              data-column={firstColumn + index}
              style={{ width: `${column.width}px` }}
            >
              <CellText cell={rows.cell(row, column.index)} isRead={rows.hasRow(row, column.index)} />
            </div>
          );
        })}
      </div>,
    );
  }
  void version;

  return (
    <div
      ref={root}
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label={label}
      aria-rowcount={props.isExact ? rowCount + 1 : -1}
      aria-colcount={columns.length + 1}
      aria-activedescendant={isActiveShown ? ACTIVE : undefined}
      aria-busy={rows.isBusy}
      aria-describedby="grid-keys"
      onScroll={onScroll}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onFocus={onFocus}
      onCopy={onCopy}
    >
      <div
        class="grid-space"
        role="presentation"
        style={{
          width: `${width}px`,
          height: `${HEAD_HEIGHT + scale.height}px`,
          "--gutter": `${gutter}px`,
        }}
      >
        <div class="grid-view" role="presentation" style={{ height: `${size.height}px` }}>
          <div role="rowgroup">{headRow}</div>
          <div class="grid-body" role="rowgroup">
            <div
              class="grid-rows"
              role="presentation"
              style={{ transform: `translateY(${firstRow * rowHeight - top}px)` }}
            >
              {body}
            </div>
          </div>
        </div>
      </div>
      <p id="grid-keys" hidden>
        {c.grid.keys}
      </p>
    </div>
  );
}

const ACTIVE = "active-cell";

const Gap = ({ width }: { width: number }) => (
  <span class="grid-gap" role="presentation" style={{ width: `${width}px` }} />
);

const NUMBERS = ["integer", "decimal"];

const headClass = ({ isFiltered }: GridColumn, isActive: boolean): string =>
  ["grid-title", isFiltered && "filtered", isActive && "active"].filter(Boolean).join(" ");

const cellClass = ({ type }: GridColumn, isActive: boolean): string =>
  ["grid-cell", NUMBERS.includes(type ?? "") && "number", isActive && "active"].filter(Boolean).join(" ");

/** The last index whose edge is not after a place. */
function indexAt(edges: number[], at: number): number {
  let low = 0;
  let high = edges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle]! <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}
