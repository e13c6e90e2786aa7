/**
 * The engines of `benches/rivals` in wasm. As in the product, input pieces of 256 KiB are copied from a JavaScript
 * buffer into the module, and output pieces are copied out of it.
 */
import module from "../../target/bench/worker/rivals.wasm";

/** In the order of `ENGINES` in `benches/rivals/src/wasm.rs`. */
export const WASM_ENGINES = ["cutty", "simd-csv", "csv", "csv-core"];

let input = new Uint8Array();
let position = 0;
let output = [];

const host = {
  read(at, most) {
    const piece = input.subarray(position, position + most);
    new Uint8Array(instance.exports.memory.buffer).set(piece, at);
    position += piece.length;
    return piece.length;
  },
  write(at, count) {
    output.push(new Uint8Array(instance.exports.memory.buffer).slice(at, at + count));
  },
};

const instance = new WebAssembly.Instance(module, { host });

/** Cuts `bytes` and returns the pieces of the output. */
export function cutInWasm(engine, bytes, { column, minimum, selected }) {
  [input, position, output] = [bytes, 0, []];
  const rows = instance.exports.cut(WASM_ENGINES.indexOf(engine), column, minimum, ...selected);
  const pieces = output;
  [input, output] = [new Uint8Array(), []];
  if (rows < 0) throw new Error(`${engine} failed`);
  return pieces;
}
