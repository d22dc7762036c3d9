import type { FastifyInstance } from 'fastify';
import { problem } from './problem.js';

export interface RateLimit {
  /** Requests a second that one address may go on making. */
  readonly perSecond: number;
  /** Requests that it may make at once. */
  readonly burst: number;
}

/** Fifty viewers behind one proxy that pan at a time; a script that runs wild asks more. */
export const DEFAULT_RATE: RateLimit = { perSecond: 1000, burst: 4000 };

/** Addresses that are remembered. */
const MOST_ADDRESSES = 10_000;

/** Answers 429 to an address that asks more than a token bucket gives. */
export function limitRate(app: FastifyInstance, { perSecond, burst }: RateLimit): void {
  const buckets = new Map<string, { left: number; at: number }>();
  app.addHook('onRequest', async (request, reply) => {
    const now = performance.now() / 1000;
    const { ip } = request;
    const bucket = buckets.get(ip) ?? { left: burst, at: now };
    bucket.left = Math.min(burst, bucket.left + (now - bucket.at) * perSecond);
    bucket.at = now;
    buckets.delete(ip);
    buckets.set(ip, bucket);
    if (buckets.size > MOST_ADDRESSES) buckets.delete(buckets.keys().next().value!);
    if (bucket.left >= 1) {
      bucket.left -= 1;
      return;
    }
    reply.header('retry-after', '1');
    return reply.code(429).send(problem('too many requests'));
  });
}
