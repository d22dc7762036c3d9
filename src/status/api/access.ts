import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { problem } from './problem.js';

/** Paths that name no slide: probes and Prometheus ask them without a login. */
const OPEN: readonly string[] = ['/livez', '/healthz', '/readyz', '/metrics'];

export interface AccessOptions {
  /** What a request must bring; undefined: nothing. */
  readonly token?: string | undefined;
  /** Only this machine can ask. */
  readonly loopback: boolean;
}

/**
 * Lets in who brings the token, as `Authorization: Bearer <token>` or as the password of basic auth, which browsers ask for by
 * themselves. Without a token other machines get what names no slide, and nothing else.
 */
export function guardAccess(app: FastifyInstance, { token, loopback }: AccessOptions): void {
  if (token === undefined && loopback) return;
  app.addHook('onRequest', async (request, reply) => {
    if (OPEN.includes(request.url.split('?', 1)[0]!)) return;
    if (token === undefined) return reply.code(403).send(problem('give a token with --token-file to open this'));
    if (isToken(givenBy(request), token)) return;
    reply.header('www-authenticate', 'Basic realm="stromaflow", charset="UTF-8"');
    return reply.code(401).send(problem('a token is needed'));
  });
}

function givenBy(request: FastifyRequest): string {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return '';
  const decoded = Buffer.from(value, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  return colon < 0 ? '' : decoded.slice(colon + 1);
}

/** In a time that tells nothing of where they differ. */
function isToken(given: string, token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
