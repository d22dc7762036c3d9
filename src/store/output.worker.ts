import { parentPort } from 'node:worker_threads';
import { toWire } from '../errors.js';
import { encodeMaskPng } from '../mask/png.js';
import type { OutputReply, OutputRequest } from './output-messages.js';
import { SlideFiles } from './slide-files.js';

/** The output thread of one slide: file access, compression and polygons stay away from the main thread. */

/** Nobody waits longer for an answer because others that were asked with it take their time. */
const PATIENCE_MS = 4;

let files: SlideFiles | undefined;
let side = 0;

/** Of what is done between two requests: the next one is told. */
let failure: { readonly error: unknown } | undefined;

async function answer(request: OutputRequest): Promise<OutputReply> {
  if (request.op === 'open') {
    files = new SlideFiles(request.options);
    side = request.options.plan.core;
    return {};
  }
  if (!files) throw new Error('not open');
  if (failure && request.op === 'patch') throw failure.error;
  if (request.op === 'resume') return { resumed: files.resume(request.records) };
  if (request.op === 'finish')
    return { summary: await files.finish(request.summary, request.dicomSeg, request.askedAt) };
  if (request.op === 'close') {
    files.close();
    return {};
  }
  const { record, bits, probabilities } = request;
  files.patch(record, bits, probabilities);
  return bits ? { png: encodeMaskPng({ width: side, height: side, bits }) } : {};
}

async function answerAll(requests: readonly OutputRequest[]): Promise<void> {
  let replies: OutputReply[] = [];
  let since = performance.now();
  const post = (): void => {
    const pngs = replies.flatMap(reply => ('png' in reply && reply.png ? [reply.png.buffer] : []));
    if (replies.length > 0) parentPort?.postMessage(replies, pngs);
    replies = [];
    since = performance.now();
  };
  for (const request of requests) {
    replies.push(await answer(request).catch((error): OutputReply => ({ error: toWire(error, 'OUTPUT_FAILED') })));
    if (performance.now() - since > PATIENCE_MS) post();
  }
  post();
}

let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (requests: readonly OutputRequest[]) => {
  // One at a time, in order: finishing is asynchronous inside, and nothing may overtake it.
  last = last
    .then(() => answerAll(requests))
    // Whoever waits for a patch's mask on disk does not wait for its polygons.
    .then(() => files?.catchUp())
    .catch(error => {
      failure = { error };
    });
});
