import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { StromaflowError } from '../../errors.js';
import { askChild, ChildLost, endChild } from '../../process/ask-child.js';
import { openSharedFile, readAt } from '../../process/shared-file.js';
import { areaOf } from '../rectangles.js';
import type { TileState } from '../slide.js';
import type { LevelRegion, OpenSlideFacts, OpenSlideReply, OpenSlideRequest, Versions } from './protocol.js';

const SCRIPT = new URL('./openslide.child.js', import.meta.url);

/** Waits in seconds, long enough for a file on a slow share. */
export interface OpenSlideLimits {
  readonly open: number;
  readonly read: number;
}

export const LIMITS: OpenSlideLimits = { open: 120, read: 120 };

/** End of what the process says last, in characters. */
const LAST_WORDS = 200;

/** Why OpenSlide does not read a file. */
export interface Refusal {
  /** Undefined: it is not installed. */
  readonly version?: string;
  readonly why: string;
}

export interface OpenSlideProcessOptions {
  /** Room for pixels: bytes of the largest tile that will be read; none unless given. */
  readonly bytes?: number;
  readonly limits?: OpenSlideLimits;
  /** Opens TIFFs without a vendor, too; it does unless given otherwise. */
  readonly generic?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A slide held by libopenslide in a process of its own: a crash, a hang, and more memory than there is end that process and are an
 * error here (docs/decisions/0021-openslide-process.md). Nothing of it is left when it is closed, or when this process ends.
 */
export class OpenSlideProcess {
  readonly #child: ChildProcess;
  readonly #fd: number | undefined;
  readonly #limits: OpenSlideLimits;
  #lastWords = '';
  #closed = false;

  private constructor(fd: number | undefined, limits: OpenSlideLimits) {
    this.#fd = fd;
    this.#limits = limits;
    this.#child = fork(SCRIPT, {
      // What native libraries print must not get between the lines that a program reads.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...(fd === undefined ? [] : [fd])],
      env: withoutSecrets(process.env),
      execArgv: [],
    });
    this.#child.on('error', () => undefined);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS);
    });
    // A slide that is open keeps nobody from ending.
    this.#child.unref();
    this.#child.channel?.unref();
    if (this.#child.stderr && 'unref' in this.#child.stderr) (this.#child.stderr as { unref(): void }).unref();
  }

  /**
   * Opens a slide.
   *
   * @returns the process with what OpenSlide says of the slide, or why it does not read it.
   * @throws ChildLost when it crashes or hangs over the file; SLIDE_UNREADABLE without room for its pixels; the signal's reason.
   */
  static async open(
    path: string,
    { bytes, limits = LIMITS, generic = true, signal }: OpenSlideProcessOptions = {},
  ): Promise<{ readonly process: OpenSlideProcess; readonly facts: OpenSlideFacts } | Refusal> {
    const process = new OpenSlideProcess(bytes === undefined ? undefined : await room(bytes), limits);
    let opened = false;
    try {
      const reply = await process.#ask({ type: 'open', path, generic }, limits.open, signal);
      if (reply.type === 'opened') {
        opened = true;
        return { process, facts: reply };
      }
      if (reply.type === 'refused') return reply;
      throw unexpected(reply);
    } finally {
      if (!opened) await process.close();
    }
  }

  /** Versions of what is installed. @throws ChildLost when the library cannot even be loaded without a crash. */
  static async versions(): Promise<Versions> {
    const process = new OpenSlideProcess(undefined, LIMITS);
    try {
      const reply = await process.#ask({ type: 'versions' }, LIMITS.open);
      if (reply.type !== 'versions') throw unexpected(reply);
      return reply;
    } finally {
      await process.close();
    }
  }

  /** Number of the process; undefined when it never came to life. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Reads a rectangle of a level as RGB.
   *
   * @returns what is wrong with it, or whether anything of it is stored; `into` is written in that case alone.
   * @throws ChildLost: the process is of no use any more.
   */
  async read(region: LevelRegion, into: Uint8Array): Promise<TileState | { readonly problem: string }> {
    const reply = await this.#ask({ type: 'read', ...region }, this.#limits.read);
    if (reply.type === 'failed') return { problem: reply.why };
    if (reply.type !== 'pixels') throw unexpected(reply);
    const { gaps } = reply;
    if (areaOf(gaps) === region.width * region.height) return 'missing';
    readAt(this.#fd!, into.subarray(0, (region.height - 1) * region.stride + region.width * 3), 0);
    return gaps.length === 0 ? 'decoded' : { gaps };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#fd !== undefined) closeSync(this.#fd);
    await endChild(this.#child);
  }

  async #ask(request: OpenSlideRequest, seconds: number, signal?: AbortSignal): Promise<OpenSlideReply> {
    this.#child.channel?.ref();
    try {
      return await askChild<OpenSlideReply>(this.#child, request, { seconds, signal });
    } catch (error) {
      const words = this.#lastWords.trim().split('\n').at(-1);
      throw error instanceof ChildLost && words ? new ChildLost(error.reason, `${error.message}: ${words}`) : error;
    } finally {
      this.#child.channel?.unref();
    }
  }
}

async function room(bytes: number): Promise<number> {
  try {
    return await openSharedFile(bytes);
  } catch (cause) {
    const message = `no room for ${Math.ceil(bytes / 2 ** 20)} MiB shared with OpenSlide's process`;
    const fix = 'free space in /dev/shm or the temporary folder, or lower --readers';
    throw new StromaflowError('SLIDE_UNREADABLE', message, { cause, fix });
  }
}

const unexpected = ({ type }: OpenSlideReply): ChildLost => new ChildLost('unreachable', `answered "${type}"`);

/** It needs none of the passwords that the options may hold. */
const withoutSecrets = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('STROMAFLOW_')));
