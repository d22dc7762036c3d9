import { closeSync, lstatSync, openSync, type Stats } from 'node:fs';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { type DicomInstance, type Inspection, inspectInstance } from '../../slide/dicom/instance.js';
import { readBytes } from '../../slide/tiff/probe.js';
import { checkFrames, type FrameCheck } from './check-frames.js';

/** Bytes looked at from either end of a file that is not whole: its time need not change while it is written. */
const HEAD = 256;
const TAIL = 64;
/** File systems stamp files by up to two seconds (FAT, some shares), by a clock that may be any. */
const RECENT_MS = 3000;
/** The end of compressed pixels: (FFFE,E0DD), and no length. */
const SEQUENCE_END = Buffer.from('feffdde000000000', 'hex');

/**
 * One file of a growing slide, looked at again and again. It is parsed when it is new, when it seems to have come to its
 * end, and when it stood still; a whole one never again until it changes.
 */
export class InstanceFile {
  readonly path: string;
  /** Tells one content of the file from another; undefined when there is no such file. */
  stamp: string | undefined;
  #inspection: Inspection = {};
  #check: FrameCheck = 'no';
  /** What the last inspection saw, and what the last look saw. */
  #inspected = '';
  #seen = '';
  /** performance.now() when it was inspected last. */
  #inspectedAt = 0;
  /** performance.now() when it was first seen with its stamp. */
  #stampedAt = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** As far as it can be read. */
  get header(): Inspection['header'] {
    return this.#inspection.header;
  }

  /** Why it is not whole, once that is known. */
  get error(): StromaflowError | undefined {
    if (this.#inspection.error) return this.#inspection.error;
    const lacks = this.#check === 'no' || this.#check === 'blank';
    if (this.#inspected === '' || !lacks || !this.#inspection.instance) return undefined;
    return new StromaflowError('SLIDE_TRUNCATED', `${this.path}: reads as zeros where frames should be`);
  }

  /** All of it is there, beyond doubt. */
  get isReady(): boolean {
    return this.#check === 'ready';
  }

  /**
   * The instance, once all of it is there.
   *
   * @param settleSeconds after which doubtful frames are taken as they are.
   * @param done the end of the slide was declared: frames that were never written are not waited for.
   */
  whole(settleSeconds: number, done: boolean): DicomInstance | undefined {
    if (this.#check === 'no' || (this.#check === 'blank' && !done)) return undefined;
    const waits = this.#check === 'doubtful' && performance.now() - this.#inspectedAt < settleSeconds * 1000;
    return waits ? undefined : this.#inspection.instance;
  }

  /** Asks for the file's size and time only. True when they changed since it was inspected. */
  hasChanged(): boolean {
    const stats = lstatSync(this.path, { throwIfNoEntry: false });
    const stamp = stampOf(stats);
    if (stamp !== this.stamp) this.#stampedAt = performance.now();
    this.stamp = stamp;
    return this.stamp === undefined || !this.#inspected.startsWith(`${this.stamp} `);
  }

  /**
   * @param now do not wait for a file that may grow to stand still.
   * @returns true when more is known of it than before.
   */
  async look(now = false): Promise<boolean> {
    if (!this.hasChanged() && this.#inspection.instance) return this.#check !== 'ready' && (await this.#checkAgain());
    if (this.stamp === undefined) return this.#forget();
    const edges = readEdges(this.path);
    if (!edges) return this.#forget();
    const seen = `${this.stamp} ${edges.toString('base64')}`;
    if (seen === this.#inspected) return this.#mayHideMore() && (await this.#inspectAgain(seen));
    // One that was renamed into place has another inode, and is whole.
    const isOther = !this.#inspected.startsWith(`${this.stamp.split(' ', 1)[0]} `);
    const isOver = edges.includes(SEQUENCE_END, Math.max(0, edges.length - TAIL));
    const stoodStill = seen === this.#seen;
    this.#seen = seen;
    if (isOther || isOver || stoodStill || now) await this.#inspect(seen);
    // Until it is inspected again, nobody knows whether it is still whole.
    else this.#check = 'no';
    return true;
  }

  /** Times of files are coarse: what was written right behind the last inspection may show in nothing but the bytes. */
  #mayHideMore(): boolean {
    return this.#inspectedAt - this.#stampedAt < RECENT_MS;
  }

  async #inspectAgain(seen: string): Promise<boolean> {
    const { header } = this.#inspection;
    await this.#inspect(seen);
    return (
      this.#inspection.instance !== undefined || (header === undefined) !== (this.#inspection.header === undefined)
    );
  }

  async #inspect(seen: string): Promise<void> {
    this.#inspection = inspectInstance(this.path);
    this.#inspectedAt = performance.now();
    this.#inspected = seen;
    this.#check = 'no';
    await this.#checkAgain();
  }

  /** Over a network frames may arrive in any order, and the file's time need not tell. True when they look otherwise now. */
  async #checkAgain(): Promise<boolean> {
    const before = this.#check;
    const { instance, header } = this.#inspection;
    try {
      this.#check = instance ? await checkFrames(instance) : 'no';
    } catch (error) {
      this.#check = 'no';
      this.#inspection = { ...(header && { header }), error: toStromaflowError(error, 'SLIDE_UNREADABLE', this.path) };
    }
    return this.#check !== before;
  }

  #forget(): boolean {
    const wasKnown = this.#inspected !== '';
    this.#inspection = {};
    this.#check = 'no';
    this.#inspected = '';
    return wasKnown;
  }
}

/** Links are never followed: one could lead out of the watched folder. */
const stampOf = (stats: Stats | undefined): string | undefined =>
  stats?.isFile() ? `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}` : undefined;

function readEdges(path: string): Buffer | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      const { size } = lstatSync(path);
      return Buffer.concat([
        readBytes(fd, 0, Math.min(HEAD, size)),
        readBytes(fd, Math.max(0, size - TAIL), Math.min(TAIL, size)),
      ]);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
