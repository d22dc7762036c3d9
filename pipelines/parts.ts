import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Observable, type OperatorFunction, Subject } from 'rxjs';
import { Arena } from '../src/arena.js';
import type { Config } from '../src/config/options.js';
import type { EngineEvent } from '../src/engine/pool.js';
import { StromaflowError } from '../src/errors.js';
import type { EventBus } from '../src/event/bus.js';
import { createEvents, type Events } from '../src/event/contract.js';
import type { Model } from '../src/model/model.js';
import type { PatchPlan } from '../src/read/patch.js';
import { ReaderPool } from '../src/read/reader-pool.js';
import { DEFAULT_TISSUE_RULE, type TissueRule } from '../src/read/tissue.js';
import type { SlideInfo } from '../src/slide/slide.js';
import { CreditPool } from '../src/stage/credit.js';
import type { ReadPatch } from '../src/stage/item.js';
import { combineObservers, type PipelineObserver } from '../src/stage/observer.js';
import type { SlideSession } from '../src/stage/session.js';
import type { PatchLabels } from '../src/stage/session-parts.js';
import type { Turns } from '../src/stage/turns.js';
import type { Ledger } from '../src/store/ledger.js';
import { openLedger } from '../src/store/lmdb-ledger.js';
import { openSlideOutput } from '../src/store/output.js';
import type { Workers } from '../src/tasks/workers.js';
import { openTracer } from '../src/trace/open-tracer.js';
import type { Tracer } from '../src/trace/tracer.js';
import { VERSION } from '../src/version.js';
import { openBus } from './buses.js';
import { NormFits } from './fit-norms.js';
import { engineLanes, modelOf, openModelOfWorkers, openModels } from './models.js';
import { checkShape } from './plan-of.js';
import type { ModelParts } from './taken-model.js';
import { handOut, openWorkBus } from './work-bus.js';

/** Everything a graph is made of, opened once and shared by all its slides. */
export interface Parts extends ModelParts {
  readonly config: Config;
  /** What an operator may want to know of the engine. */
  readonly engineEvents: Observable<EngineEvent>;
  /** Slots of the arena: the credits themselves, but where workers have arenas of their own. */
  readonly slots: CreditPool;
  /** Who segments, where this process does not. */
  readonly workers?: Workers;
  /** Requests to try again what failed; absent: nobody can ask. */
  readonly retries?: {
    /** Whoever opens a slide does it in its turn, by its name in lower case. */
    readonly turns: Turns;
    /** Told of a slide that is to be opened once more. */
    onAgain: (slide: string) => void;
  };
  readonly bus: EventBus;
  /** Where traces are wanted. */
  readonly tracer?: Tracer;
  readonly events: Events;
  readonly observer: PipelineObserver;
  /** Where a slide's results go. */
  readonly openOutput: typeof openSlideOutput;
  /** Opens the truth of a slide whose task brings none; undefined where the slide has none. */
  readonly openLabels?: (slide: SlideInfo, plan: PatchPlan) => Promise<PatchLabels | undefined>;
  /** Told of each slide as it enters the graph. */
  readonly onOpened: (session: SlideSession) => void;
  /** Pixels of a slot: patch size² × 3 bytes of RGB, row by row; a patch's own from the reader until it is acknowledged. */
  pixels(slot: number): Uint8Array;
  /**
   * An operator of one's own between reader and model; `reject` makes one. Each patch must come out of it once: one that is kept back holds its
   * credit, and its slide is never done.
   */
  readonly afterRead?: OperatorFunction<ReadPatch, ReadPatch>;
  /** Slides open at the same time. */
  readonly slidesAtOnce: number;
  /** Closes all of it, the bus last and drained. */
  close(): Promise<void>;
}

const SLIDES_AT_ONCE = 4;

/**
 * Opens the parts a configuration asks for, unobserved. What fails cheaply is tried first; what was opened before a
 * failure is closed again.
 */
