/**
 * A CSV file of orders of exactly the given number of bytes, generated while it is read. The seed decides its bytes.
 */
import crypto from "node:crypto";
import { Readable } from "node:stream";

const PIECE_ROWS = 10_000;
const HEADER = "id,customer,amount,note\n";
/** The shortest last row, so that the row can fill the remaining bytes. */
const MIN_LAST_ROW = 100;

/** A 32-bit pseudo-random number for each row (the finalizer of MurmurHash3, Appleby 2011). */
function scramble(seed, row) {
  let h = (seed * 0x9e3779b1 + row) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function row(seed, id) {
  const random = scramble(seed, id);
  const amount = `${random % 1000}.${String(random % 97).padStart(2, "0")}`;
  return `${id},c${random % 99_991},${amount},${random.toString(16)} of the day ${id % 365} by the slow road over the hills and through the valley to the sea\n`;
}

export class Orders {
  /** `rows` and `hash` cover the bytes read so far, and the whole file after the stream has ended. */
  constructor(seed, bytes) {
    this.seed = seed;
    this.bytes = bytes;
    this.rows = 0;
    this.made = 0;
    this.hash = crypto.createHash("sha256");
  }

  *pieces() {
    yield this.count(HEADER);
    while (this.made < this.bytes) {
      let text = "";
      for (let n = 0; n < PIECE_ROWS && this.left(text) > 0; n += 1) {
        const next = row(this.seed, this.rows + 1);
        const isLast = this.left(text) - next.length < MIN_LAST_ROW;
        this.rows += 1;
        text += isLast ? this.lastRow(this.left(text)) : next;
      }
      yield this.count(text);
    }
  }

  lastRow(bytes) {
    const start = `${this.rows},c0,0.00,`;
    return `${start}${"x".repeat(bytes - start.length - 1)}\n`;
  }

  left(text) {
    return this.bytes - this.made - text.length;
  }

  count(text) {
    const piece = Buffer.from(text, "latin1");
    this.made += piece.length;
    this.hash.update(piece);
    return piece;
  }

  stream() {
    return Readable.from(this.pieces(), { objectMode: false, highWaterMark: 1 << 20 });
  }

  /** Yields the file in parts of one size. The last part may be shorter. */
  *parts(size) {
    let [held, length] = [[], 0];
    for (const piece of this.pieces()) {
      held.push(piece);
      length += piece.length;
      while (length >= size) {
        const all = Buffer.concat(held);
        yield all.subarray(0, size);
        [held, length] = [[all.subarray(size)], length - size];
      }
    }
    if (length > 0) yield Buffer.concat(held);
  }
}
