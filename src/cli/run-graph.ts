import { setTimeout as sleep } from 'node:timers/promises';
import { concatMap, lastValueFrom, type Observable, toArray } from 'rxjs';
import { openParts, type Parts } from '../../pipelines/parts.js';
import type { SlideResult } from '../../pipelines/run-slide.js';
import type { EventBus } from '../event/bus.js';
import { describeEvent } from '../event/describe.js';
import type { ModelBundle } from '../model/bundle.js';
import { combineObservers } from '../stage/observer.js';
import { StatusBoard } from '../status/board.js';
import { createMetrics, type Metrics } from '../status/metrics.js';
import { type BusObserver, observeBus } from '../status/observe-bus.js';
import type { Readiness } from '../status/report.js';
import { startStatusServer } from '../status/server.js';
import type { Ledger } from '../store/ledger.js';
import { VERSION } from '../version.js';
import type { CommandContext } from './command.js';
import { followModel } from './follow-model.js';
import { ProgressCounter, progressLine } from './progress.js';
import { exitStatus, printResult } from './results.js';
import { type EngineSupervision, superviseEngine } from './supervise-engine.js';
import type { Terminal } from './terminal.js';

export interface GraphOptions {
  /** Print every event as it comes back from the bus. @default false */
  readonly printEvents?: boolean;
  /** Print failures only, not each slide that is completed. @default false */
  readonly quiet?: boolean;
  /** Used instead of the one on disk. */
  readonly ledger?: Ledger;
  /** The engine gives probabilities too. @default false */
  readonly probabilities?: boolean;
  /** Take up a new model when the bundle changes, or on SIGHUP. @default false */
  readonly followsModel?: boolean;
  /** The folder that is watched: why it is away, undefined while it is there. */
  readonly folder?: { readonly reason: string | undefined };
  /** How the truth of a slide is found; see Parts.openLabels. */
  readonly labelsFor?: (bundle: ModelBundle) => Parts['openLabels'];
}

/** Time between two drawings of the progress line. */
const REDRAW_MS = 200;
/** Time for the last events to come back from the server. */
const LAST_EVENTS_MS = 50;

/**
 * Opens the parts, watches them (metrics, status endpoint, progress), runs one graph over them and prints its results.
 * Resolves to the exit status; whatever happens, the parts are closed.
 */
export async function runGraph(
  { config, terminal, signal }: CommandContext,
  graph: (parts: Parts, signal: AbortSignal) => Observable<SlideResult>,
  {
    printEvents = false,
    quiet = false,
    ledger,
    probabilities = false,
    followsModel = false,
    folder,
    labelsFor,
  }: GraphOptions = {},
): Promise<number> {
  const bare = await openParts(config, { ...(ledger && { ledger }), probabilities });
  const cleanUps: (() => Promise<void>)[] = [() => bare.close()];
  try {
    const { bus, models } = bare;
    const engine = () => models.current.segmenter.info;
    const info = engine();
    terminal.line(`engine     ${info.name} ${info.version} on ${info.device}, ${info.model} ${info.modelVersion}`);
    if (info.choice) terminal.line(`           ${info.choice}`);
    const metrics = createMetrics({
      version: VERSION,
      engine,
      connected: () => bus.connected,
      ...(folder && { folderUp: () => folder.reason === undefined }),
    });
    const board = new StatusBoard({ version: VERSION, bus, engine });
    const progress = new ProgressCounter();
    signal.addEventListener('abort', () => board.drain(), { once: true });
    const openLabels = labelsFor?.(models.current.bundle);
    const parts = { ...watched(bare, metrics, board, progress), ...(openLabels && { openLabels }) };
    const supervision = superviseEngine(bare.engineEvents, event => {
      metrics.engineEvent(event);
      if (event.type === 'gave-up') board.fail(event.error);
    });
    cleanUps.unshift(async () => supervision.stop());

    if (config.port !== undefined) {
      const server = await startStatusServer({
        host: config.host,
        port: config.port,
        metrics,
        status: () => board.report(),
        grid: slide => board.grid(slide),
        readiness: () => readiness(bus, board, supervision, folder),
      });
      cleanUps.unshift(() => server.close());
      terminal.line(`status     ${server.url}`);
    }
    if (printEvents) cleanUps.unshift(startPrinting(parts, terminal));
    const redraw = setInterval(() => {
      if (progress.state.expected > 0) terminal.status(progressLine(progress.state));
    }, REDRAW_MS);
    cleanUps.unshift(async () => clearInterval(redraw));

    // A graph that was left early (the demo stops after one slide) must let go of its folder and its timers too.
    const over = new AbortController();
    cleanUps.unshift(async () => over.abort());
    if (followsModel) cleanUps.unshift(followModel(bare, terminal, metrics.modelReloaded));
    const results = await lastValueFrom(
      graph(parts, AbortSignal.any([signal, over.signal, supervision.signal])).pipe(
        concatMap(async result => {
          if (result.state === 'failed') board.fail(result.error);
          if (!(quiet && result.state === 'completed')) await printResult(result, terminal);
          return result;
        }),
        toArray(),
      ),
    );
    return supervision.failure?.exitCode ?? exitStatus(results, signal);
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

function readiness(
  bus: EventBus,
  board: StatusBoard,
  { failure }: EngineSupervision,
  folder: GraphOptions['folder'],
): Readiness {
  const unless = (reason: string | false | undefined) => (reason ? { ready: false, reason } : { ready: true });
  return {
    components: {
      bus: unless(!bus.connected && `${bus.description} is away`),
      engine: unless(failure?.message),
      ...(folder && { folder: unless(folder.reason) }),
      accepting: unless(board.draining && 'draining'),
    },
  };
}

function watched(parts: Parts, metrics: Metrics, board: StatusBoard, progress: ProgressCounter): Parts {
  return {
    ...parts,
    observer: combineObservers([metrics.observer, board.observer, progress]),
    bus: observeBus(parts.bus, [metrics.busObserver, board.busObserver, deadLetters]),
    onOpened: session => progress.expect(session.plan.cols * session.plan.rows, session.resumedPatches),
  };
}

/** A patch that is given up on is said at once, not only counted in the end. */
const deadLetters: BusObserver = {
  publishing: () => undefined,
  published: ({ content }) => {
    if (content?.kind !== 'dlq') return;
    const { slide, patch, error } = content.letter;
    const where = patch ? `${slide} patch ${patch.col},${patch.row}` : slide;
    process.stderr.write(`stromaflow: ${where}: ${error.message} [${error.code}] ${error.fix}\n`);
  },
};

/** Prints the events as a subscriber gets them; the function that is returned stops it. */
function startPrinting({ bus, config }: Parts, terminal: Terminal): () => Promise<void> {
  const stop = new AbortController();
  const printing = (async () => {
    for await (const event of bus.subscribe(`${config.prefix}.>`, stop.signal)) terminal.line(describeEvent(event));
  })();
  return async () => {
    await sleep(LAST_EVENTS_MS);
    stop.abort();
    await printing;
  };
}
