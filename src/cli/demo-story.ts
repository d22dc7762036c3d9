import type { Parts } from '../../pipelines/parts.js';
import { toStromaflowError } from '../errors.js';
import { decodeEvent } from '../event/decode.js';
import type { Model } from '../model/model.js';
import { wrapped } from '../text.js';
import type { Terminal } from './terminal.js';

/** Tiles of the demo's slide. */
const TILES = 130;

/** What a person should see of the demo: how far the scan was when masks came, in a handful of lines. */
export class DemoStory {
  readonly #terminal: Terminal;
  #tiles = 0;
  #masks = 0;
  #over = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
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
        if (this.#masks === 1 && !this.#over)
          this.#terminal.line(`live       the first mask is out, with ${this.#tiles} of ${TILES} tiles scanned`);
      }
    } catch (error) {
      if (!signal.aborted) this.#terminal.line(`events     ${toStromaflowError(error, 'BUS_SUBSCRIBE').line}`);
    }
  }

  tile(): void {
    this.#tiles += 1;
  }

  scanned(): void {
    this.#over = true;
    this.#terminal.line(`scanner    done: ${this.#masks} masks came while it wrote, the rest follow`);
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
