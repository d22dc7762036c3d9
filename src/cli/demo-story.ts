import { setTimeout as sleep } from 'node:timers/promises';
import type { Parts } from '../../pipelines/parts.js';
import { toStromaflowError } from '../errors.js';
import { decodeEvent } from '../event/decode.js';
import type { Model } from '../model/model.js';
import { wrapped } from '../text.js';
import type { Terminal } from './terminal.js';

/** Tiles of the demo's slide. */
const TILES = 130;
/** So many are scanned, and no mask is out: the scanner waits. */
const HALF = TILES / 2;
/** Half of the silence after which a slide counts as left off. */
const PATIENCE_MS = 300_000;

/** What a person should see of the demo: how far the scan was when masks came, in a handful of lines. */
export class DemoStory {
  readonly #terminal: Terminal;
  #tiles = 0;
  #masks = 0;
  #over = false;
  readonly #first = new AbortController();

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** What this is, before anything happens. */
  open(): void {
    this.#terminal.line('demo       a simulated scanner writes a slide, which is segmented as it grows');
  }

  begin(folder: string, { notice }: Pick<Model, 'notice'>): void {
    this.#terminal.line(`scanner    writes a slide of skin into ${folder}`);
    if (notice !== undefined) for (const line of wrapped(`model      ${notice}`, 79, 11)) this.#terminal.line(line);
  }

  /** Counts the masks as a subscriber gets them. */
  async follow({ bus, config }: Pick<Parts, 'bus' | 'config'>, signal: AbortSignal): Promise<void> {
    try {
      for await (const event of bus.subscribe(`${config.prefix}.*.*.mask.>`, signal)) {
        if (decodeEvent(event)?.kind !== 'mask') continue;
        this.#masks += 1;
        this.#first.abort();
        if (this.#masks === 1 && !this.#over)
          this.#terminal.line(`live       the first mask is out, with ${this.#tiles} of ${TILES} tiles scanned`);
      }
    } catch (error) {
      if (!signal.aborted) this.#terminal.line(`events     ${toStromaflowError(error, 'BUS_SUBSCRIBE').line}`);
    }
  }

  /** Resolves when the scanner may go on: a machine that is slow or busy would see the whole slide before a mask. */
  async tile(signal: AbortSignal): Promise<void> {
    this.#tiles += 1;
    if (this.#tiles !== HALF || this.#masks > 0) return;
    this.#terminal.line('scanner    waits half way for the first mask: this machine is slow or busy');
    await sleep(PATIENCE_MS, undefined, { signal: AbortSignal.any([signal, this.#first.signal]) }).catch(
      () => undefined,
    );
  }

  scanned(): void {
    this.#over = true;
    this.#terminal.line(
      `scanner    done: ${this.#masks} ${this.#masks === 1 ? 'mask' : 'masks'} came while it wrote, the rest follow`,
    );
  }

  /** What there is to see when all is done. @param picture its path */
  close(picture: string): void {
    const { line } = this.#terminal;
    line(`look at    ${picture}`);
    line('           green is what the model takes for stroma; the areas stand below');
    line('numbers    areas in mm² of the slide; %: of the tissue, glass does not count');
    line('           a patch is the square that the model sees at once');
    line('next       stromaflow watch <folder>, with your scanner’s; stromaflow --help');
  }

  scanFailed(error: unknown): void {
    this.#over = true;
    this.#terminal.line(`scanner    ${toStromaflowError(error).line}`);
  }

  /** Before the progress of the patches. */
  get status(): string {
    return this.#over ? '' : `scan ${Math.round((this.#tiles / TILES) * 100)} %  `;
  }
}
