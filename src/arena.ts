/**
 * Patch pixels in shared memory: a fixed number of slots of patchSize × patchSize × 3 bytes (RGB, interleaved, rows top
 * down). Reader threads write a slot, the engine's thread copies it out; the main thread only passes slot numbers.
 */
export interface ArenaShape {
  readonly slots: number;
  /** Side of a patch in pixels. */
  readonly patchSize: number;
}

export class Arena {
  readonly shape: ArenaShape;
  readonly shared: SharedArrayBuffer;
  readonly slotBytes: number;

  /** Wraps memory another thread allocated, or allocates it. */
  constructor(shape: ArenaShape, shared?: SharedArrayBuffer) {
    this.shape = shape;
    this.slotBytes = shape.patchSize * shape.patchSize * 3;
    this.shared = shared ?? new SharedArrayBuffer(this.slotBytes * shape.slots);
  }

  /** The pixels of one slot; a view, valid as long as the arena. */
  slot(index: number): Uint8Array {
    if (index < 0 || index >= this.shape.slots) throw new RangeError(`slot ${index} of ${this.shape.slots}`);
    return new Uint8Array(this.shared, index * this.slotBytes, this.slotBytes);
  }
}
