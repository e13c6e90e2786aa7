// The rows that the grid shows: read in pages, kept while there is space, and given up when the reader has moved on.

import type { Problem } from "./api";
import { problemFrom } from "./ui/base";
import { Unreadable, getRows } from "./table";
import type { RowsAnswer, Selection } from "./table";

/** A cell that is too long to keep. Its full value is read when somebody asks for it. */
export interface LongCell {
  excerpt: string;
  length: number;
}
export type Cell = string | LongCell;

export const LONG = 4096;

/** Wider files are read in blocks of columns. */
export const MANY_COLUMNS = 512;
const BLOCK_COLUMNS = 256;
/** Rows in a page. */
const PAGE_ROWS = 100;
/** Text that is kept, in characters. */
const KEPT_CHARACTERS = 32_000_000;
const KEPT_PAGES = 400;
/** While the reader drags, a page is not read before the place is the same for this long. */
const STILL_MS = 90;

interface Page {
  status: "loading" | "ready" | "failed";
  abort: AbortController;
  rows: Cell[][];
  numbers: (number | undefined)[];
  size: number;
}

export class Rows {
  readonly pageRows = PAGE_ROWS;
  /** Total of an answer; null while it is not known. */
  total: number | null = null;
  /** The end of the rows, if an answer reached it. */
  end: number | null = null;
  /** Rows that answers have shown to exist. */
  seen = 0;
  /** The same, and one more if there may be rows after them. */
  reached = 0;
  /** Rows from here on do not exist; null while nothing is known of the end. */
  ceiling: number | null = null;
  failure: RowsAnswer["failure"] = null;
  notice = "";
  problem: Problem | null = null;
  isBusy = false;

  private readonly pages = new Map<string, Page>();
  private wanted: string[] = [];
  private lastWant = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isOver = false;

  /** `columnCount` is 0 while it is not known. */
  constructor(
    readonly selection: Selection,
    private readonly columnCount: number,
    private readonly onChange: () => void,
  ) {}

  private get isWide(): boolean {
    return this.columnCount > MANY_COLUMNS;
  }

  private block(column: number): number {
    return this.isWide ? Math.floor(column / BLOCK_COLUMNS) : 0;
  }

  /** Returns a cell by its row and its place in the file, both from 0; undefined while it is not there. */
  cell(row: number, column: number): Cell | undefined {
    const page = this.pages.get(`${Math.floor(row / this.pageRows)}:${this.block(column)}`);
    const cells = page?.rows[row % this.pageRows];
    return cells?.[this.isWide ? column % BLOCK_COLUMNS : column];
  }

  /** Whether the row was read, so that a cell without a value is missing in the file. */
  hasRow(row: number, column: number): boolean {
    const page = this.pages.get(`${Math.floor(row / this.pageRows)}:${this.block(column)}`);
    return page?.rows[row % this.pageRows] !== undefined;
  }

  /** Returns the number of a row in the file, from 1. */
  number(row: number): number | undefined {
    const at = Math.floor(row / this.pageRows);
    for (const block of this.isWide ? this.blocksOf(at) : [0]) {
      const number = this.pages.get(`${at}:${block}`)?.numbers[row % this.pageRows];
      if (number !== undefined) return number;
    }
    return this.selection.filter || this.selection.q ? undefined : row + 1;
  }

  private blocksOf(at: number): number[] {
    const found = [...this.pages.keys()].filter((key) => key.startsWith(`${at}:`));
    return found.map((key) => Number(key.split(":")[1]));
  }

  /** Names the cells that are in view. Pages that are being read and not in view are given up. */
  want(fromRow: number, toRow: number, columns: number[]): void {
    const blocks = [...new Set(columns.map((column) => this.block(column)))];
    const keys: string[] = [];
    const last = Math.max(fromRow, toRow - 1);
    for (let at = Math.floor(fromRow / this.pageRows); at <= Math.floor(last / this.pageRows); at++)
      for (const block of blocks) keys.push(`${at}:${block}`);
    if (keys.join() === this.wanted.join() && keys.every((key) => this.pages.has(key))) return;
    this.wanted = keys;
    for (const [key, page] of this.pages) {
      if (page.status !== "loading" || keys.includes(key)) continue;
      page.abort.abort();
      this.pages.delete(key);
    }
    const isMoving = performance.now() - this.lastWant < STILL_MS * 2;
    this.lastWant = performance.now();
    clearTimeout(this.timer);
    if (isMoving) this.timer = setTimeout(() => this.begin(), STILL_MS);
    else this.begin();
  }

  /** Reads the pages again that could not be read. */
  retry(): void {
    this.problem = null;
    for (const [key, page] of this.pages) if (page.status === "failed") this.pages.delete(key);
    this.begin();
    this.onChange();
  }

