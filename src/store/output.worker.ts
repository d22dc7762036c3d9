import { parentPort } from 'node:worker_threads';
import { toWire } from '../errors.js';
import type { OutputReply, OutputRequest } from './output-messages.js';
import { SlideFiles } from './slide-files.js';

/** The output thread of one slide: file access, compression and polygons stay away from the main thread. */

let files: SlideFiles | undefined;

/** Of what is done between two requests: the next one is told. */
let failure: { readonly error: unknown } | undefined;

async function answer(request: OutputRequest): Promise<OutputReply> {
  if (request.op === 'open') {
    files = new SlideFiles(request.options);
    return {};
  }
  if (!files) throw new Error('not open');
  if (failure && request.op === 'patch') throw failure.error;
  if (request.op === 'resume') return { resumed: files.resume(request.records) };
  if (request.op === 'finish')
    return { summary: await files.finish(request.summary, request.dicomSeg, request.askedAt) };
  if (request.op === 'patch') files.patch(request.record, request.bits, request.probabilities);
  else files.close();
  return {};
}

let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (request: OutputRequest) => {
  // One at a time, in order: finishing is asynchronous inside, and nothing may overtake it.
  last = last
    .then(() => answer(request))
    .catch((error): OutputReply => ({ error: toWire(error, 'OUTPUT_FAILED') }))
    .then(reply => parentPort?.postMessage(reply))
    // Whoever waits for a patch's mask on disk does not wait for its polygons.
    .then(() => files?.catchUp())
    .catch(error => {
      failure = { error };
    });
});
