// One of those that share a slide, made to be measured, stopped and killed. Its argument is JSON: role (alone, ingest or worker), nats, out, and
// for who has the slide `slide`, `ids` (it is done once under each); more options under `config`, `serviceMs` that a batch takes at least, `clockMs` that its clock is off.
// Says one JSON value a line on what happens, with its processor time so far in µs.
import { lastValueFrom, of, tap, toArray } from 'rxjs';
import { keepEvents } from '#pipelines/keep-events.js';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openWorkBus } from '#pipelines/work-bus.js';
import { work } from '#pipelines/worker.js';
import { toStromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { TaskQueue } from '#src/tasks/task-queue.js';
import { configWith, slowedBy } from './support.mjs';

const {
  role,
  nats,
  out,
  slide,
  ids = ['slide'],
  config: more = {},
  serviceMs = 0,
  clockMs = 0,
  quiet = false,
} = JSON.parse(process.argv[2]);

if (clockMs !== 0) shiftClock(clockMs);

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const config = await configWith({
  out,
  role: role === 'ingest' ? 'ingest' : 'all',
  ...(role === 'alone' ? {} : { nats }),
  ...more,
});

try {
  await (role === 'worker' ? beWorker() : haveSlide());
} catch (error) {
  say('failed', { code: toStromaflowError(error).code, message: toStromaflowError(error).message });
  process.exitCode = 1;
}

async function haveSlide() {
  const opened = await openParts(config);
  const parts = {
    ...(serviceMs > 0 && role === 'alone' ? slowedBy(serviceMs, opened) : opened),
    onOpened: session => {
      say('opened', { patches: session.plan.cols * session.plan.rows });
      void session.drained.then(() => say('drained'));
    },
  };
  const keeping = keepEvents(opened);
  await keeping.compared;
  say('ready');
  const told = quiet ? parts : { ...parts, bus: telling(opened.bus) };
  const tasks = ids.map(id => ({ path: slide, id, open: () => openSlide(slide, { id, mpp: more.mpp }) }));
  const results = segmentSlides(of(...tasks), { ...told, slidesAtOnce: 1 }, stop.signal);
  const result = (await lastValueFrom(results.pipe(toArray()))).at(-1);
  await keeping.settled();
  await keeping.stop();
  say('over', { state: result.state, code: result.error?.code, message: result.error?.message });
  await opened.close();
  if (result.state !== 'completed' && result.state !== 'done-before') process.exitCode = 1;
}

async function beWorker() {
  const bus = await openWorkBus(config);
  const opened = await openParts(config, { bus, ledger: createMemoryLedger() });
  const { modelVersion } = opened.models.current.segmenter.info;
  const queue = new TaskQueue({
    ...{ connection: bus.connection, prefix: config.prefix, modelVersion },
    timeoutSeconds: config['task-timeout'],
  });
  await queue.open();
  say('ready');
  // One batch at a time, as an engine does it.
  const parts = serviceMs > 0 ? slowedBy(serviceMs, opened, true) : opened;
  const options = {
    queue: { take: signal => taken(queue.take(signal)) },
    lanes: 2,
    mounted: undefined,
    tries: config['task-tries'],
  };
  await lastValueFrom(
    work(parts, options, stop.signal).pipe(tap(({ state, patches }) => say('done', { state, patches }))),
    {
      defaultValue: undefined,
    },
  );
  say('over');
  await opened.close();
  await bus.close();
}

/** Tells of each mask that was published and taken. */
function telling(bus) {
  return {
    description: bus.description,
    get connected() {
      return bus.connected;
    },
    get kept() {
      return bus.kept;
    },
    publish: async (event, signal) => {
      await bus.publish(event, signal);
      if (event.type === 'stromaflow.mask.v1') say('mask', { place: event.subject.split('.').slice(-2).map(Number) });
    },
    subscribe: (pattern, signal) => bus.subscribe(pattern, signal),
    close: () => bus.close(),
  };
}

/** Tells of each task that is taken. */
async function* taken(tasks) {
  for await (const one of tasks) {
    say('taken', { patches: one.task.patches });
    yield one;
  }
}

function say(event, more = {}) {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${JSON.stringify({ event, cpu: user + system, ...more })}\n`);
}

function shiftClock(ms) {
  const now = Date.now.bind(Date);
  const Real = Date;
  class Shifted extends Real {
    constructor(...given) {
      if (given.length === 0) super(now() + ms);
      else super(...given);
    }
    static now() {
      return now() + ms;
    }
  }
  globalThis.Date = Shifted;
}
