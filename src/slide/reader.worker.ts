import { parentPort, workerData } from 'node:worker_threads';
import { StromaflowError, toWire } from '../errors.js';
import { Arena } from '../stage/arena.js';
import { openTileSource } from './open-source.js';
import { PatchReader } from './patch-reader.js';
import type { ReaderData, ReaderReply, ReaderRequest } from './reader-messages.js';
import { TileCache } from './tile-cache.js';

/** A reader thread: answers one request after the other, with its own file handles and its own cache of tiles. */

const { shape, shared, cacheBytes } = workerData as ReaderData;
const port = parentPort!;
const slots = Array.from({ length: shape.slots }, (_, index) => new Arena(shape, shared).slot(index));
const cache = new TileCache(cacheBytes);
const readers = new Map<number, PatchReader>();

async function answer(request: ReaderRequest): Promise<ReaderReply> {
  const { id, slide } = request;
  try {
    if (request.op === 'open') {
      const { source, plan, rule, overview } = request;
      readers.set(slide, new PatchReader(await openTileSource(source), plan, rule, overview, cache, slide));
      return { id };
    }
    const reader = readers.get(slide);
    if (!reader) throw new StromaflowError('INTERNAL', `slide ${slide} is not open in this thread`);
    if (request.op === 'read')
      return { id, outcome: await reader.read(request.col, request.row, slots[request.slot] as Uint8Array) };
    readers.delete(slide);
    reader.close();
    return { id };
  } catch (error) {
    return { id, error: toWire(error, request.op === 'open' ? 'SLIDE_UNREADABLE' : 'INTERNAL') };
  }
}

let last: Promise<void> = Promise.resolve();
port.on('message', (request: ReaderRequest) => {
  last = last.then(async () => port.postMessage(await answer(request)));
});
