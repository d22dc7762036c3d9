/** The part of the global WebAssembly that is used; TypeScript declares it only with the browser's library. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** Linear memory; `buffer` is another object after it has grown. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const PAGE = 65_536;

/** A module of ours that imports nothing, ready to be called. `Exports` is the caller's word for what it exports. */
export function instantiate<Exports>(base64: string): Exports & { readonly memory: WasmMemory } {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  return new Instance(new Module(Buffer.from(base64, 'base64'))).exports as Exports & { memory: WasmMemory };
}

/** Makes a memory reach up to address `end`. Pages that are never written cost nothing. */
export function reach(memory: WasmMemory, end: number): void {
  const missing = end - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
}
