// Segments one slide with the engine a user gets and prints the peak memory of this process and its engine's together.
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { peakBytes } from './processor.mjs';
import { configWith } from './support.mjs';

const [path, out, engine] = process.argv.slice(2);
const parts = await openParts(await configWith({ out, 'keep-empty': true, ...(engine && { engine }) }));
const task = { path, id: 'slide', open: () => openSlide(path, { mpp: 0.499, id: 'slide' }) };
const result = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
const maxRssBytes = peakBytes();
await parts.close();
if (result.state !== 'completed') throw new Error(`ended as ${result.state}`, { cause: result.error });
console.log(JSON.stringify({ maxRssBytes, patches: result.summary.patches.expected }));
