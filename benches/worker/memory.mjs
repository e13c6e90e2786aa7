/** Notes the memories of the wasm modules made after it was imported: so that one can ask how large they have grown. */
const memories = [];

const Instance = WebAssembly.Instance;
WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    memories.push(this.exports.memory);
  }
};

/** Bytes of the largest: the product's, as long as the others have not been used. */
export const wasmMemoryBytes = () => Math.max(...memories.map((memory) => memory?.buffer.byteLength ?? 0));
