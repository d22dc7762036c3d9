import { parentPort, workerData } from 'node:worker_threads';
import { toWire } from '../errors.js';
import { type Trial, type TrialAnswer, tryHere } from './try-tiles.js';

/** A thread that tries a slide's tiles, where one takes longer than the main thread should stand still. */

async function answer(): Promise<TrialAnswer> {
  try {
    const { unread, ...others } = await tryHere(workerData as Trial);
    return { ...others, unread: [...unread].map(([level, error]) => [level, toWire(error)] as const) };
  } catch (error) {
    return { error: toWire(error, 'SLIDE_UNREADABLE') };
  }
}

parentPort!.postMessage(await answer());
