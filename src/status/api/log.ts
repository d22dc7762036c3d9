import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** A request's own id where it brings a sound one, so that a proxy's log and ours can be laid side by side. */
export function requestId(given: unknown): string {
  return typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** Every answer carries its request's id; every request is a line of the log: route, slide and status, never an address or a token. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    const { slide } = (request.params ?? {}) as { slide?: string };
    request.log.info(
      {
        ...{ method: request.method, route: request.routeOptions.url ?? null, status: reply.statusCode },
        ...{ ms: Math.round(reply.elapsedTime * 10) / 10, ...(slide === undefined ? {} : { slide }) },
      },
      'request',
    );
  });
}
