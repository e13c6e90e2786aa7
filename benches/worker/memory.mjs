/** Records the memories of all wasm modules that are instantiated after the import of this file. */
const memories = [];

const Instance = WebAssembly.Instance;
WebAssembly.Instance = class extends Instance {
  constructor(...args) {
    super(...args);
    memories.push(this.exports.memory);
  }
};

/** The size of the largest memory, in bytes. It is the product's while the other modules are unused. */
export const wasmMemoryBytes = () => Math.max(...memories.map((memory) => memory?.buffer.byteLength ?? 0));
