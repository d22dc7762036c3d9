// Segments one slide, or a folder into which one is being written, with a slow null engine, publishing to
// NATS; made to be killed. Arguments: finished or growing, the slide or the folder, the output, NATS.
import { filter, firstValueFrom, of } from 'rxjs';
import { segmentLive } from '#pipelines/live.js';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { configWith, slowedBy } from './support.mjs';

const BATCH_MS = 60;

const [kind, path, out, nats] = process.argv.slice(2);
const watching = { poll: 0.2, settle: 0.5, mpp: 0.499 };
const parts = await openParts(
  await configWith({ out, nats, engine: 'null', 'aggregate-interval': 0.05, ...(kind === 'growing' ? watching : {}) }),
);
process.stdout.write('ready\n');
const graph = slowedBy(BATCH_MS, parts);
const stop = new AbortController();
const task = { path, id: 'slide', open: () => openSlide(path, { id: 'slide', mpp: 0.499 }) };
const results =
  kind === 'growing' ? segmentLive(path, graph, stop.signal) : segmentSlides(of(task), graph, stop.signal);
// A growing slide whose scanner is slow is taken up again; every other end is the last.
const { state, error } = await firstValueFrom(results.pipe(filter(result => result.state !== 'incomplete')));
stop.abort();
await parts.close();
if (state !== 'completed' && state !== 'done-before') throw error ?? new Error(`ended as ${state}`);
