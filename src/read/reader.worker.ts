import { parentPort, workerData } from 'node:worker_threads';
import { Arena } from '../arena.js';
import { warmJpeg } from '../codec/jpeg/warm-jpeg.js';
import { StromaflowError, toWire } from '../errors.js';
import { openTileSource } from '../slide/open-source.js';
import { PatchReader } from './patch-reader.js';
import { PixelMemory } from './pixel-memory.js';
import type {
  CloseRequest,
  EndRequest,
  OpenRequest,
  ReaderData,
  ReaderReplies,
  ReaderReply,
  ReaderRequest,
  ReadRequest,
} from './reader-messages.js';
import { TileCache } from './tile-cache.js';

/** A reader thread: answers one request after the other, with its own file handles and its own cache of tiles. */

const { shape, shared, cacheBytes } = workerData as ReaderData;
const port = parentPort!;
const slots = Array.from({ length: shape.slots }, (_, index) => new Arena(shape, shared).slot(index));
const memory = new PixelMemory();
const cache = new TileCache(memory, cacheBytes);
const readers = new Map<number, PatchReader>();

/** Nobody waits longer for a patch because others that were asked for with it take their time. */
const PATIENCE_MS = 5;

async function answer(request: Exclude<ReaderRequest, EndRequest>): Promise<void> {
  const post = (replies: ReaderReplies): void => port.postMessage(replies);
  if ('op' in request) return post([await answerOther(request)]);
  let replies: ReaderReply[] = [];
  let since = performance.now();
  for (const [index, read] of request.entries()) {
    replies.push(await answerRead(read));
    if (index + 1 < request.length && performance.now() - since < PATIENCE_MS) continue;
    post(replies);
    replies = [];
    since = performance.now();
  }
}

async function answerRead([id, slide, col, row, slot]: ReadRequest): Promise<ReaderReply> {
  try {
    const reader = readers.get(slide);
    if (!reader) throw new StromaflowError('SLIDE_UNREADABLE', 'the slide is not open in this thread');
    return { id, read: true, outcome: await reader.read(col, row, slots[slot]!) };
  } catch (error) {
    return { id, read: true, error: toWire(error) };
  }
}

async function answerOther(request: OpenRequest | CloseRequest): Promise<ReaderReply> {
  const { id, slide } = request;
  try {
    if (request.op === 'open') {
      const { source, plan, rule, overview } = request;
      readers.set(slide, new PatchReader(await openTileSource(source), plan, rule, overview, memory, cache, slide));
    } else {
      readers.get(slide)?.close();
      readers.delete(slide);
    }
    return { id, read: false };
  } catch (error) {
    return { id, read: false, error: toWire(error, 'SLIDE_UNREADABLE') };
  }
}

function end(): void {
  for (const reader of readers.values()) reader.close();
  port.close();
}

// The engine takes longer to load than this takes, and no slide is read before it is there.
let last: Promise<void> = new Promise<void>(resolve => void setImmediate(resolve)).then(warmJpeg);
port.on('message', (request: ReaderRequest) => {
  last = last.then(async () => {
    if ('op' in request && request.op === 'end') end();
    else await answer(request);
  });
});
