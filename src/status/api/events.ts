import type { FastifyInstance } from 'fastify';
import type { StreamMessage } from '../../view/event-stream.js';
import type { SlideShelf } from '../../view/shelf.js';
import { problem } from './problem.js';
import * as schemas from './schemas.js';
import { notFound } from './slides.js';

/** Readers of events at a time. */
const MOST_READERS = 500;
/** Unsent bytes from which a reader is let go: it comes back by itself, and goes on where it was. */
const TOO_SLOW = 4 * 2 ** 20;
/** Proxies close what is silent for longer. */
const BEAT_MS = 15_000;

/** Server-sent events of a slide: `slide` (its status), `patches` (codes and thumbnails of masks), `reset` (ask for everything anew). */
export function addEvents(app: FastifyInstance, shelf: SlideShelf): void {
  const open = new Set<() => void>();
  app.addHook('preClose', async () => {
    for (const end of open) end();
  });
  app.get<{ Params: { slide: string }; Querystring: { after?: string } }>(
    '/api/slides/:slide/events',
    {
      schema: {
        ...{ summary: 'Changes of a slide as server-sent events; goes on after Last-Event-ID' },
        ...{ params: schemas.slideParams, querystring: schemas.eventsQuery, produces: 'text/event-stream' },
      } as object,
    },
    async (request, reply) => {
      const found = await shelf.find(request.params.slide);
      if (!found) return notFound(reply);
      if (open.size >= MOST_READERS)
        return reply.code(503).header('retry-after', '5').send(problem('too many readers'));
      const { stream } = found;
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
      });
      const write = ({ id, event, data }: StreamMessage): void => {
        if (raw.writableLength > TOO_SLOW) raw.destroy();
        else raw.write(`id: ${id}\nevent: ${event}\ndata: ${data}\n\n`);
        if (event === 'reset') raw.end();
      };
      const beat = setInterval(() => raw.write(':\n\n'), BEAT_MS).unref();
      const stop = stream.listen(write);
      const end = (): void => {
        stop();
        clearInterval(beat);
        open.delete(end);
        if (!raw.writableEnded) raw.end();
      };
      open.add(end);
      raw.on('close', end);
      raw.write(':\n\n');
      // A browser's EventSource can set the header only when it comes back.
      const last = request.headers['last-event-id'] ?? request.query.after;
      const missed = last === undefined ? [] : stream.since(String(last));
      if (missed) for (const message of missed) write(message);
      else write({ id: stream.position, event: 'reset', data: '{}' });
    },
  );
}
