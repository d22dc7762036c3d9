import type { NatsConnection } from '@nats-io/nats-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import type { BusEvent } from '#src/event/bus.js';
import { CorePublisher } from '#src/event/nats-publisher.js';
import { createSampleEvents, maskInput } from './samples.js';

const sample = createSampleEvents().mask(maskInput());
const eventOf = (id: string, bytes = 10): BusEvent => ({ ...sample, id, data: new Uint8Array(bytes) });
/** Lets everything that can go on without a server go on. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 4; turn++) await new Promise(resolve => setImmediate(resolve));
};

/** A connection that keeps what is sent; its PONGs come when the test says, one for each PING. */
function connection(max_payload = 1 << 20) {
  const sent: string[] = [];
  const pings: { readonly covers: number; readonly answer: (error?: Error) => void }[] = [];
  const nc = {
    info: { max_payload },
    publish(_subject: string, _data: Uint8Array, { headers }: { headers: { encode(): Uint8Array } }) {
      sent.push(/\r\nce-id: ([^\r]*)\r\n/.exec(Buffer.from(headers.encode()).toString())![1]!);
    },
    flush: () =>
      new Promise<void>((resolve, reject) =>
        pings.push({ covers: sent.length, answer: error => (error ? reject(error) : resolve()) }),
      ),
  };
  return { nc: nc as unknown as NatsConnection, sent, pings };
}

/** What became of a publish, once it is known. */
function outcome(publishing: Promise<void>): { value: 'open' | 'ok' | StromaflowError } {
  const seen: { value: 'open' | 'ok' | StromaflowError } = { value: 'open' };
  publishing.then(
    () => (seen.value = 'ok'),
    error => (seen.value = error),
  );
  return seen;
}

