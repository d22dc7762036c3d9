import { CreditPool } from '../src/stage/credit.js';
import { drawAugmentation, GEOMETRIC } from '../src/train/augmentation.js';
import { type MicroBatchOptions, microBatches } from '../src/train/micro-batches.js';
import { DRAWS, seedOf, unlabelledOrder } from '../src/train/order.js';
import type { TrainBatch, Trainer } from '../src/train/port.js';
import { type PseudoBatch, pseudoLabels } from '../src/train/pseudo-labels.js';
import type { RunRecipe } from '../src/train/recipe.js';
import type { SampleThreads } from '../src/train/sample-threads.js';
import type { UnlabelledIndex } from '../src/train/unlabelled-index.js';

export interface PseudoSourceOptions {
  readonly index: Pick<UnlabelledIndex, 'items' | 'patches'>;
  readonly threads: Pick<SampleThreads, 'read' | 'slot'>;
  /** Of the threads' slots, two runs of `slots` from here on are this source's. */
  readonly firstSlot: number;
  readonly slots: number;
  readonly trainer: Pick<Trainer, 'teach'>;
  readonly recipe: RunRecipe;
  readonly side: number;
}

/** Views of a patch: the teacher sees it turned, mirrored and scaled, the network with its colours changed as well. */
const VIEWS = 2;

/**
 * Unlabelled patches with a teacher's labels: in an epoch as many as there are labelled ones, in batches of the same sizes. Which patches, in which order and how changed,
 * follows from (seed, epoch, place), as for labelled ones.
 */
export class PseudoSource {
  readonly #options: PseudoSourceOptions;
  readonly #credits: readonly CreditPool[];

  constructor(options: PseudoSourceOptions) {
    this.#options = options;
    this.#credits = Array.from({ length: VIEWS }, () => new CreditPool(options.slots));
  }

  /** @param places labelled patches of the epoch; `from` those that are done */
  epoch(epoch: number, places: number, from: number): PseudoEpoch {
    const { index, threads, recipe, side, firstSlot, slots, trainer } = this.#options;
    const { seed, augment, batch } = recipe;
    const order = unlabelledOrder(index.patches.length, places, seed, epoch);
    const drawn = seedOf(seed, DRAWS.unlabelled);
    const views = [augment.filter(kind => GEOMETRIC.includes(kind)), augment].map((kinds, view) => {
      const first = firstSlot + view * slots;
      const options: MicroBatchOptions = {
        ...{ index, side, size: batch, credits: this.#credits[view]!, signal: NEVER },
        change: place => drawAugmentation(kinds, drawn, epoch, place),
        threads: {
          read: job => threads.read({ ...job, slot: first + job.slot }),
          slot: slot => threads.slot(first + slot),
        },
      };
      return microBatches(index.patches, order, from, options);
    });
    return new PseudoEpoch(views, trainer, recipe.pseudo!.threshold);
  }
}

const NEVER = new AbortController().signal;

type Batches = AsyncGenerator<TrainBatch, void, undefined>;

/** The batches of one epoch. */
export class PseudoEpoch {
  readonly #views: readonly Batches[];
  readonly #trainer: Pick<Trainer, 'teach'>;
  readonly #threshold: number;

  constructor(views: readonly Batches[], trainer: Pick<Trainer, 'teach'>, threshold: number) {
    this.#views = views;
    this.#trainer = trainer;
    this.#threshold = threshold;
  }

  /** So many batches more, labelled by the teacher as it is now. */
  async take(count: number): Promise<PseudoBatch[]> {
    const taken: PseudoBatch[] = [];
    while (taken.length < count) {
      const [seen, shown] = (await Promise.all(this.#views.map(view => view.next()))).map(({ value }) => value);
      if (!seen || !shown) break;
      taken.push(pseudoLabels(shown, await this.#trainer.teach(seen), this.#threshold));
    }
    return taken;
  }

  async close(): Promise<void> {
    await Promise.all(this.#views.map(view => view.return()));
  }
}
