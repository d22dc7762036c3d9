import { BaseClient, BaseResponse, fromCustomClient, type GeoTIFF } from 'geotiff';
import { StromaflowError } from '../../errors.js';
import { probeTiff } from '../tiff/probe.js';
import type { HttpRanges } from './ranges.js';

/** Where some bytes lie in a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** What is fetched at a time at least; tiles of slides have 5 to 50 kB. */
const BLOCK_BYTES = 16_384;
/** geotiff.js's cache holds up to twice as many. */
const BLOCKS_KEPT = 1024;
/** Its types leave out what it passes on to its cache. */
const BLOCKED: Parameters<typeof fromCustomClient>[1] & { blockSize: number; cacheSize: number } = {
  blockSize: BLOCK_BYTES,
  cacheSize: BLOCKS_KEPT,
};

/**
 * A TIFF's bytes through geotiff.js: its blocks, each fetched once as long as it is kept, neighbouring ones with one request. What it asks
 * for goes through our own client, which checks each answer. A failure is final: whoever opens the file anew begins anew.
 */
export class RemoteBlocks {
  readonly #ranges: HttpRanges;
  readonly #tiff: GeoTIFF;
  readonly #client: Client;

  /** @throws SLIDE_REMOTE, SLIDE_CHANGED; SLIDE_UNREADABLE for what does not begin as a TIFF does. */
  static async open(ranges: HttpRanges, shown: string): Promise<RemoteBlocks> {
    const client = new Client(ranges);
    const beginning = fromCustomClient(client, BLOCKED).catch(async error => {
      throw await notTiff(ranges, shown, error);
    });
    return new RemoteBlocks(ranges, await client.unlessFailed(beginning), client);
  }

  private constructor(ranges: HttpRanges, tiff: GeoTIFF, client: Client) {
    this.#ranges = ranges;
    this.#tiff = tiff;
    this.#client = client;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#ranges.revision!.size;
  }

  /**
   * Parts of the file, each as long as it was asked for, which must lie inside of it. Asked for in the same turn of the event loop they
   * share requests.
   *
   * @throws SLIDE_REMOTE, SLIDE_CHANGED; the signal's reason.
   */
  async read(parts: readonly ByteRange[]): Promise<Uint8Array[]> {
    for (let tries = 1; ; tries++) {
      try {
        const found = await this.#client.unlessFailed(this.#tiff.source.fetch([...parts]));
        return found.map(bytes => new Uint8Array(bytes));
      } catch (error) {
        // Blocks that others pushed out of the cache meanwhile are missing, too.
        if (error instanceof StromaflowError || !(error instanceof Error) || tries === 3) throw error;
        if (!/^Request failed/.test(error.message)) throw error;
      }
    }
  }
}

const NO_TIFF_FIX =
  'at an address only TIFFs are read (SVS, OME-TIFF, Philips, generic): copy other slides to a folder';
const HEAD_BYTES = 64;

/** What the file is instead. */
async function notTiff(ranges: HttpRanges, shown: string, cause: unknown): Promise<StromaflowError> {
  const { size } = ranges.revision!;
  let message = `${shown}: is not a TIFF file`;
  try {
    const head = Buffer.from(await ranges.read(0, Math.min(HEAD_BYTES, size)));
    probeTiff({ read: (at, length) => head.subarray(at, at + length) }, shown, Math.min(HEAD_BYTES, size));
  } catch (error) {
    if (error instanceof StromaflowError) message = error.message;
  }
  return new StromaflowError('SLIDE_UNREADABLE', message, { cause, fix: NO_TIFF_FIX });
}

/**
 * What geotiff.js asks a server through. It hears of no failure: of one that two of its callers share nobody might take notice, which ends the
 * process. Whoever waits for geotiff.js waits through `unlessFailed`.
 */
class Client extends BaseClient {
  readonly #ranges: HttpRanges;
  #failure: { readonly error: unknown } | undefined;
  readonly #waiting = new Set<(error: unknown) => void>();

  constructor(ranges: HttpRanges) {
    super('');
    this.#ranges = ranges;
  }

  /** What it comes to, or the first failure. */
  unlessFailed<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#failure) reject(this.#failure.error);
      this.#waiting.add(reject);
      work.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  override async request(options?: RequestInit): Promise<BaseResponse> {
    const { Range: range = '' } = (options?.headers ?? {}) as Record<string, string>;
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    try {
      if (last === undefined) throw new StromaflowError('INTERNAL', `geotiff.js asks for "${range}"`);
      const bytes = await this.#ranges.read(Number(start), Number(last) + 1);
      return new Part(bytes, Number(start), this.#ranges.revision!.size);
    } catch (error) {
      this.#failure ??= { error };
      for (const reject of this.#waiting) reject(error);
      this.#waiting.clear();
      return new Promise<never>(() => undefined);
    }
  }
}

/** An answer that was checked. */
class Part extends BaseResponse {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #range: string;

  constructor(bytes: Uint8Array<ArrayBuffer>, start: number, size: number) {
    super();
    this.#bytes = bytes;
    this.#range = `bytes ${start}-${start + bytes.length - 1}/${size}`;
  }

  override get status(): number {
    return 206;
  }

  override getHeader(name: string): string {
    return name === 'content-range' ? this.#range : '';
  }

  override async getData(): Promise<ArrayBuffer> {
    return this.#bytes.buffer;
  }
}