describe('an event', () => {
  it('is confirmed by the PONG behind it, not before', async () => {
    const { nc, pings } = connection();
    const publisher = new CorePublisher(nc);
    const done = [outcome(publisher.publish(eventOf('a'))), outcome(publisher.publish(eventOf('b')))];
    await settle();
    // Both went out in one turn of the loop: one PING is enough.
    expect(pings).toHaveLength(1);
    expect(done.map(({ value }) => value)).toEqual(['open', 'open']);
    pings[0]!.answer();
    await settle();
    expect(done.map(({ value }) => value)).toEqual(['ok', 'ok']);
  });

  it('that is larger than the server takes, headers included, is refused alone and by its size', async () => {
    const { nc, sent, pings } = connection(2000);
    const publisher = new CorePublisher(nc);
    const [large, small] = [outcome(publisher.publish(eventOf('a', 1990))), outcome(publisher.publish(eventOf('b')))];
    await settle();
    pings[0]!.answer();
    await settle();
    expect(large.value).toMatchObject({
      code: 'BUS_PUBLISH',
      message: expect.stringMatching(/\d{4} bytes with headers, but the server's max_payload is 2000$/),
      fix: expect.stringContaining('raise max_payload'),
    });
    expect(small.value).toBe('ok');
    expect(sent).toEqual(['b']);
  });

  it('whose sender gives up before it is sent is not sent, and after that no longer waited for', async () => {
    const { nc, sent, pings } = connection();
    const publisher = new CorePublisher(nc);
    const [early, late] = [new AbortController(), new AbortController()];
    const done = [
      outcome(publisher.publish(eventOf('a'), early.signal)),
      outcome(publisher.publish(eventOf('b'), late.signal)),
    ];
    early.abort(new Error('early'));
    await settle();
    late.abort(new Error('late'));
    await settle();
    expect(done.map(({ value }) => value)).toMatchObject([{ message: 'early' }, { message: 'late' }]);
    expect(sent).toEqual(['b']);
    pings[0]!.answer(new Error('connection lost'));
    await settle();
    // Nobody waits for it: it is not sent a second time.
    expect(sent).toEqual(['b']);
    await publisher.idle();
  });

  it('that the server refuses fails with the server’s words, and takes no other with it', async () => {
    const { nc, pings } = connection();
    const publisher = new CorePublisher(nc);
    const other = { ...eventOf('b'), subject: 'stroma.v1.a.b.aggregate.S1' };
    const done = [outcome(publisher.publish(eventOf('a'))), outcome(publisher.publish(other))];
    await settle();
    publisher.refuse(sample.subject, new Error('Permissions Violation'));
    pings[0]!.answer();
    await settle();
    expect(done.map(({ value }) => value)).toMatchObject([
      { code: 'BUS_PUBLISH', message: `${sample.subject}: Permissions Violation` },
      'ok',
    ]);
  });
});

describe('what is under way', () => {
  it.each([
    ['1024 events', 10, 1024],
    ['8 MiB', 1 << 19, 15],
  ])('is bounded: %s', async (_, bytes, most) => {
    const { nc, sent, pings } = connection();
    const publisher = new CorePublisher(nc);
    const all = Array.from({ length: most + 5 }, (_, i) => outcome(publisher.publish(eventOf(String(i), bytes))));
    await settle();
    expect(sent).toHaveLength(most);
    pings[0]!.answer();
    await settle();
    expect(sent).toHaveLength(most + 5);
    pings[1]!.answer();
    await settle();
    expect(all.every(({ value }) => value === 'ok')).toBe(true);
    expect(sent).toEqual(all.map((_, i) => String(i)));
  });

  it('may be one event that is larger than the bound by itself', async () => {
    const { nc, sent, pings } = connection(1 << 26);
    const publisher = new CorePublisher(nc);
    const large = outcome(publisher.publish(eventOf('large', 9 << 20)));
    await settle();
    expect(sent).toEqual(['large']);
    pings[0]!.answer();
    await settle();
    expect(large.value).toBe('ok');
  });

  it('is sent again after a lost connection, before what came meanwhile', async () => {
    const { nc, sent, pings } = connection();
    const publisher = new CorePublisher(nc);
    const done = ['a', 'b'].map(id => outcome(publisher.publish(eventOf(id))));
    await settle();
    publisher.setConnected(false);
    done.push(outcome(publisher.publish(eventOf('c'))));
    pings.shift()!.answer(new Error('connection lost'));
    await settle();
    expect(done.map(({ value }) => value)).toEqual(['open', 'open', 'open']);
    publisher.setConnected(true);
    await settle();
    expect(sent).toEqual(['a', 'b', 'a', 'b', 'c']);
    pings.shift()!.answer();
    await settle();
    expect(done.map(({ value }) => value)).toEqual(['ok', 'ok', 'ok']);
  });

  it('waits while the server is away, and is failed as a whole when the bus is given up', async () => {
    const { nc, sent } = connection();
    const publisher = new CorePublisher(nc);
    publisher.setConnected(false);
    const waiting = outcome(publisher.publish(eventOf('a')));
    let idle = false;
    void publisher.idle().then(() => (idle = true));
    await settle();
    expect([sent, waiting.value, idle]).toEqual([[], 'open', false]);
    const failure = new StromaflowError('BUS_UNREACHABLE', 'gone');
    publisher.fail(failure);
    publisher.fail(new StromaflowError('INTERNAL', 'a second reason changes nothing'));
    await settle();
    expect([waiting.value, idle]).toEqual([failure, true]);
    await expect(publisher.publish(eventOf('b'))).rejects.toBe(failure);
  });
});

it('whatever the connection does, every event is sent at least once, in order, and confirmed only by a PONG behind it', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ publish: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 3, arbitrary: fc.constant({ pong: true }) },
    { weight: 1, arbitrary: fc.constant({ lose: true }) },
    { weight: 1, arbitrary: fc.constant({ back: true }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
      const { nc, sent, pings } = connection();
      const publisher = new CorePublisher(nc);
      const done: { value: unknown }[] = [];
      /** Events below this number have had a PONG behind them. */
      const covered = new Set<string>();
      const pong = (): void => {
        const ping = pings.shift();
        if (!ping) return;
        for (const id of sent.slice(0, ping.covers)) covered.add(id);
        ping.answer();
      };
      for (const now of [...steps, { back: true }]) {
        if ('publish' in now)
          for (let i = 0; i < now.publish; i++) done.push(outcome(publisher.publish(eventOf(String(done.length)))));
        if ('pong' in now) pong();
        if ('back' in now) publisher.setConnected(true);
        if ('lose' in now) {
          publisher.setConnected(false);
          for (const ping of pings.splice(0)) ping.answer(new Error('connection lost'));
        }
        await settle();
        for (const [i, { value }] of done.entries()) if (value === 'ok') expect(covered).toContain(String(i));
      }
      for (let left = 0; pings.length > 0 && left < 100; left++) {
        pong();
        await settle();
      }
      expect(done.map(({ value }) => value)).toEqual(done.map(() => 'ok'));
      const first = done.map((_, i) => sent.indexOf(String(i)));
      expect(first).toEqual([...first].sort((a, b) => a - b));
      await publisher.idle();
    }),
    { numRuns: 60 },
  );
});
