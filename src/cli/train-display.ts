import type { TrainObserver } from '../../pipelines/train.js';
import type { Config } from '../config/options.js';
import type { PatchIndex } from '../train/patch-index.js';
import { type EpochLine, iouOf, meanLoss, type RunProgress } from '../train/progress.js';
import type { RunRecipe } from '../train/recipe.js';
import { clock } from './progress.js';
import { StatusEndpoint } from './status-endpoint.js';
import type { Terminal } from './terminal.js';

/** What a person, Prometheus and programs see of a run while it goes on. */
export class TrainDisplay implements TrainObserver {
  readonly #terminal: Terminal;
  readonly #status: StatusEndpoint;
  #startedAt = 0;
  /** Training patches of the session, and of the whole run, to go and done. */
  #total = 0;
  #before = 0;
  #done = 0;
  #epochs = 0;

  /** @throws PORT_IN_USE, CONFIG_INVALID */
  static async open(
    config: Pick<Config, 'host' | 'port' | 'out' | 'token-file' | 'access-log'>,
    terminal: Terminal,
  ): Promise<TrainDisplay> {
    return new TrainDisplay(terminal, await StatusEndpoint.open(config, terminal));
  }

  private constructor(terminal: Terminal, status: StatusEndpoint) {
    this.#terminal = terminal;
    this.#status = status;
  }

  looked(patches: number): void {
    this.#terminal.status(`looking at the patches: ${patches}`);
  }

  begin(progress: RunProgress | undefined, { train }: Pick<PatchIndex, 'train'>, { epochs }: RunRecipe): void {
    this.#startedAt = performance.now();
    this.#epochs = epochs;
    this.#total = epochs * train.length;
    this.#before = (progress?.epoch ?? 0) * train.length + (progress?.place ?? 0);
    this.#done = this.#before;
  }

  stepped(progress: RunProgress, { patches, epochs }: { readonly patches: number; readonly epochs: number }): void {
    const { epoch, place, sums } = progress;
    this.#done = epoch * patches + place;
    const perSecond = this.#perSecond();
    this.#terminal.status(
      trainLine({
        epoch: epoch + 1,
        epochs,
        place,
        patches,
        loss: meanLoss(sums),
        iou: iouOf(sums),
        perSecond,
        etaSeconds: (this.#total - this.#done) / perSecond,
      }),
    );
    this.#status.metrics.training.stepped({
      epoch: epoch + 1,
      loss: meanLoss(sums),
      iou: iouOf(sums),
      images: this.#done - this.#before,
    });
  }

  validated(patches: number, of: number): void {
    this.#terminal.status(`validation: ${patches}/${of} patches`);
  }

  epoch(line: EpochLine): void {
    this.#terminal.line(epochLine(line, this.#epochs));
    this.#terminal.json({ event: 'epoch', ...line });
    this.#status.metrics.training.epoch(line);
  }

  end(why: 'epochs' | 'patience' | 'interrupted', best: EpochLine | undefined, folder: string): void {
    const { line, json } = this.#terminal;
    if (why === 'patience') line('early      no better validation IoU for --patience epochs');
    if (best) line(`best       epoch ${best.epoch}: validation IoU ${best.validation.iou.toFixed(3)}`);
    if (why === 'interrupted') line(`saved      ${folder}: the same command goes on from there`);
    else line(`bundle     ${folder}/best, with curves.svg, metrics.jsonl and examples/ beside it`);
    json({ event: 'over', why, folder, ...(best && { best }) });
  }

  async close(): Promise<void> {
    await this.#status.close();
  }

  #perSecond(): number {
    const seconds = (performance.now() - this.#startedAt) / 1000;
    return (this.#done - this.#before) / Math.max(seconds, 1e-3);
  }
}

export interface TrainLine {
  /** From 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Patches of the epoch that are done, of how many. */
  readonly place: number;
  readonly patches: number;
  /** Means of the epoch so far. */
  readonly loss: number;
  readonly iou: number;
  readonly perSecond: number;
  readonly etaSeconds: number;
}

const WIDTH = 20;

/** `epoch 3/25  ████░░░░ 64/240 patches  loss 0.312  IoU 0.713  1.9 images/s  ETA 1:02:05`. */
export function trainLine({ epoch, epochs, place, patches, loss, iou, perSecond, etaSeconds }: TrainLine): string {
  const filled = Math.floor(Math.min(1, place / Math.max(1, patches)) * WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
  const rate = perSecond.toFixed(perSecond < 10 ? 2 : 0);
  return `epoch ${epoch}/${epochs}  ${bar} ${place}/${patches} patches  loss ${loss.toFixed(3)}  IoU ${iou.toFixed(3)}  ${rate} images/s  ETA ${clock(etaSeconds)}`;
}

/** A line that stays, for an epoch that is over. */
export function epochLine(
  { epoch, train, validation, best, imagesPerSecond, seconds }: EpochLine,
  epochs: number,
): string {
  const part = (name: string, { loss, iou }: EpochLine['train']): string =>
    `${name} loss ${loss.toFixed(3)} IoU ${iou.toFixed(3)}`;
  return `epoch      ${epoch}/${epochs}  ${part('training', train)}  ${part('validation', validation)}${best ? ' *' : ''}  ${imagesPerSecond.toFixed(2)} images/s, ${clock(seconds)}`;
}
