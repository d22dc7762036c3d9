import { setTimeout as delay } from 'node:timers/promises';
import type { StromaflowError } from '../../errors.js';
import type { RemoteTraffic } from '../slide.js';
import type { SlideAddress } from './address.js';
import {
  badLength,
  changed,
  contentRange,
  isPassing,
  type Revision,
  refused,
  retryAfter,
  revisionOf,
  unreachable,
} from './answers.js';

export interface RangeOptions {
  /** Milliseconds without a byte after which a request is given up. */
  readonly stallMs?: number;
  /** Milliseconds before the first repetition; doubled for each further one. */
  readonly backoffMs?: number;
  /** Times that a request is repeated. */
  readonly retries?: number;
  /** Requests under way at a time. */
  readonly atOnce?: number;
  /** What was asked before for the same slide: it counts, too. */
  readonly before?: RemoteTraffic;
  /** What the file must be; undefined: what the first answer says. */
  readonly revision?: Revision;
}

const DEFAULTS = { stallMs: 30_000, backoffMs: 250, retries: 4, atOnce: 8 } as const;
/** A server that asks for more patience than this is not waited for longer. */
const MOST_WAIT_MS = 30_000;

/**
 * One file on a web server, read by ranges. Every answer is held against the first: another ETag, time or size means that the file was
 * written anew. What may pass (429, 5xx, a connection that breaks or stalls, an answer cut
 * short) is tried again, later each time. What fails in the end is final: nothing is read any more.
 */
export class HttpRanges {
  readonly traffic: { -readonly [name in keyof RemoteTraffic]: number } = { requests: 0, repeated: 0, bytes: 0 };
  readonly #address: SlideAddress;
  readonly #signal: AbortSignal;
  readonly #options: Required<Omit<RangeOptions, 'revision' | 'before'>>;
  #revision: Revision | undefined;
  /** Where the address leads to; signed targets of a redirection expire before it does. */
  #target: URL;
  /** Why nothing is read any more. */
  #over: StromaflowError | undefined;
  #underWay = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param signal ends what is under way. */
  constructor(address: SlideAddress, signal: AbortSignal, { revision, before, ...options }: RangeOptions = {}) {
    this.#address = address;
    this.#target = address.url;
    this.#signal = signal;
    this.#options = { ...DEFAULTS, ...options };
    this.#revision = revision;
    Object.assign(this.traffic, before);
  }

  /** Known after the first answer. */
  get revision(): Revision | undefined {
    return this.#revision;
  }

  /**
   * Bytes from `start` up to below `end`, or to the end of the file.
   *
   * @throws SLIDE_REMOTE, SLIDE_CHANGED; the signal's reason.
   */
  async read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    await this.#turn();
    try {
      return await this.#persist(start, end);
    } finally {
      this.#underWay -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    while (this.#underWay >= this.#options.atOnce)
      await new Promise<void>(resolve => {
        this.#waiting.push(resolve);
      });
    this.#underWay += 1;
  }

