import { openBus } from '../../../pipelines/buses.js';
import { StromaflowError } from '../../errors.js';
import { eventFacts, timedLine } from '../../event/describe.js';
import { type Command, GENERAL, NATS } from '../command.js';

/** Prints events as they come: lines for people, or the events themselves as JSON lines. */
export const tail: Command = {
  usage: 'tail [subject]',
  summary: 'print events from NATS as they come',
  notes: `The subject is a NATS pattern: * stands for one token, > for the rest. Without it every event below --prefix is
printed. --json prints each event's attributes, and its data where that is JSON.`,
  options: [...NATS, 'prefix', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    if (config.nats === undefined) {
      throw new StromaflowError('USAGE', 'tail reads from NATS: --nats <url> is needed', {
        fix: 'for example stromaflow tail --nats nats://127.0.0.1:4222',
      });
    }
    const bus = await openBus(config);
    try {
      terminal.line(`listening on ${bus.description}`);
      for await (const event of bus.subscribe(args[0] ?? `${config.prefix}.>`, signal)) {
        terminal.line(timedLine(event));
        terminal.json(eventFacts(event));
      }
    } finally {
      await bus.close();
    }
    return signal.aborted ? 130 : 0;
  },
};
