import { StromaflowError } from '../errors.js';
import type { BusEvent } from './bus.js';
import { checkPrefix, escapeToken, type Origin } from './subjects.js';

/** Somebody wants that what failed of a run is tried again. */
export interface RetryRequest {
  readonly slide: string;
  readonly run: string;
}

/** Pattern of the requests to one scanner's process. */
export const retryPattern = (prefix: string, { site, scanner }: Origin): string =>
  `${checkPrefix(prefix)}.${escapeToken(site)}.${escapeToken(scanner)}.retry.*`;

/** Name of the place in the stream where a scanner's process has got to. */
export const retryDurable = ({ site, scanner }: Origin): string =>
  `retries_${escapeToken(site)}_${escapeToken(scanner)}`;

/**
 * A request to whoever published a dead letter.
 *
 * @param letterSubject `<prefix>.<site>.<scanner>.dlq.<stage>.<slide>`
 * @param occasion tells requests of one run apart.
 */
export function retryEvent(letterSubject: string, { slide, run }: RetryRequest, occasion: number): BusEvent {
  const base = letterSubject.split('.').slice(0, -3).join('.');
  return {
    subject: `${base}.retry.${slide}`,
    id: `${slide}@${run}/retry/${occasion}`,
    type: 'stromaflow.retry.v1',
    source: '/stromaflow/dlq',
    time: new Date().toISOString(),
    contentType: 'application/json',
    extensions: { slide, run },
    data: new TextEncoder().encode(JSON.stringify({ slide, run })),
  };
}

/** @throws EVENT_INVALID */
export function readRetry({ subject, extensions }: BusEvent): RetryRequest {
  const { slide, run } = extensions;
  if (slide && run) return { slide, run };
  throw new StromaflowError('EVENT_INVALID', `${subject}: a request that names no run of a slide`);
}
