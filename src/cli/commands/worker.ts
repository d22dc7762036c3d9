import { resolve } from 'node:path';
import { lastValueFrom, tap } from 'rxjs';
import { remoteOptions } from '../../../pipelines/name-slides.js';
import { openParts } from '../../../pipelines/parts.js';
import { openWorkBus } from '../../../pipelines/work-bus.js';
import { work } from '../../../pipelines/worker.js';
import { isAddress } from '../../slide/remote/address.js';
import { createMemoryLedger } from '../../store/memory-ledger.js';
import { TaskQueue } from '../../tasks/task-queue.js';
import { TileMirror } from '../../tasks/tile-mirror.js';
import { type Command, FLOW, GENERAL, MODEL, NATS, STATUS } from '../command.js';
import { StatusEndpoint } from '../status-endpoint.js';
import { superviseEngine } from '../supervise-engine.js';
import { timed } from '../terminal.js';

/** A task that is read while another is segmented. */
const LANES = 2;

export const worker: Command = {
  usage: 'worker',
  summary: 'segment patches that watch or segment --role ingest hands out over NATS',
  notes: `Takes tasks for its own model from the queue, any number of workers on any number of machines. Reads the slides where ingest has
them, or below --source where the folder is mounted elsewhere, or served by a web server (https://…, with all that it takes to be let in). After SIGTERM it finishes what is in hand; one that is killed loses nothing: its tasks
go to others after --task-timeout.`,
  options: [
    ...NATS,
    'prefix',
    'source',
    'http-timeout',
    'task-timeout',
    'task-tries',
    ...MODEL,
    'patch-size',
    ...FLOW,
    ...STATUS,
    ...GENERAL,
  ],
  async run({ config: given, terminal: plain, signal }) {
    const config = { ...given, role: 'all' };
    const terminal = timed(plain);
    const status = await StatusEndpoint.open(config, terminal, undefined);
    const bus = await openWorkBus(config);
    const cleanUps: (() => Promise<void>)[] = [() => status.close(), () => bus.close()];
    try {
      const parts = await openParts(config, {
        ...{ bus, ledger: createMemoryLedger() },
        onTraces: ({ line }) => terminal.problem(line),
      });
      cleanUps.push(() => parts.close());
      const { info } = parts.models.current.segmenter;
      await TileMirror.sweep();
      terminal.line(`engine     ${info.name} ${info.version} on ${info.device}, ${info.model} ${info.modelVersion}`);
      terminal.line(`tasks      ${bus.description}, for model ${info.modelVersion}`);
      const supervision = superviseEngine(parts.engineEvents, status.metrics.engineEvent, terminal.problem);
      cleanUps.push(async () => supervision.stop());
      status.opened(parts, supervision);
      const queue = new TaskQueue({
        connection: bus.connection,
        prefix: config.prefix,
        modelVersion: info.modelVersion,
        timeoutSeconds: config['task-timeout'],
      });
      await queue.open();
      const over = status.metrics.sharing.works(queue);
      const { source } = config;
      const mounted = source === undefined || isAddress(source) ? source : resolve(source);
      const options = { queue, lanes: LANES, mounted, remote: remoteOptions(config), tries: config['task-tries'] };
      const observed = { ...parts, observer: status.metrics.observer };
      let tasks = 0;
      let patches = 0;
      await lastValueFrom(
        work(observed, options, AbortSignal.any([signal, supervision.signal])).pipe(
          tap(result => {
            over(result.state);
            if (result.error) terminal.problem(`${result.state}: ${result.error.line}`);
            if (result.state !== 'done') return;
            tasks += 1;
            patches += result.patches;
          }),
        ),
        { defaultValue: undefined },
      );
      terminal.line(`done       ${patches} patches of ${tasks} tasks`);
      return supervision.failure?.exitCode ?? (signal.aborted ? 130 : 0);
    } finally {
      for (const cleanUp of cleanUps.reverse()) await cleanUp();
    }
  },
};
