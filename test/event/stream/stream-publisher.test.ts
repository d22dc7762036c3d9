import { TimeoutError } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import type { BusEvent } from '#src/event/bus.js';
import { DEFAULT_LIMITS } from '#src/event/stream/layout.js';
import { openManager, setupStreams } from '#src/event/stream/setup.js';
import { StreamPublisher } from '#src/event/stream/stream-publisher.js';
import { startNatsServer } from '../../support/nats-server.js';
import { createSampleEvents, maskInput } from '../samples.js';

const event: BusEvent = createSampleEvents().mask({ ...maskInput({ col: 1 }), run: 'a1b2c3d4e5f6' });

/**
 * Publishes an event twice, so that the server calls it a duplicate, and answers the questions whether it is there in turn.
 *
 * @returns how the second publish ended, and how often it was asked.
 */
async function twice(answers: readonly ((publisher: StreamPublisher) => boolean | Error)[]) {
  const server = await startNatsServer({ jetstream: true });
  const nc = await connect({ servers: server.url });
  const failures = await setupStreams(await openManager(nc), 'stroma.v1', DEFAULT_LIMITS);
  expect(failures.flatMap(({ error }) => error ?? [])).toEqual([]);
  let asked = 0;
  const publisher: StreamPublisher = new StreamPublisher(nc, {
    onDuplicate: async () => {
      const answer = answers[asked++]!(publisher);
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onTaken: async () => true,
    onAbsent: async () => undefined,
  });
  try {
    await publisher.publish(event);
    const ended = await publisher.publish(event).then(
      () => 'published',
      (error: Error & { code?: string }) => `${error.code}: ${error.message.split(': ').at(-1)}`,
    );
    await publisher.idle();
    return { ended, asked };
  } finally {
    await nc.close();
    await server.stop();
  }
}

it('asks again whether a duplicate is there when the server did not answer', async () => {
  expect(await twice([() => new TimeoutError(), () => new TimeoutError(), () => true])).toEqual({
    ended: 'published',
    asked: 3,
  });
});

it('asks again when the connection broke meanwhile, though it is there again', async () => {
  const broke = (publisher: StreamPublisher): Error => {
    publisher.setConnected(false);
    publisher.setConnected(true);
    return new Error('the connection closed');
  };
  expect(await twice([broke, () => true])).toEqual({ ended: 'published', asked: 2 });
});

it('fails with what the server refused', async () => {
  expect(await twice([() => new Error('no permission')])).toEqual({ ended: 'BUS_PUBLISH: no permission', asked: 1 });
});
