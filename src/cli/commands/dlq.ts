import { natsOptions } from '../../../pipelines/buses.js';
import type { Config } from '../../config/options.js';
import { StromaflowError } from '../../errors.js';
import type { DeathKind } from '../../event/dead-letter-kind.js';
import { connectNatsBus } from '../../event/nats-bus.js';
import { DeadLetters, type StoredLetter } from '../../event/stream/dead-letters.js';
import { openManager } from '../../event/stream/setup.js';
import { type Command, type CommandContext, GENERAL, NATS } from '../command.js';

const LETTERS = [...NATS, 'prefix', 'slide', 'kind'] as const;

export const dlqList: Command = {
  usage: 'dlq list',
  group: 'what was given up on: patches that failed',
  summary: 'list the dead letters that the streams keep',
  notes: `A line for each slide, stage and reason, with what became of the slide since: open (its patches are still failed), whole (they were done
again), replaced (the slide has another run). --json prints a line for each patch. permanent: its content is at fault; poison: it ended what took it up;
transient: what it needs was not there.`,
  options: [...LETTERS, ...GENERAL],
  run: context =>
    withLetters(context, async (_, letters) => {
      for (const group of groupsOf(letters)) context.terminal.line(describe(group));
      for (const letter of letters) context.terminal.json(facts(letter));
      if (letters.length === 0) context.terminal.line('no dead letters');
      return 0;
    }),
};

export const dlqRetry: Command = {
  usage: 'dlq retry',
  summary: 'have the patches of dead letters done again',
  notes: `Asks the process of each slide's scanner (watch or segment, --role ingest or not) to do again what failed of it, and takes the letters away. One that is
not running sees the request at its next start; a slide that is over is opened again. What fails again is a dead letter again. The other failed patches of a slide
are done again with those of the letters chosen.`,
  options: [...LETTERS, ...GENERAL],
  run: context =>
    withLetters(context, async (store, letters) => {
      const { terminal } = context;
      const open = letters.filter(({ standing }) => standing === 'open');
      for (const { letter } of await store.retry(open)) {
        const patches = open.filter(other => other.letter.slide === letter.slide && other.letter.run === letter.run);
        terminal.line(`${letter.slide}: ${patches.length} dead letters put back`);
        terminal.json({ event: 'retry', slide: letter.slide, run: letter.run, letters: patches.length });
      }
      const rest = letters.length - open.length;
      if (rest > 0) terminal.line(`${rest} left as they are: their slides are whole, or have other runs (dlq drop)`);
      if (letters.length === 0) terminal.line('no dead letters');
      return 0;
    }),
};

export const dlqDrop: Command = {
  usage: 'dlq drop',
  summary: 'delete dead letters',
  notes: `Changes nothing but the list: the patches stay failed, and are counted so. Without --yes it says what it would delete.`,
  options: [...LETTERS, 'yes', ...GENERAL],
  run: context =>
    withLetters(context, async (store, letters) => {
      const { terminal, config } = context;
      for (const group of groupsOf(letters)) terminal.line(describe(group));
      if (letters.length > 0 && !config.yes)
        throw new StromaflowError('USAGE', `${letters.length} dead letters would be deleted`, {
          fix: 'say --yes to delete them, or choose fewer with --slide and --kind',
        });
      await store.drop(letters);
      terminal.line(`${letters.length} dead letters deleted`);
      terminal.json({ event: 'drop', letters: letters.length });
      return 0;
    }),
};

async function withLetters(
  { config, signal }: CommandContext,
  work: (store: DeadLetters, letters: readonly StoredLetter[]) => Promise<number>,
): Promise<number> {
  const options = natsOptions(config);
  if (!options)
    throw new StromaflowError('USAGE', 'dead letters are on a NATS server: --nats <url> is needed', {
      fix: 'for example stromaflow dlq list --nats nats://127.0.0.1:4222',
    });
  const bus = await connectNatsBus({ ...options, publish: 'jetstream', prefix: config.prefix, signal }).catch(
    keptNowhere,
  );
  try {
    const store = new DeadLetters(bus, await openManager(bus.connection), config.prefix);
    return await work(store, await store.list(filterOf(config)));
  } finally {
    await bus.close();
  }
}

function keptNowhere(error: unknown): never {
  if (!(error instanceof StromaflowError) || error.code !== 'EVENTS_STREAM') throw error;
  const fix = 'dead letters are kept where JetStream is: nats-server -js, then stromaflow events setup';
  throw new StromaflowError('EVENTS_STREAM', error.message, { cause: error, fix });
}

const filterOf = ({ slide, kind }: Config) => ({ slide, kind: kind as DeathKind | undefined });

/** Letters of one slide, run, stage and reason. */
function groupsOf(letters: readonly StoredLetter[]): readonly (readonly StoredLetter[])[] {
  const groups = new Map<string, StoredLetter[]>();
  for (const one of letters) {
    const { slide, run, stage, error } = one.letter;
    const key = [slide, run, stage, one.death, error.code].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()];
}

function describe(group: readonly StoredLetter[]): string {
  const { letter, death, standing, time } = group.at(-1)!;
  const { slide, run, stage, error } = letter;
  const patches = `${group.length} ${group.length === 1 ? 'patch' : 'patches'}`;
  return `${slide}  ${patches}  ${stage} ${death}  ${standing}  run ${run}  ${time}  ${error.message} [${error.code}]`;
}

const facts = ({ seq, subject, time, death, standing, letter }: StoredLetter) => ({
  ...{ seq, subject, time, standing },
  ...letter,
  kind: death,
});
