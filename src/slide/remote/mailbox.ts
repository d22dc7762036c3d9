import { fromWire, StromaflowError, toWire, type WireError } from '../../errors.js';

/**
 * How a thread reads bytes that another one fetches: shared memory with a few slots. It writes what it wants into a free slot, rings,
 * and stands still until the answer is there, as it would in a read of a file on a share. Whatever is handed the memory can read: no
 * ports, nothing to set up anew when a thread ends and another takes its place.
 */

const SLOTS = 8;
/** Bytes that a slot can answer with; what is longer is asked for in pieces. */
export const PIECE_BYTES = 512 * 1024;

const DOORBELL = 0;
const CLOSED = 1;
const FREED = 2;
const HEAD = 3;
/** Of a slot: state, bytes wanted, bytes that came. */
const SLOT_WORDS = 3;
const POSITIONS = 8 * Math.ceil(((HEAD + SLOTS * SLOT_WORDS) * 4) / 8);
const DATA = POSITIONS + SLOTS * 8;

const STATE = { free: 0, claimed: 1, asked: 2, serving: 3, done: 4, failed: 5 } as const;
/** How long a thread waits before it looks whether anybody is there. */
const LOOK_MS = 1000;

export const createMailbox = (): SharedArrayBuffer => new SharedArrayBuffer(DATA + SLOTS * PIECE_BYTES);

class Slots {
  readonly control: Int32Array;
  readonly positions: Float64Array;
  readonly #memory: SharedArrayBuffer;

  constructor(memory: SharedArrayBuffer) {
    this.#memory = memory;
    this.control = new Int32Array(memory, 0, HEAD + SLOTS * SLOT_WORDS);
    this.positions = new Float64Array(memory, POSITIONS, SLOTS);
  }

  state = (slot: number): number => HEAD + slot * SLOT_WORDS;
  data = (slot: number): Buffer => Buffer.from(this.#memory, DATA + slot * PIECE_BYTES, PIECE_BYTES);

  ring(word: number): void {
    Atomics.add(this.control, word, 1);
    Atomics.notify(this.control, word);
  }
}

/** The end that asks, in any thread but the one that answers. */
export class MailboxReader {
  readonly #slots: Slots;

  constructor(memory: SharedArrayBuffer) {
    this.#slots = new Slots(memory);
  }

  /**
   * Fills a buffer with the bytes from a position on, which must be there.
   *
   * @returns bytes that were read: all.
   * @throws SLIDE_REMOTE, SLIDE_CHANGED, SLIDE_UNREADABLE when the slide was closed
   */
  read(into: Buffer, position: number): number {
    for (let at = 0; at < into.length; at += PIECE_BYTES)
      this.#piece(into.subarray(at, at + PIECE_BYTES), position + at);
    return into.length;
  }

  #piece(into: Buffer, position: number): void {
    const { control, positions } = this.#slots;
    const slot = this.#claim();
    const word = this.#slots.state(slot);
    positions[slot] = position;
    control[word + 1] = into.length;
    Atomics.store(control, word, STATE.asked);
    this.#slots.ring(DOORBELL);
    for (;;) {
      const state = Atomics.load(control, word);
      if (state === STATE.done || state === STATE.failed) break;
      this.#checkOpen();
      Atomics.wait(control, word, state, LOOK_MS);
    }
    const answer = this.#slots.data(slot).subarray(0, control[word + 2]);
    const failure = Atomics.load(control, word) === STATE.failed ? answer.toString() : undefined;
    if (failure === undefined) answer.copy(into);
    Atomics.store(control, word, STATE.free);
    this.#slots.ring(FREED);
    if (failure !== undefined) throw fromWire(JSON.parse(failure) as WireError);
  }

  #claim(): number {
    const { control } = this.#slots;
    for (;;) {
      const freed = Atomics.load(control, FREED);
      for (let slot = 0; slot < SLOTS; slot++)
        if (Atomics.compareExchange(control, this.#slots.state(slot), STATE.free, STATE.claimed) === STATE.free)
          return slot;
      this.#checkOpen();
      Atomics.wait(control, FREED, freed, LOOK_MS);
    }
  }

  #checkOpen(): void {
    if (Atomics.load(this.#slots.control, CLOSED) === 1) throw closed();
  }
}

const closed = (): StromaflowError => new StromaflowError('SLIDE_UNREADABLE', 'the slide is not open any more');

/**
 * The end that answers, until it is closed.
 *
 * @param fetch bytes of the file, as many as are asked for.
 */
export class MailboxServer {
  readonly #slots: Slots;
  readonly #fetch: (position: number, length: number) => Promise<Uint8Array>;
  readonly served: Promise<void>;

  constructor(memory: SharedArrayBuffer, fetch: (position: number, length: number) => Promise<Uint8Array>) {
    this.#slots = new Slots(memory);
    this.#fetch = fetch;
    this.served = this.#serve();
  }

  close(): void {
    Atomics.store(this.#slots.control, CLOSED, 1);
    this.#slots.ring(DOORBELL);
    this.#slots.ring(FREED);
  }

  async #serve(): Promise<void> {
    const { control } = this.#slots;
    while (Atomics.load(control, CLOSED) === 0) {
      const rung = Atomics.load(control, DOORBELL);
      for (let slot = 0; slot < SLOTS; slot++) {
        const word = this.#slots.state(slot);
        if (Atomics.compareExchange(control, word, STATE.asked, STATE.serving) === STATE.asked) void this.#answer(slot);
      }
      const next = Atomics.waitAsync(control, DOORBELL, rung);
      if (next.async) await next.value;
    }
  }

  async #answer(slot: number): Promise<void> {
    const { control, positions } = this.#slots;
    const word = this.#slots.state(slot);
    let state: number = STATE.done;
    let bytes: Uint8Array;
    try {
      bytes = await this.#fetch(positions[slot]!, control[word + 1]!);
    } catch (error) {
      state = STATE.failed;
      bytes = Buffer.from(JSON.stringify(toWire(error, 'SLIDE_REMOTE')));
    }
    this.#slots.data(slot).set(bytes);
    control[word + 2] = bytes.length;
    Atomics.store(control, word, state);
    Atomics.notify(control, word);
  }
}