export async function openParts(
  config: Config,
  given: {
    readonly bus?: EventBus;
    readonly ledger?: Ledger;
    readonly probabilities?: boolean;
    /** Hears what is wrong with traces, which ends nothing. @default nobody */
    readonly onTraces?: (problem: StromaflowError) => void;
    /** The folder that slides are found in; workers may have it elsewhere. @default the working directory */
    readonly root?: string;
  } = {},
): Promise<Parts> {
  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.unshift(part);
    return part;
  };
  const close = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close();
  };

  try {
    const events = createEvents({ prefix: config.prefix, site: config.site, scanner: config.scanner });
    const model = await modelOf(config);
    checkShape(config, model);
    const isIngest = config.role === 'ingest';
    if (isIngest && config['fit-norm'] !== undefined)
      throw new StromaflowError('CONFIG_INVALID', '--fit-norm does not go with --role ingest', {
        fix: 'fit the norms once with stromaflow model freeze, and give every worker that bundle',
      });
    const met = (['overlap', 'open-area', 'close-area'] as const).find(name => (config[name] ?? 0) > 0);
    if (met && isIngest)
      throw new StromaflowError('CONFIG_INVALID', `--${met} does not go with --role ingest`, {
        fix: 'leave it off: workers answer patch by patch, and know nothing of those that touch one',
      });
    const traced = await openTracer(config.otlp, aboutOf(config), given.onTraces ?? (() => undefined));
    const tracer = traced && keep(traced);
    const arena = allocateArena(config, model);
    const engineEvents = new Subject<EngineEvent>();
    const onEvent = (event: EngineEvent): void => engineEvents.next(event);
    if (config.probabilities && isIngest)
      throw new StromaflowError('CONFIG_INVALID', '--probabilities does not go with --role ingest', {
        fix: 'leave it off: workers answer with masks',
      });
    const probabilities = given.probabilities || config.probabilities;
    const setup = { config, arena, probabilities, onEvent };
    const fits = config['fit-norm'] === undefined ? undefined : new NormFits(model, setup);
    const nats = isIngest ? keep(await openWorkBus(config)) : undefined;
    const bus = given.bus ?? nats ?? keep(await openBus(config, 'publisher'));
    const ledger = given.ledger ?? keep(await openLedger(join(config.out, '.ledger')));
    const readers = keep(await ReaderPool.start({ threads: readerThreads(config), arena }));
    const models = keep(
      isIngest && config.engine !== 'null'
        ? await openModelOfWorkers(model, config)
        : await openModels({ ...setup, model }),
    );
    const slots = new CreditPool(arena.shape.slots);
    const rule = tissueRule(config);
    const workers = nats && handOut(config, nats, rule, given.root ?? process.cwd());
    // What stays is let go of with its slide, or with the next start.
    await workers?.sweep((slide, run) => isOpen(ledger, slide, run)).catch(() => undefined);
    return {
      config,
      models,
      ...(fits && { fits }),
      engineEvents,
      readers,
      credits: workers ? new CreditPool(config['tasks-ahead'] * config['task-patches']) : slots,
      slots,
      ...(workers ? { workers } : {}),
      bus,
      ...(tracer ? { tracer } : {}),
      events,
      ledger,
      tissueRule: rule,
      observer: combineObservers([]),
      openOutput: openSlideOutput,
      onOpened: () => undefined,
      say: () => undefined,
      pixels: slot => arena.slot(slot),
      slidesAtOnce: SLIDES_AT_ONCE,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function isOpen(ledger: Ledger, slide: string, run: string): boolean {
  const known = ledger.find(slide);
  return known?.state === 'open' && known.said === run;
}

/** Of all spans: what makes them, and nothing of the host. */
const aboutOf = ({ site, scanner, role }: Config) => ({
  'service.version': VERSION,
  'stromaflow.site': site,
  'stromaflow.scanner': scanner,
  'stromaflow.role': role,
});

/** A batch in each of the engine's lanes, the others filling. */
const WAITING_BATCHES = 2;

/** Room for the batches in flight, and one patch in each reader's hands: fewer could wait for each other. */
function allocateArena(config: Config, model: Model): Arena {
  const batches = config['batches-in-flight'] ?? engineLanes(config) + WAITING_BATCHES;
  const slots = config.batch * batches + readerThreads(config);
  return new Arena({ slots, patchSize: config['patch-size'] ?? model.patchSize });
}

export const readerThreads = (config: Config): number => config.readers || Math.max(1, availableParallelism() - 1);

export function tissueRule(config: Config): TissueRule | null {
  if (config['keep-empty']) return null;
  return {
    saturation: config['tissue-saturation'] ?? DEFAULT_TISSUE_RULE.saturation,
    opticalDensity: config['tissue-od'] ?? DEFAULT_TISSUE_RULE.opticalDensity,
    minFraction: config['tissue-fraction'] ?? DEFAULT_TISSUE_RULE.minFraction,
  };
}
