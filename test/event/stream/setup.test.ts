import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, streamLayouts } from '#src/event/stream/layout.js';
import {
  checkStreams,
  describeFinding,
  findStreams,
  NoJetStream,
  openManager,
  setupStreams,
} from '#src/event/stream/setup.js';
import { matchesSubject } from '#src/event/subjects.js';
import { runCli } from '../../support/cli.js';
import { startNatsServer, type TestNatsOptions } from '../../support/nats-server.js';
import { aggregate, createSampleEvents, deadLetter, maskInput, slidePayloads } from '../samples.js';

const PREFIX = 'stroma.v1';
const NAMES = ['stroma_v1_masks', 'stroma_v1_latest', 'stroma_v1_slides'];
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(options: TestNatsOptions = { jetstream: true }) {
  const server = await startNatsServer(options);
  closing.push(() => server.stop());
  const nc = await connect({ servers: server.url });
  closing.push(() => nc.close());
  return { server, nc };
}

it('every event of the contract has its place in exactly one stream', () => {
  const events = createSampleEvents();
  const all = [
    events.mask(maskInput()),
    events.aggregate(aggregate, 'r'),
    events.dlq(deadLetter),
    ...(['opened', 'progress', 'completed', 'incomplete', 'failed'] as const).map(state =>
      events.slide(state, slidePayloads[state]),
    ),
  ];
  const layouts = Object.values(streamLayouts(PREFIX));
  const places = all.map(({ subject }) =>
    layouts
      .filter(({ subjects }) => subjects.some(pattern => matchesSubject(pattern, subject)))
      .map(({ kind }) => kind),
  );
  expect(places).toEqual([
    ['masks'],
    ['latest'],
    ['slides'],
    ['slides'],
    ['latest'],
    ['slides'],
    ['slides'],
    ['slides'],
  ]);
});

describe('the streams of an empty server', () => {
  it('are made once; doing it again changes nothing', async () => {
    const { nc } = await open();
    const manager = await openManager(nc);
    expect(await findStreams(manager, PREFIX)).toBeUndefined();
    const made = await setupStreams(manager, PREFIX, DEFAULT_LIMITS);
    expect(made.map(({ layout, done }) => [layout.name, done])).toEqual(NAMES.map(name => [name, 'created']));
    const again = await setupStreams(manager, PREFIX, DEFAULT_LIMITS);
    expect(again.map(({ state, done }) => [state, done])).toEqual(Array(3).fill(['equal', undefined]));
    const { masks } = (await findStreams(manager, PREFIX))!;
    expect(masks.config).toMatchObject({ max_msgs_per_subject: 1, discard: 'new', discard_new_per_subject: true });
  });

  it('follow the limits that are asked for, and say what they were', async () => {
    const { nc } = await open();
    const manager = await openManager(nc);
    await setupStreams(manager, PREFIX, DEFAULT_LIMITS);
    const limits = { ...DEFAULT_LIMITS, days: 7, bytes: 1 << 20 };
    const differing = await checkStreams(manager, PREFIX, limits);
    expect(differing.map(({ state }) => state)).toEqual(Array(3).fill('differs'));
    expect(describeFinding(differing[0]!)).toEqual([
      'stream stroma_v1_masks: max_age is 2592000000000000, should be 604800000000000',
      'stream stroma_v1_masks: max_bytes is -1, should be 1048576',
    ]);
    const changed = await setupStreams(manager, PREFIX, limits);
    expect(changed.map(({ done }) => done)).toEqual(Array(3).fill('changed'));
    expect((await checkStreams(manager, PREFIX, limits)).map(({ state }) => state)).toEqual(Array(3).fill('equal'));
    // Limits alone keep nobody from publishing.
    expect(await findStreams(manager, PREFIX)).toBeDefined();
  });
});

