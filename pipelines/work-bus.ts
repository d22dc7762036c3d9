import type { Config } from '../src/config/options.js';
import { StromaflowError } from '../src/errors.js';
import { connectNatsBus, type NatsBus } from '../src/event/nats-bus.js';
import type { TissueRule } from '../src/read/tissue.js';
import { toldElsewhere } from '../src/slide/remote/description.js';
import { HandOut } from '../src/tasks/hand-out.js';
import { WorkSubjects } from '../src/tasks/task.js';
import { natsOptions } from './buses.js';

/** The bus of one that shares its work: JetStream, with the streams for it. */
export async function openWorkBus(config: Config): Promise<NatsBus> {
  const options = natsOptions(config);
  if (!options) {
    throw new StromaflowError('USAGE', 'work is shared over NATS: --nats <url> is needed', {
      fix: 'for example --nats nats://127.0.0.1:4222, after stromaflow events setup --for-workers there',
    });
  }
  return connectNatsBus({ ...options, publish: 'jetstream', work: true, prefix: config.prefix });
}

/** Who hands patches out over a bus. @param root folder that slides are found in */
export function handOut(config: Config, bus: NatsBus, rule: TissueRule | null, root: string): HandOut {
  const { prefix, site, scanner } = config;
  return new HandOut({
    ...{ bus, prefix, connection: bus.connection },
    subjects: new WorkSubjects(prefix, { site, scanner }),
    patches: config['task-patches'],
    delayMs: config['batch-delay'],
    shipBytes: config.ship === 'tiles' ? config['ship-bytes'] : undefined,
    briefOf: ({ slide: info, source, plan }) => ({ info, source: toldElsewhere(source!), plan, rule, root }),
  });
}
