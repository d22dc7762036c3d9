import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../src/config/options.js';
import { createSegmenter } from '../src/engine/create.js';
import type { Segmenter } from '../src/engine/segmenter.js';
import { StromaflowError } from '../src/errors.js';
import type { EventBus } from '../src/event/bus.js';
import { createEvents, type Events } from '../src/event/contract.js';
import { createMemoryBus } from '../src/event/memory-bus.js';
import { connectNatsBus } from '../src/event/nats-bus.js';
import { loadBundle, type ModelBundle } from '../src/model/bundle.js';
import type { PatchPlan } from '../src/slide/patch.js';
import { ReaderPool } from '../src/slide/reader-pool.js';
import type { SlideInfo } from '../src/slide/slide.js';
import { DEFAULT_TISSUE_RULE, type TissueRule } from '../src/slide/tissue.js';
import { Arena } from '../src/stage/arena.js';
import { EngineGate } from '../src/stage/batch.js';
import { CreditPool } from '../src/stage/credit.js';
import { combineObservers, type PipelineObserver } from '../src/stage/observer.js';
import type { PatchLabels, SlideSession } from '../src/stage/session.js';
import type { Ledger } from '../src/store/ledger.js';
import { openLedger } from '../src/store/lmdb-ledger.js';
import { openSlideOutput } from '../src/store/output.js';

/** Everything a graph is made of, opened once and shared by all its slides. */
export interface Parts {
  readonly config: Config;
  readonly bundle: ModelBundle;
  readonly segmenter: Segmenter;
  readonly readers: ReaderPool;
  readonly credits: CreditPool;
  readonly gate: EngineGate;
  readonly bus: EventBus;
  readonly events: Events;
  readonly ledger: Ledger;
  /** Null keeps every patch. */
  readonly tissueRule: TissueRule | null;
  readonly observer: PipelineObserver;
  /** Where a slide's results go. */
  readonly openOutput: typeof openSlideOutput;
  /** Opens the truth of a slide whose task brings none; undefined where the slide has none. */
  readonly openLabels?: (slide: SlideInfo, plan: PatchPlan) => Promise<PatchLabels | undefined>;
  /** Told of each slide as it enters the graph. */
  readonly onOpened: (session: SlideSession) => void;
  /** Slides open at the same time. */
  readonly slidesAtOnce: number;
  /** Closes all of it, the bus last and drained. */
  close(): Promise<void>;
}

/** The starter bundle that is shipped with the package. */
export const STARTER_MODEL = fileURLToPath(new URL('../../models/stroma-fpn-resnet34-starter', import.meta.url));

const SLIDES_AT_ONCE = 4;

/**
 * Opens the parts a configuration asks for, unobserved. What fails cheaply is tried first; what was opened before a
 * failure is closed again.
 */
export async function openParts(
  config: Config,
  given: { readonly bus?: EventBus; readonly ledger?: Ledger; readonly probabilities?: boolean } = {},
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
    const bundle = await loadBundle(config.model ?? STARTER_MODEL);
    const bus = given.bus ?? keep(await openBus(config));
    const ledger = given.ledger ?? keep(await openLedger(join(config.out, '.ledger')));
    const arena = allocateArena(config, bundle);
    const readers = keep(await ReaderPool.start({ threads: readerThreads(config), arena }));
    const threads = config.threads || availableParallelism();
    const { probabilities = false } = given;
    const { engine, batch, workers, half } = config;
    const devices = config.devices === undefined ? {} : { devices: parseDevices(config.devices) };
    const segmenter = keep(
      await createSegmenter({
        engine,
        model: bundle.path,
        arena,
        batch,
        threads,
        workers,
        half,
        probabilities,
        ...devices,
      }),
    );
    return {
      config,
      bundle,
      segmenter,
      readers,
      credits: new CreditPool(arena.shape.slots),
      gate: new EngineGate(1),
      bus,
      events,
      ledger,
      tissueRule: tissueRule(config),
      observer: combineObservers([]),
      openOutput: openSlideOutput,
      onOpened: () => undefined,
      slidesAtOnce: SLIDES_AT_ONCE,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The bus a configuration names: NATS, or the one in this process. */
export async function openBus(config: Config): Promise<EventBus> {
  const { nats: url, 'nats-creds': credsFile, 'nats-ca': caFile, 'nats-cert': certFile, 'nats-key': keyFile } = config;
  if (url === undefined) return createMemoryBus();
  const tls = { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) };
  const secured = Object.keys(tls).length > 0;
  return connectNatsBus({ url, ...(credsFile && { credsFile }), ...(secured && { tls }) });
}

/** One batch in the engine, the others filling, and one patch in each reader's hands: fewer could wait for each other. */
function allocateArena(config: Config, bundle: ModelBundle): Arena {
  const slots = config.batch * config['batches-in-flight'] + readerThreads(config);
  return new Arena({ slots, patchSize: config['patch-size'] ?? bundle.patchSize });
}

const readerThreads = (config: Config): number => config.readers || Math.max(1, availableParallelism() - 1);

function tissueRule(config: Config): TissueRule | null {
  if (config['keep-empty']) return null;
  return {
    saturation: config['tissue-saturation'] ?? DEFAULT_TISSUE_RULE.saturation,
    opticalDensity: config['tissue-od'] ?? DEFAULT_TISSUE_RULE.opticalDensity,
    minFraction: config['tissue-fraction'] ?? DEFAULT_TISSUE_RULE.minFraction,
  };
}

/** `--devices`: numbers of GPUs. Throws CONFIG_INVALID. */
export function parseDevices(list: string): number[] {
  const devices = list.split(',').map(Number);
  if (devices.some(device => !Number.isInteger(device) || device < 0) || list.trim() === '') {
    throw new StromaflowError(
      'CONFIG_INVALID',
      `devices: expected numbers of GPUs such as 0,1, got ${JSON.stringify(list)}`,
    );
  }
  return devices;
}