  dispose(): void {
    this.isOver = true;
    clearTimeout(this.timer);
    for (const page of this.pages.values()) page.abort.abort();
  }

  private begin(): void {
    for (const key of this.wanted) {
      const kept = this.pages.get(key);
      if (kept) {
        // The last page of the map is the one that was used last.
        this.pages.delete(key);
        this.pages.set(key, kept);
      } else if (!this.problem) void this.load(key);
    }
    this.isBusy = [...this.pages.values()].some(({ status }) => status === "loading");
  }

  private async load(key: string): Promise<void> {
    const page: Page = { status: "loading", abort: new AbortController(), rows: [], numbers: [], size: 0 };
    this.pages.set(key, page);
    try {
      await this.fill(key, page);
      page.status = "ready";
    } catch (error) {
      if (page.abort.signal.aborted || this.isOver) return;
      page.status = "failed";
      this.problem = problemFrom(error);
    }
    if (page.abort.signal.aborted || this.isOver) return;
    this.isBusy = [...this.pages.values()].some(({ status }) => status === "loading");
    this.forget();
    this.onChange();
  }

  /** An answer is shorter than what was asked for if its cells are very long. Then the rest is read after it. */
  private async fill(key: string, page: Page): Promise<void> {
    const [at, block] = key.split(":").map(Number) as [number, number];
    const { signal } = page.abort;
    while (page.rows.length < this.pageRows) {
      const offset = at * this.pageRows + page.rows.length;
      const wanted = this.pageRows - page.rows.length;
      let answer;
      try {
        answer = await getRows(this.selection, offset, wanted, this.columnsOf(block), signal);
      } catch (error) {
        if (signal.aborted || this.isOver || !this.learnFailure(error, offset)) throw error;
        return;
      }
      if (signal.aborted || this.isOver) return;
      this.learn(answer, offset);
      append(page, answer);
      this.onChange();
      if (!answer.hasMore || answer.rows.length === 0) return;
    }
  }

  private columnsOf(block: number): string | null {
    if (!this.isWide) return null;
    const from = block * BLOCK_COLUMNS;
    const length = Math.min(BLOCK_COLUMNS, this.columnCount - from);
    return Array.from({ length }, (_, index) => `#${from + index + 1}`).join(",");
  }

  private learn(answer: RowsAnswer, offset: number): void {
    const end = offset + answer.rows.length;
    if (typeof answer.total === "number") this.total = answer.total;
    // A page beyond the end does not say where the end is.
    if (!answer.hasMore && (answer.rows.length > 0 || offset <= this.seen)) this.end = end;
    if (answer.rows.length > 0) {
      this.seen = Math.max(this.seen, end);
      this.reached = Math.max(this.reached, end + (answer.hasMore ? 1 : 0));
    }
    if (!answer.hasMore) this.ceiling = Math.min(this.ceiling ?? end, end);
    // An answer about earlier rows may not have reached the record that cannot be read.
    this.failure = answer.failure ?? this.failure;
    this.notice = answer.notice;
  }

  /** Learns from an error that the page begins after a record that cannot be read. */
  private learnFailure(error: unknown, offset: number): boolean {
    // Without a row before the record, there is nothing to show.
    if (!(error instanceof Unreadable) || error.defect.record <= 1) return false;
    this.failure = error.defect;
    this.ceiling = Math.min(this.ceiling ?? offset, offset);
    if (!this.selection.filter && !this.selection.q) this.total = this.failure.record - 1;
    else if (offset <= this.seen) this.end = offset;
    return true;
  }

  /** Forgets the pages that were used longest ago. */
  private forget(): void {
    let size = 0;
    let count = 0;
    for (const [key, page] of [...this.pages].reverse()) {
      size += page.size;
      count++;
      const isKept = (size <= KEPT_CHARACTERS && count <= KEPT_PAGES) || this.wanted.includes(key);
      if (!isKept && page.status !== "loading") this.pages.delete(key);
    }
  }
}

function append(page: Page, { rows, rowNumbers }: RowsAnswer): void {
  rows.forEach((row, index) => {
    page.rows.push(row.map(shorten));
    page.numbers.push(rowNumbers ? rowNumbers[index] : undefined);
    for (const cell of row) page.size += Math.min(cell.length, LONG) + 16;
  });
}

/** A copy of the excerpt, so that the long text itself can be freed. */
const shorten = (text: string): Cell =>
  text.length <= LONG ? text : { excerpt: [...text.slice(0, LONG)].join(""), length: text.length };

/** Reads the full value of one cell. */
export async function fullCell(
  selection: Selection,
  row: number,
  column: number,
  signal: AbortSignal,
): Promise<string> {
  const { rows } = await getRows(selection, row, 1, `#${column + 1}`, signal);
  return rows[0]?.[0] ?? "";
}
