import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { lastValueFrom, of } from 'rxjs';
import { openParts } from '#pipelines/parts.js';
import { segmentSlides } from '#pipelines/segment.js';
import { openSlide } from '#src/slide/open.js';
import { makeLargeSlide } from './large-slide.mjs';
import { configWith, median, withFolder } from './support.mjs';

/** Takes what it is sent, in a process of its own, and says how many bytes. */
const COLLECTOR = `
const server = require('node:http').createServer((request, response) => {
  request.on('data', () => {}).on('end', () => response.end('{}'));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

/**
 * Processor time a patch with traces and without, null engine, every patch segmented: one process, two graphs in turn, and a collector beside it
 * whose time is not counted.
 */
export function benchTraces({ slide: small, rounds, say }) {
  return withFolder(async folder => {
    const slide = join(folder, 'slide.tif');
    await makeLargeSlide(small, slide, 4);
    const collector = spawn(process.execPath, ['-e', COLLECTOR], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(collector.stdout, 'data');
    const open = async (name, otlp) =>
      openParts(
        await configWith({ out: join(folder, name), 'keep-empty': true, engine: 'null', ...(otlp && { otlp }) }),
      );
    const graphs = { without: await open('without'), traced: await open('traced', `http://127.0.0.1:${Number(port)}`) };
    try {
      const seen = { without: [], traced: [] };
      for (let round = -1; round < rounds; round += 1)
        for (const [name, parts] of Object.entries(graphs)) {
          const ms = await run(parts, slide, `round-${round}`);
          // The first warms up.
          if (round >= 0) seen[name].push(ms);
        }
      const ratios = seen.traced.map((ms, i) => ms / seen.without[i]);
      const result = {
        rounds,
        withoutMs: median(seen.without),
        tracedMs: median(seen.traced),
        ratio: median(ratios),
        lowest: Math.min(...ratios),
        highest: Math.max(...ratios),
      };
      say(
        `processor time a patch: ${result.withoutMs.toFixed(3)} ms, traced ${result.tracedMs.toFixed(3)} ms; ratio ${result.ratio.toFixed(3)} (rounds ${result.lowest.toFixed(3)}–${result.highest.toFixed(3)})`,
      );
      return result;
    } finally {
      for (const parts of Object.values(graphs)) await parts.close();
      collector.kill();
    }
  });
}

/** Milliseconds of this process's processor time a patch. */
async function run(parts, path, id) {
  const task = { path, id, open: () => openSlide(path, { id }) };
  const before = process.cpuUsage();
  const result = await lastValueFrom(segmentSlides(of(task), parts, new AbortController().signal));
  const { user, system } = process.cpuUsage(before);
  if (result.state !== 'completed') throw new Error(`the slide ended as ${result.state}`, { cause: result.error });
  return (user + system) / 1000 / result.summary.patches.expected;
}
