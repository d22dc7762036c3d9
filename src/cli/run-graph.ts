import { setTimeout as sleep } from 'node:timers/promises';
import { concatMap, lastValueFrom, type Observable, toArray } from 'rxjs';
import { keepEvents } from '../../pipelines/keep-events.js';
import { openParts, type Parts } from '../../pipelines/parts.js';
import { Retries, type RetryResult } from '../../pipelines/retries.js';
import type { SlideResult } from '../../pipelines/slide-result.js';
import { toStromaflowError } from '../errors.js';
import { describeEvent } from '../event/describe.js';
import type { Model } from '../model/model.js';
import { combineObservers } from '../stage/observer.js';
import type { StatusBoard } from '../status/board.js';
import type { Metrics } from '../status/metrics.js';
import { type BusObserver, observeBus } from '../status/observe-bus.js';
import { AreasCsv } from '../store/areas-csv.js';
import type { Ledger } from '../store/ledger.js';
import type { SlideShelf } from '../view/shelf.js';
import { closingLine, closingOf } from './closing.js';
import type { CommandContext } from './command.js';
import { followModel } from './follow-model.js';
import { ProgressCounter, progressLine } from './progress.js';
import { exitStatus, keepAreas, printResult } from './results.js';
import { ServiceLog } from './service-log.js';
import { StatusEndpoint, type WatchedFolder } from './status-endpoint.js';
import { superviseEngine } from './supervise-engine.js';
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
  /** Logs as a service does: each slide that is opened, the bus away and back. @default false */
  readonly log?: boolean;
  /** Stands before the progress of the patches. */
  readonly note?: () => string;
  /** What starting again after an interruption does. @default the same command goes on from there */
  readonly again?: string;
  /** The folder that is watched: why it is away, undefined while it is there. */
  readonly folder?: WatchedFolder;
  /** The folder that slides are found in; see openParts. */
  readonly root?: string;
  /** How the truth of a slide is found; see Parts.openLabels. */
  readonly labelsFor?: (model: Model) => Parts['openLabels'];
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
    root,
    log = false,
    note = () => '',
    again,
  }: GraphOptions = {},
): Promise<number> {
  const status = await StatusEndpoint.open(config, terminal, folder);
  if (status.viewer !== undefined) terminal.line(`viewer     ${status.viewer}  (slides and masks, live)`);
  if (log) await status.recall(config.out);
  const { metrics, board, shelf } = status;
  signal.addEventListener('abort', () => board.drain(), { once: true });
  const cleanUps: (() => Promise<void>)[] = [() => status.close()];
  try {
    const bare = await openParts(config, {
      ...(ledger && { ledger }),
      ...(root !== undefined && { root }),
      probabilities,
      onTraces: ({ line }) => terminal.problem(line),
    });
    cleanUps.push(() => bare.close());
    const { bus, models } = bare;
    const info = models.current.segmenter.info;
    terminal.line(`engine     ${info.name} ${info.version} on ${info.device}, ${info.model} ${info.modelVersion}`);
    if (info.choice) terminal.line(`           ${info.choice}`);
    if (config.nats !== undefined) terminal.line(`events     ${bus.description}`);
    const keeping = keepEvents(bare, {
      onKept: ({ masks, others, lost }) => {
        terminal.line(`events     published again what the streams lacked: ${masks} masks, ${others} other events`);
        if (lost > 0) terminal.problem(`${lost} masks cannot be published again: they are not in the slides' files`);
      },
      onError: error => terminal.problem(error.line),
    });
    cleanUps.unshift(() => keeping.stop());
    // Before slides are opened anew, so that nothing of an earlier run comes to stand behind a new one.
    await keeping.compared;
    const retries = new Retries(bare);
    cleanUps.unshift(() => retries.close());
    await retries.begin(
      result => terminal.line(`retry      ${retryLine(result)}`),
      error => terminal.problem(toStromaflowError(error, 'EVENTS_STREAM').line),
    );
    if (bare.workers) bare.workers.onAgain = metrics.sharing.handsOut(bare.workers);
    const progress = new ProgressCounter();
    const openLabels = labelsFor?.(models.current.model);
    const service = log ? new ServiceLog(terminal, bus) : undefined;
    const parts = {
      ...watched(bare, metrics, board, progress, terminal, service, shelf),
      ...(openLabels && { openLabels }),
      retries,
    };
    const supervision = superviseEngine(
      bare.engineEvents,
      event => {
        metrics.engineEvent(event);
        if (event.type === 'gave-up') board.fail(event.error);
      },
      terminal.problem,
    );
    cleanUps.unshift(async () => supervision.stop());
    status.opened(bare, supervision);
    if (printEvents) cleanUps.unshift(startPrinting(parts, terminal));
    const redraw = setInterval(() => {
      service?.look();
      const said = note();
      if (progress.state.expected > 0) terminal.status(`${said}${progressLine(progress.state)}`);
      else if (said !== '') terminal.status(said);
    }, REDRAW_MS);
    cleanUps.unshift(async () => clearInterval(redraw));

    // A graph that was left early (the demo stops after one slide) must let go of its folder and its timers too.
    const over = new AbortController();
    cleanUps.unshift(async () => over.abort());
    if (followsModel) cleanUps.unshift(followModel(bare, terminal, metrics.modelReloaded));
    // A replay keeps no results of slides.
    const areas = ledger ? undefined : new AreasCsv(config.out);
    let areasKept = true;
    const results = await lastValueFrom(
      graph(parts, AbortSignal.any([signal, over.signal, supervision.signal])).pipe(
        concatMap(async result => {
          if (result.state === 'failed') board.fail(result.error);
          if (!(quiet && result.state === 'completed')) await printResult(result, terminal, again);
          if (areas) areasKept = (await keepAreas(areas, result, terminal)) && areasKept;
          return result;
        }),
        toArray(),
      ),
    );
    // What the server lost meanwhile is there again before this ends.
    if (!signal.aborted) {
      const interrupted = new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
      await Promise.race([keeping.settled(), interrupted]);
    }
    // Whoever stops a service wants to know what it did, were it nothing.
    if ((log || results.length > 1) && !quiet) {
      const closing = closingOf(results);
      terminal.line(closingLine(closing));
      terminal.json({ event: 'over', ...closing });
    }
    return supervision.failure?.exitCode ?? (exitStatus(results, signal) || (areasKept ? 0 : 1));
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

function watched(
  parts: Parts,
  metrics: Metrics,
  board: StatusBoard,
  progress: ProgressCounter,
  terminal: Terminal,
  service: ServiceLog | undefined,
  shelf: SlideShelf | undefined,
): Parts {
  const viewed = shelf ? [shelf.busObserver] : [];
  return {
    ...parts,
    observer: combineObservers([metrics.observer, board.observer, progress, ...(shelf ? [shelf.observer] : [])]),
    bus: observeBus(parts.bus, [metrics.busObserver, board.busObserver, ...viewed, deadLetters(terminal)]),
    say: terminal.line,
    onOpened: session => {
      progress.expect(session.plan.cols * session.plan.rows, session.resumedPatches);
      service?.opened(session);
      shelf?.opened(session);
      board.opened(session);
    },
  };
}

function retryLine(result: RetryResult): string {
  const { slide } = result;
  if (result.state === 'again') return `${slide}: ${result.patches} patches that failed are due again`;
  if (result.state === 'whole') return `${slide}: nothing of it failed`;
  return `${slide}: ${result.state === 'unknown' ? 'is not in this ledger' : 'has another run now'}; nothing is tried again`;
}

/** A patch that is given up on is said at once, not only counted in the end. */
const deadLetters = ({ problem }: Terminal): BusObserver => ({
  publishing: () => undefined,
  published: ({ content }) => {
    if (content?.kind !== 'dlq') return;
    const { slide, patch, error } = content.letter;
    const where = patch ? `${slide} patch ${patch.col},${patch.row}` : slide;
    problem(`${where}: ${error.message} [${error.code}] ${error.fix}`);
  },
});

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
