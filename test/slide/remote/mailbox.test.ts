import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { createMailbox, MailboxReader, MailboxServer, PIECE_BYTES } from '#src/slide/remote/mailbox.js';
import { failureOf } from '../fixture.js';

/** Reads in a thread of its own and says what came. */
const THREAD = `
import { parentPort, workerData } from 'node:worker_threads';
const { MailboxReader } = await import(workerData.module);
const reader = new MailboxReader(workerData.memory);
for (const [position, length] of workerData.parts) {
  try {
    const into = Buffer.alloc(length);
    reader.read(into, position);
    parentPort.postMessage({ into });
  } catch (error) {
    parentPort.postMessage({ code: error.code, message: error.message });
  }
}
`;

const threads: Worker[] = [];
const servers: MailboxServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  for (const thread of threads.splice(0)) await thread.terminate();
});

function serve(memory: SharedArrayBuffer, fetch: (position: number, length: number) => Promise<Uint8Array>) {
  const server = new MailboxServer(memory, fetch);
  servers.push(server);
  return server;
}

type Said = { readonly into?: Uint8Array; readonly code?: string; readonly message?: string };

/** What a thread is told that asks for parts, one after the other. */
function ask(memory: SharedArrayBuffer, parts: readonly (readonly [number, number])[]): Promise<Said[]> {
  const module = import.meta.resolve('#src/slide/remote/mailbox.js');
  const code = new URL(`data:text/javascript,${encodeURIComponent(THREAD)}`);
  const thread = new Worker(code, { workerData: { memory, parts, module } });
  threads.push(thread);
  return new Promise((resolve, reject) => {
    const said: Said[] = [];
    thread.on('message', (one: Said) => {
      said.push(one);
      if (said.length === parts.length) resolve(said);
    });
    thread.once('error', reject);
  });
}

const byteAt = (position: number): number => (position * 7 + Math.floor(position / 1000)) % 256;
const content = async (position: number, length: number): Promise<Uint8Array> =>
  Uint8Array.from({ length }, (_, i) => byteAt(position + i));

describe('the mailbox', () => {
  it('gives threads the bytes they ask for, also more than fit a slot and from more threads than there are slots', async () => {
    const memory = createMailbox();
    serve(memory, content);
    const big = PIECE_BYTES + 1000;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => ask(memory, [[i * 100, 50], ...(i === 0 ? [[3, big] as const] : [])])),
    );
    for (const [i, said] of answers.entries()) expect([...said[0]!.into!]).toEqual([...(await content(i * 100, 50))]);
    const long = answers[0]![1]!.into!;
    expect(long).toHaveLength(big);
    expect(Buffer.from(long).equals(Buffer.from(await content(3, big)))).toBe(true);
  });

  it('passes on why there are none, and goes on', async () => {
    const memory = createMailbox();
    serve(memory, async (position, length) => {
      if (position === 1) throw new StromaflowError('SLIDE_CHANGED', 'a.svs: was written anew');
      return content(position, length);
    });
    const [failed, next] = await ask(memory, [
      [1, 4],
      [2, 4],
    ]);
    expect(failed).toMatchObject({ code: 'SLIDE_CHANGED', message: 'a.svs: was written anew' });
    expect(next!.into).toHaveLength(4);
  });

  it('lets go of a thread that waits when it is closed, and of one that comes later', async () => {
    const memory = createMailbox();
    const { server, asked } = await new Promise<{ server: MailboxServer; asked: Promise<void> }>(resolve => {
      const asked = new Promise<void>(wasAsked => {
        const server = serve(memory, () => {
          wasAsked();
          return new Promise(() => undefined);
        });
        setImmediate(() => resolve({ server, asked }));
      });
    });
    const waiting = ask(memory, [[0, 4]]);
    await asked;
    server.close();
    await server.served;
    expect(await waiting).toMatchObject([{ code: 'SLIDE_UNREADABLE' }]);
    expect((await failureOf(() => new MailboxReader(memory).read(Buffer.alloc(1), 0))).code).toBe('SLIDE_UNREADABLE');
  });
});
