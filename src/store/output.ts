import { Worker } from 'node:worker_threads';
import { fromWire, StromaflowError, toStromaflowError } from '../errors.js';
import type { OverviewCanvas } from '../read/overview.js';
import type { PatchMask, PatchPlan, PatchRecord, PatchRef } from '../read/patch.js';
import type { SlideInfo } from '../slide/slide.js';
import type { SegmentedSeries } from './dicom-seg.js';
import type { OutputReply, OutputRequest } from './output-messages.js';
import type { Outlines } from './slide-polygons.js';
import type { SlideSummary } from './summary.js';
import type { OmeZarrVersion } from './zarr-metadata.js';

/** Port of a slide's files. Rejects with OUTPUT_FULL or OUTPUT_FAILED. */
export interface SlideOutput {
  readonly folder: string;
  /**
   * Resolved once the patch's mask and line are in their files, to the mask as a 1-bit PNG where it was made on the way. The same patch may come
   * again and replaces itself.
   *
   * @param probabilities patchSize² bytes, round(255 p), kept where that was asked for.
   */
  patch(
    ref: PatchRef,
    record: PatchRecord,
    mask?: PatchMask,
    probabilities?: Uint8Array,
  ): Promise<Uint8Array | undefined>;
  /**
   * Takes up what earlier starts did, before the first patch. Resolves to the records whose stored mask is lost or
   * damaged (after a power failure, or by somebody's hand): those patches must be done again.
   */
  resume(records: Iterable<PatchRecord>): Promise<readonly PatchRecord[]>;
  /** Set by `resume`: patches that are done, but whose part of the overview was not kept; reading them again paints it. */
  readonly unpainted: readonly PatchRecord[];
  /** Writes the final files, with `dicomSeg` DICOM segmentations of it too, and closes. Resolves to the summary as written, with `outputs` filled in. */
  finish(summary: SlideSummary, dicomSeg?: SegmentedSeries): Promise<SlideSummary>;
  /** Ends without final files, after what was asked for before is written; a later start can resume. */
  close(): Promise<void>;
}

export interface SlideOutputOptions {
  /** The slide's own folder; made if it is not there. */
  readonly folder: string;
  readonly slide: SlideInfo;
  readonly plan: PatchPlan;
  /** The picture that reader threads fill. */
  readonly overview: OverviewCanvas;
  /** Drop what an earlier run left in the folder. */
  readonly fresh: boolean;
  /** Version of OME-Zarr the mask is written in; default 0.4. */
  readonly omeZarr?: OmeZarrVersion;
  /** Polygons smaller than this are left out of mask.geojson; µm², default 0 (none). */
  readonly minArea?: number;
  /** Holes smaller than this are filled in mask.geojson; µm², default 0 (none). */
  readonly minHole?: number;
  /** How outlines of polygons are drawn; default 'auto'. */
  readonly outlines?: Outlines;
  /** Write mask.tif too. */
  readonly maskTiff?: boolean;
  /** Keep probabilities too, and say that masks are cut at this, 0–1. */
  readonly threshold?: number | undefined;
  /** Aborts opening and resuming. */
  readonly signal?: AbortSignal;
}

/** Starts the slide's output thread and lays out its folder. */
export async function openSlideOutput(options: SlideOutputOptions): Promise<SlideOutput> {
  const { folder, plan, overview, fresh, omeZarr = '0.4', minArea = 0, minHole = 0, signal } = options;
  const { maskTiff = false, outlines = 'auto', threshold } = options;
  signal?.throwIfAborted();
  const thread = new OutputThread(folder);
  await unlessAborted(thread, signal, {
    op: 'open',
    options: { folder, plan, overview, fresh, omeZarr, minArea, minHole, outlines, maskTiff, threshold },
  });
  let unpainted: readonly PatchRecord[] = [];
  return {
    folder,
    get unpainted() {
      return unpainted;
    },
    async patch(_ref, record, mask, probabilities) {
      const kept = threshold !== undefined && probabilities ? { probabilities } : {};
      const { png } = await thread.ask({ op: 'patch', record, ...(mask ? { bits: mask.bits } : {}), ...kept });
      return png;
    },
    async resume(records) {
      const { resumed } = await unlessAborted(thread, signal, { op: 'resume', records: [...records] });
      unpainted = resumed?.unpainted ?? [];
      return resumed?.lost ?? [];
    },
    async finish(summary, dicomSeg) {
      const askedAt = performance.timeOrigin + performance.now();
      const written =
        (await thread.ask({ op: 'finish', summary, askedAt, ...(dicomSeg ? { dicomSeg } : {}) })).summary ?? summary;
      await thread.end();
      return written;
    },
    async close() {
      await thread.end();
    },
  };
}

type Answer = Exclude<OutputReply, { error: unknown }>;

/** Asks; an abort meanwhile ends the thread, since nothing of the slide was begun yet. */
async function unlessAborted(
  thread: OutputThread,
  signal: AbortSignal | undefined,
  request: OutputRequest,
): Promise<Answer> {
  signal?.throwIfAborted();
  const stop = (): void => void thread.kill();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await thread.ask(request);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

interface Waiting {
  resolve(reply: Answer): void;
  reject(error: unknown): void;
}

class OutputThread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  /** Asked and not posted yet: waking a thread costs as much as writing a file. */
  #asked: OutputRequest[] = [];
  #ended: Promise<unknown> | undefined;
  #failure: StromaflowError | undefined;

  constructor(folder: string) {
    this.#worker = new Worker(new URL('./output.worker.js', import.meta.url), {
      // Its garbage is short-lived; a larger nursery would only grow with the length of the run.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    this.#worker.on('message', (replies: readonly OutputReply[]) => {
      for (const reply of replies) {
        const waiting = this.#waiting.shift();
        if ('error' in reply) waiting?.reject(fromWire(reply.error));
        else waiting?.resolve(reply);
      }
      this.#rest();
    });
    this.#worker.on('error', error => this.#fail(toStromaflowError(error, 'INTERNAL', folder)));
    this.#worker.on('exit', () => this.#fail(new StromaflowError('OUTPUT_FAILED', `${folder}: closed`)));
    this.#rest();
  }

  async ask(request: OutputRequest): Promise<Answer> {
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#asked.push(request);
      if (this.#asked.length === 1) setImmediate(() => this.#post());
    });
  }

  #post(): void {
    const asked = this.#asked;
    this.#asked = [];
    this.#worker.postMessage(asked);
  }

  async end(): Promise<void> {
    this.#ended ??= this.ask({ op: 'close' })
      .catch(() => undefined)
      .then(() => this.kill());
    await this.#ended;
  }

  /** Ends the thread whatever it is doing; what waits is rejected. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }

  /** A thread with nothing to do must not keep the process alive. */
  #rest(): void {
    if (this.#waiting.length === 0) this.#worker.unref();
  }

  #fail(error: StromaflowError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
