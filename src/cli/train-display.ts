import type { TrainObserver } from '../../pipelines/train.js';
import type { Config } from '../config/options.js';
import type { PatchIndex } from '../train/patch-index.js';
import { bestOf, type EpochLine, iouOf, meanLoss, type RunProgress } from '../train/progress.js';
import { type RunRecipe, rateOf } from '../train/recipe.js';
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
  #recipe: RunRecipe;

  /**
   * @param run its name
   * @throws PORT_IN_USE, CONFIG_INVALID
   */
  static async open(
    config: Pick<Config, 'host' | 'port' | 'out' | 'token-file' | 'access-log'>,
    terminal: Terminal,
    run: string,
    recipe: RunRecipe,
  ): Promise<TrainDisplay> {
    const status = await StatusEndpoint.open(config, terminal);
    status.board.training.begin(run, recipe.epochs);
    return new TrainDisplay(terminal, status, recipe);
  }

  private constructor(terminal: Terminal, status: StatusEndpoint, recipe: RunRecipe) {
    this.#terminal = terminal;
    this.#recipe = recipe;
    this.#status = status;
  }

  looked(patches: number): void {
    this.#terminal.status(`looking at the patches: ${patches}`);
  }

  begin(progress: RunProgress | undefined, { train }: Pick<PatchIndex, 'train'>): void {
    const { board, metrics } = this.#status;
    this.#startedAt = performance.now();
    this.#total = this.#recipe.epochs * train.length;
    this.#before = (progress?.epoch ?? 0) * train.length + (progress?.place ?? 0);
    this.#done = this.#before;
    const { epoch = 0, place = 0, history = [] } = progress ?? {};
    const last = history.at(-1);
    if (last) metrics.training.epoch(last, bestOf({ history })!.validation.iou);
    board.training.learned(history);
    board.training.update({ state: 'learning', epoch: epoch + 1, done: place, patches: train.length });
  }

  stepped(progress: RunProgress, { patches, epochs }: { readonly patches: number; readonly epochs: number }): void {
    const { epoch, place, sums } = progress;
    this.#done = epoch * patches + place;
    const imagesPerSecond = this.#perSecond();
    const etaSeconds = (this.#total - this.#done) / imagesPerSecond;
    const now = { epoch: epoch + 1, loss: meanLoss(sums), iou: iouOf(sums) };
    this.#terminal.status(trainLine({ ...now, epochs, place, patches, perSecond: imagesPerSecond, etaSeconds }));
    const { board, metrics } = this.#status;
    metrics.training.stepped({ ...now, rate: rateOf(this.#recipe, epoch), images: this.#done - this.#before });
    board.training.update({ ...now, state: 'learning', done: place, patches, imagesPerSecond, etaSeconds });
  }

  validated(patches: number, of: number): void {
    this.#terminal.status(`validation: ${patches}/${of} patches`);
    this.#status.board.training.update({ state: 'validating', done: patches, patches: of });
  }

  epoch(line: EpochLine, history: readonly EpochLine[]): void {
    this.#terminal.line(epochLine(line, this.#recipe.epochs));
    this.#terminal.json({ event: 'epoch', ...line });
    this.#status.metrics.training.epoch(line, bestOf({ history })!.validation.iou);
    this.#status.board.training.learned(history);
  }

  end(why: 'epochs' | 'patience' | 'interrupted', best: EpochLine | undefined, folder: string): void {
    const { line, json } = this.#terminal;
    this.#status.board.training.update({ state: why === 'interrupted' ? why : 'over' });
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
  { epoch, train, validation, unlabelled, best, imagesPerSecond, seconds }: EpochLine,
  epochs: number,
): string {
  const part = (name: string, { loss, iou }: EpochLine['train']): string =>
    `${name} loss ${loss.toFixed(3)} IoU ${iou.toFixed(3)}`;
  const sure = unlabelled ? `  unlabelled ${(100 * unlabelled.confident).toFixed(0)} % sure` : '';
  return `epoch      ${epoch}/${epochs}  ${part('training', train)}  ${part('validation', validation)}${best ? ' *' : ''}${sure}  ${imagesPerSecond.toFixed(2)} images/s, ${clock(seconds)}`;
}
