// Segments one slide with a null engine slowed to a GPU's pace, publishing to NATS; made to be killed.
import { setTimeout as sleep } from 'node:timers/promises';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { configWith } from './support.mjs';

const BATCH_MS = 15;

const [path, out, nats] = process.argv.slice(2);
const parts = await openParts(await configWith({ out, nats, engine: 'null', 'aggregate-interval': 0.05 }));
const { segmenter } = parts;
const slowed = {
  info: segmenter.info,
  segment: async (slots, signal) => {
    await sleep(BATCH_MS);
    return segmenter.segment(slots, signal);
  },
  close: () => segmenter.close(),
};
const task = { path, id: 'slide', open: () => openSlide(path, { id: 'slide', mpp: 0.499 }) };
const results = segmentSlides(of(task), { ...parts, segmenter: slowed }, new AbortController().signal);
const { state, error } = await lastValueFrom(results);
await parts.close();
if (state !== 'completed' && state !== 'done-before') throw error ?? new Error(`ended as ${state}`);
