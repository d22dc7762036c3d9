import type { JetStreamManager } from '@nats-io/jetstream';
import { natsOptions } from '../../../pipelines/buses.js';
import type { Config } from '../../config/options.js';
import { StromaflowError } from '../../errors.js';
import { openConnection, parseNatsUrl } from '../../event/nats-connect.js';
import type { StreamLimits } from '../../event/stream/layout.js';
import {
  checkStreams,
  describeFinding,
  NoJetStream,
  openManager,
  type SetupResult,
  setupStreams,
} from '../../event/stream/setup.js';
import { type Command, type CommandContext, GENERAL, NATS, STREAMS } from '../command.js';

export const eventsSetup: Command = {
  usage: 'events setup',
  group: 'the JetStream streams that keep events',
  summary: 'make the streams that keep events, or bring them to the limits given',
  notes: `Makes <prefix>_masks, <prefix>_latest and <prefix>_slides where they are not there, and gives those it once made the limits of
the options. A stream that somebody else made is named and left as it is. With --for-workers those of shared work, too (docs/scaling.md). Doing it again changes
nothing.`,
  options: [...NATS, 'prefix', ...STREAMS, 'for-workers', ...GENERAL],
  run: context =>
    withManager(context, manager =>
      setupStreams(manager, context.config.prefix, limits(context.config), context.config['for-workers']),
    ),
};

export const eventsCheck: Command = {
  usage: 'events check',
  summary: 'say how the streams that keep events differ from what they should be',
  notes: 'Changes nothing. Exits with 1 when a stream is not there, is somebody else’s, or differs.',
  options: [...NATS, 'prefix', ...STREAMS, 'for-workers', ...GENERAL],
  run: context =>
    withManager(context, manager =>
      checkStreams(manager, context.config.prefix, limits(context.config), context.config['for-workers']),
    ),
};

const limits = (config: Config): StreamLimits => ({
  days: config['stream-days'],
  bytes: config['stream-bytes'],
  replicas: config['stream-replicas'],
  storage: config['stream-storage'] as StreamLimits['storage'],
});

async function withManager(
  { config, terminal, signal }: CommandContext,
  work: (manager: JetStreamManager) => Promise<readonly SetupResult[]>,
): Promise<number> {
  const options = natsOptions(config);
  if (!options) {
    throw new StromaflowError('USAGE', 'streams are on a NATS server: --nats <url> is needed', {
      fix: 'for example stromaflow events setup --nats nats://127.0.0.1:4222',
    });
  }
  const nc = await openConnection({ ...options, signal });
  try {
    const manager = await openManager(nc).catch((error: unknown) => {
      if (!(error instanceof NoJetStream)) throw error;
      const message = `${parseNatsUrl(options.url).shown}: JetStream is not enabled`;
      const fix = 'start it with nats-server -js, or enable JetStream for this account';
      throw new StromaflowError('EVENTS_STREAM', message, { cause: error, fix });
    });
    let status = 0;
    for (const result of await work(manager)) {
      const { layout, state, done, error, differences, by } = result;
      const lines = done === undefined || done === 'changed' ? describeFinding(result) : [];
      for (const line of lines) terminal.line(line);
      if (done !== undefined) terminal.line(`stream ${layout.name} ${done}`);
      if (error) terminal.problem(error.line);
      if (done === undefined && state !== 'equal') status = 1;
      const failure = error && { error: { code: error.code, message: error.message } };
      terminal.json({ stream: layout.name, state, differences, ...(by && { by }), ...(done && { done }), ...failure });
    }
    return status;
  } finally {
    await nc.close();
  }
}
