import { createHash } from 'node:crypto';
import { toStromaflowError } from '../../errors.js';
import type { RemoteBytes } from '../slide.js';
import type { SlideAddress } from './address.js';
import type { Revision } from './answers.js';
import { type ByteRange, RemoteBlocks } from './blocks.js';
import { createMailbox, MailboxServer } from './mailbox.js';
import { HttpRanges, type RangeOptions } from './ranges.js';

/** A file at an address that is read: fetches for this thread, and for those that are given its memory. */
export class RemoteFile implements RemoteBytes {
  readonly memory: SharedArrayBuffer;
  readonly revision: Revision;
  readonly #blocks: RemoteBlocks;
  readonly #ranges: HttpRanges;
  readonly #server: MailboxServer;
  readonly #stop: AbortController;

  /**
   * @param signal ends the opening.
   * @throws SLIDE_REMOTE, SLIDE_CHANGED, SLIDE_UNREADABLE for what is no TIFF; the signal's reason.
   */
  static async open(address: SlideAddress, options: RangeOptions = {}, signal?: AbortSignal): Promise<RemoteFile> {
    const stop = new AbortController();
    const ranges = new HttpRanges(address, stop.signal, options);
    const giveUp = (): void => stop.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', giveUp, { once: true });
    try {
      const blocks = await RemoteBlocks.open(ranges, address.shown);
      return new RemoteFile(ranges, blocks, stop);
    } finally {
      signal?.removeEventListener('abort', giveUp);
    }
  }

  private constructor(ranges: HttpRanges, blocks: RemoteBlocks, stop: AbortController) {
    this.#ranges = ranges;
    this.#blocks = blocks;
    this.#stop = stop;
    this.revision = ranges.revision!;
    this.memory = createMailbox();
    this.#server = new MailboxServer(
      this.memory,
      async (offset, length) => (await blocks.read([{ offset, length }]))[0]!,
    );
  }

  get traffic(): RemoteBytes['traffic'] {
    return this.#ranges.traffic;
  }

  /** Names what the file holds, as far as its server tells. */
  get fingerprint(): string {
    const { size, validator } = this.revision;
    return `${size}-http-${createHash('sha256').update(validator).digest('hex').slice(0, 16)}`;
  }

  /** @throws as RemoteBlocks.read does. */
  read(parts: readonly ByteRange[]): Promise<Uint8Array[]> {
    return this.#blocks.read(parts);
  }

  async ahead(parts: readonly ByteRange[]): Promise<void> {
    // Whoever reads them hears of what is wrong.
    await this.#blocks.read(parts).catch(() => undefined);
  }

  close(): void {
    this.#stop.abort(toStromaflowError(new Error('the slide is not open any more'), 'SLIDE_UNREADABLE'));
    this.#server.close();
  }
}
