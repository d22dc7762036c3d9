// Segments one slide with the engine a user gets and prints the peak memory of this process and its engine's together.
import { readdirSync, readFileSync } from 'node:fs';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { configWith } from './support.mjs';

const [path, out, engine] = process.argv.slice(2);
const parts = await openParts(await configWith({ out, 'keep-empty': true, ...(engine && { engine }) }));
const task = { path, id: 'slide', open: () => openSlide(path, { mpp: 0.499, id: 'slide' }) };
const result = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
const maxRssBytes = peakBytes(process.pid) + engines().reduce((sum, pid) => sum + peakBytes(pid), 0);
await parts.close();
if (result.state !== 'completed') throw new Error(`ended as ${result.state}`, { cause: result.error });
console.log(JSON.stringify({ maxRssBytes, patches: result.summary.patches.expected }));

/** Linux hands a parent's ru_maxrss on to its children; VmHWM starts anew with the program. */
function peakBytes(pid) {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

function engines() {
  return readdirSync('/proc/self/task').flatMap(task =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
