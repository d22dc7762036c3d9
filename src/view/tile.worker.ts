import { getPriority, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { StromaflowError, toWire } from '../errors.js';
import { PixelMemory } from '../read/pixel-memory.js';
import { TileCache } from '../read/tile-cache.js';
import { openTileSource } from '../slide/open-source.js';
import { MaskReader } from './mask-reader.js';
import { PictureReader } from './picture-reader.js';
import { ProbabilityReader } from './probability-reader.js';
import type { TileJob, TileReply, TileRequest, TileSlide } from './tile-messages.js';

/**
 * Makes tiles for people who look, one after the other, in a thread of its own: it has its own file handles and its own memory,
 * takes no slot of the arena and no turn of a reader thread, and on Linux gives way to every other thread, so that patches which are due never
 * wait for somebody's screen.
 */

/** Decoded tiles of slides. */
const CACHE_BYTES = 32 * 2 ** 20;

/** Beside a thread that never rests it gets a tenth of its core: less, and masks come late where the engine takes all cores. */
const NICE = 10;

// Elsewhere the priority is the whole process's.
if (process.platform === 'linux') setPriority(0, Math.max(NICE, getPriority()));

const port = parentPort!;
const memory = new PixelMemory();
const cache = new TileCache(memory, CACHE_BYTES);
const slides = new Map<
  number,
  { about: TileSlide; picture?: PictureReader; mask?: MaskReader; probabilities?: ProbabilityReader }
>();

async function make(slide: number, job: TileJob): Promise<Uint8Array> {
  const known = slides.get(slide);
  if (!known) throw new StromaflowError('SLIDE_UNREADABLE', 'the slide is not open in this thread');
  const { about } = known;
  if (job.op === 'picture') {
    const { picture } = about;
    if (!picture) throw new StromaflowError('FILE_NOT_FOUND', 'the slide is not at hand');
    known.picture ??= new PictureReader(await openTileSource(picture.source), picture.shape, memory, cache, slide);
    return known.picture.tile(job.level, job.col, job.row);
  }
  if (job.op === 'probability') {
    known.probabilities ??= new ProbabilityReader(about.probabilities, about.grid);
    return known.probabilities.tile(job.level, job.area, job.segmented);
  }
  known.mask ??= new MaskReader(about.mask, about.grid);
  const { mask } = known;
  if (job.op === 'mask') return mask.tile(job.level, job.area, job.masked);
  return Buffer.concat(job.patches.map(([col, row, version]) => mask.thumbnail(col, row, version)));
}

function close(slide: number): void {
  slides.get(slide)?.picture?.close();
  slides.delete(slide);
}

async function answer(request: TileRequest): Promise<void> {
  if (request.op === 'open') slides.set(request.slide, { about: request.about });
  else if (request.op === 'forget') close(request.slide);
  else if (request.op === 'end') {
    for (const slide of [...slides.keys()]) close(slide);
    port.close();
  } else {
    let reply: TileReply;
    try {
      reply = { bytes: await make(request.slide, request) };
    } catch (error) {
      reply = { error: toWire(error, 'SLIDE_UNREADABLE') };
    }
    port.postMessage(reply);
  }
}

let last: Promise<void> = Promise.resolve();
port.on('message', (request: TileRequest) => {
  last = last.then(() => answer(request));
});