describe('what somebody else made', () => {
  it('of the same name is named and left as it is', async () => {
    const { nc } = await open();
    const manager = await openManager(nc);
    const [name] = NAMES;
    await manager.streams.add({ name: name!, subjects: ['other.>'] });
    const [masks, ...others] = await setupStreams(manager, PREFIX, DEFAULT_LIMITS);
    expect(masks).toMatchObject({ state: 'foreign' });
    expect(masks!.done).toBeUndefined();
    expect(describeFinding(masks!)[0]).toBe('stream stroma_v1_masks was not made by stromaflow events setup');
    expect(others.map(({ done }) => done)).toEqual(['created', 'created']);
    expect((await manager.streams.info(name!)).config.subjects).toEqual(['other.>']);
    await expect(findStreams(manager, PREFIX)).rejects.toMatchObject({ code: 'EVENTS_STREAM' });
  });

  it('over the same subjects is named; alone, it leaves core publish', async () => {
    const { nc } = await open();
    const manager = await openManager(nc);
    await manager.streams.add({ name: 'STROMA', subjects: ['stroma.v1.>'] });
    expect(await findStreams(manager, PREFIX)).toBeUndefined();
    const results = await setupStreams(manager, PREFIX, DEFAULT_LIMITS);
    expect(results.map(({ state, by, done }) => [state, by, done])).toEqual(
      Array(3).fill(['taken', 'STROMA', undefined]),
    );
  });
});

it('a stream of ours that would lose events is not published to', async () => {
  const { nc } = await open();
  const manager = await openManager(nc);
  await setupStreams(manager, PREFIX, DEFAULT_LIMITS);
  await manager.streams.update(NAMES[0]!, { discard_new_per_subject: false, discard: 'old' });
  await expect(findStreams(manager, PREFIX)).rejects.toMatchObject({
    code: 'EVENTS_STREAM',
    message: expect.stringContaining('discard is "old", should be "new" (events would be lost)'),
  });
});

it('a server without JetStream is told from one that does not answer', async () => {
  const { nc } = await open({});
  await expect(openManager(nc)).rejects.toBeInstanceOf(NoJetStream);
});

describe('the command line', () => {
  it('checks, sets up and checks', async () => {
    const { server, nc } = await open();
    const args = ['--nats', server.url];
    const before = await runCli(['events', 'check', ...args]);
    expect([before.status, before.stdout]).toEqual([1, NAMES.map(name => `stream ${name} is not there\n`).join('')]);
    const made = await runCli(['events', 'setup', ...args, '--stream-storage', 'memory', '--stream-days', '2']);
    expect([made.status, made.stdout]).toEqual([0, NAMES.map(name => `stream ${name} created\n`).join('')]);
    const { config } = await (await jetstreamManager(nc)).streams.info(NAMES[0]!);
    expect(config).toMatchObject({ storage: 'memory', max_age: 2 * 86_400e9 });
    const after = await runCli(['events', 'check', ...args, '--json']);
    expect(after.status).toBe(1);
    const [line] = after.stdout.trim().split('\n');
    expect(JSON.parse(line!)).toMatchObject({ stream: NAMES[0], state: 'differs', differences: expect.any(Array) });
    const same = ['--stream-storage', 'memory', '--stream-days', '2'];
    expect((await runCli(['events', 'check', ...args, ...same])).status).toBe(0);
    // What kind of storage holds a stream cannot be changed: the server's word, and nothing is lost.
    const refused = await runCli(['events', 'setup', ...args]);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('[EVENTS_STREAM]')]);
  });

  it('says in one line that there is no JetStream, and that it needs a server', async () => {
    const { server } = await open({});
    const run = await runCli(['events', 'setup', '--nats', server.url]);
    expect([run.status, run.stderr]).toEqual([
      1,
      expect.stringMatching(/: JetStream is not enabled \[EVENTS_STREAM\] start it with/),
    ]);
    expect((await runCli(['events', 'check'])).status).toBe(2);
  });
});