  async #persist(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const { retries, backoffMs } = this.#options;
    for (let tries = 0; ; tries++) {
      this.#signal.throwIfAborted();
      if (this.#over) throw this.#over;
      let waitMs = backoffMs * 2 ** tries * (0.75 + Math.random() / 2);
      const stale = this.#target !== this.#address.url;
      try {
        return await this.#once(start, end);
      } catch (error) {
        this.#signal.throwIfAborted();
        const failure = error instanceof Refusal ? error.error : unreachable(this.#address.shown, error);
        const passing = error instanceof Refusal ? error.passing : true;
        if (error instanceof Refusal && stale && !passing && failure.code === 'SLIDE_REMOTE') {
          // A signed target that expired says 403; the address itself may lead to a new one.
          this.#target = this.#address.url;
          waitMs = 0;
        } else if (!passing || tries >= retries) {
          this.#over = failure;
          throw failure;
        }
        if (tries >= retries) throw failure;
        if (error instanceof Refusal && error.waitMs !== undefined) waitMs = Math.min(MOST_WAIT_MS, error.waitMs);
      }
      this.traffic.repeated += 1;
      if (waitMs > 0) await delay(waitMs, undefined, { signal: this.#signal });
    }
  }

  async #once(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const stalled = new AbortController();
    const { shown, url, authorization } = this.#address;
    const { stallMs } = this.#options;
    const late = (): void => stalled.abort(new Error(`nothing came for ${stallMs / 1000} s`));
    const timer = setTimeout(late, stallMs);
    try {
      this.traffic.requests += 1;
      const known = this.#revision;
      const last = (known ? Math.min(end, known.size) : end) - 1;
      const response = await fetch(this.#target, {
        signal: AbortSignal.any([this.#signal, stalled.signal]),
        headers: {
          // With it fetch asks for no compression.
          range: `bytes=${start}-${last}`,
          'user-agent': 'stromaflow',
          // Weak ones never match by the rules of If-Match; they are compared here.
          ...(known?.validator.startsWith('"') ? { 'if-match': known.validator } : {}),
          ...(authorization !== undefined && this.#target.origin === url.origin ? { authorization } : {}),
        },
      });
      timer.refresh();
      const revision = await this.#check(response, start, last);
      if (response.redirected) this.#target = new URL(response.url);
      const length = Math.min(end, revision.size) - start;
      const bytes = await readBody(response, length, () => timer.refresh());
      this.traffic.bytes += Math.min(bytes.length, length);
      if (bytes.length !== length) throw new Refusal(badLength(shown, bytes.length, length), true);
      this.#revision ??= revision;
      return bytes;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What the answer says the file is. @throws Refusal */
  async #check(response: Response, start: number, last: number): Promise<Revision> {
    const { shown, hasSecret } = this.#address;
    const refuse = async (error: StromaflowError, passing = false): Promise<never> => {
      await response.body?.cancel().catch(() => undefined);
      throw new Refusal(error, passing, passing ? retryAfter(response) : undefined);
    };
    const known = this.#revision;
    if (response.status === 412 && known) return refuse(changed(shown, 'its ETag is another one'));
    const range = contentRange(response);
    if (response.status === 416 && known && range && range.size !== known.size)
      return refuse(changed(shown, `it had ${known.size} bytes and has ${range.size}`));
    if (response.status !== 206) return refuse(refused(shown, response, hasSecret), isPassing(response.status));
    const revision = revisionOf(response, range);
    if (known && revision.size !== known.size)
      return refuse(changed(shown, `it had ${known.size} bytes and has ${revision.size}`));
    if (known && revision.validator !== known.validator)
      return refuse(changed(shown, 'its ETag or time is another one'));
    if (revision.fault !== undefined) return refuse(unreachable(shown, new Error(revision.fault)));
    const expected = Math.min(last, revision.size - 1);
    if (range?.start !== start || range.end !== expected)
      return refuse(unreachable(shown, new Error(`the server sent other bytes than ${start}–${expected}`)));
    return revision;
  }
}

/** Why an answer does not count, and whether the next one may. */
class Refusal extends Error {
  readonly error: StromaflowError;
  readonly passing: boolean;
  readonly waitMs: number | undefined;

  constructor(error: StromaflowError, passing: boolean, waitMs?: number) {
    super(error.message);
    this.error = error;
    this.passing = passing;
    this.waitMs = waitMs;
  }
}

/** The body, or as much of it as came; of one that is too long a byte more than was expected. */
async function readBody(response: Response, length: number, onBytes: () => void): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  if (!response.body) return bytes.subarray(0, 0);
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    onBytes();
    if (done + chunk.length > length) return new Uint8Array(length + 1);
    bytes.set(chunk, done);
    done += chunk.length;
  }
  return bytes.subarray(0, done);
}
