import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { makeLargeSlide } from './large-slide.mjs';
import { withFolder } from './support.mjs';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const SECONDS = 20;
/** Kernel ticks a second in /proc/<pid>/stat (USER_HZ). */
const TICKS = 100;

/**
 * What `watch` costs when nothing happens: beside a DICOM slide of a thousand parts of which the last has not come, and
 * beside the same slide when it is done. Shares of one core.
 */
export async function benchIdle({ slide: small, say }) {
  return withFolder(async folder => {
    const slide = join(folder, 'slide.tif');
    await makeLargeSlide(small, slide, 4);
    const { path } = await simulateScan(slide, join(folder, 'made'), {
      ...{ as: 'dicom', order: 'rows', rate: 0, partTiles: 2 },
    });
    const input = join(folder, 'in');
    await mkdir(input);
    const parts = readdirSync(path);
    const last = parts.at(-1);
    await rename(join(path, last), join(folder, last));
    await rename(path, join(input, 'slide'));
    const options = ['--out', join(folder, 'out'), '--engine', 'null', '--port', '0', '--batch-delay', '0', '--json'];
    const child = spawn(process.execPath, [MAIN, 'watch', input, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    try {
      await calm(child.pid);
      const waiting = await shareOfACore(child.pid);
      say(`${parts.length} parts, the last one missing: ${(waiting * 100).toFixed(2)} % of a core`);
      const tree = join(input, 'slide');
      await rename(join(folder, last), join(tree, last));
      for (let state = ''; state !== 'completed'; ) ({ state = '' } = JSON.parse((await lines.next()).value));
      await calm(child.pid);
      const done = await shareOfACore(child.pid);
      say(`all parts there and segmented: ${(done * 100).toFixed(2)} % of a core`);
      return { parts: parts.length, waiting, done };
    } finally {
      child.kill('SIGTERM');
    }
  });
}

/** Waits until a process has done what it had to do. */
async function calm(pid) {
  for (let quiet = 0; quiet < 3; ) {
    const before = ticks(pid);
    await sleep(1000);
    quiet = ticks(pid) - before < TICKS / 10 ? quiet + 1 : 0;
  }
}

async function shareOfACore(pid) {
  const before = ticks(pid);
  await sleep(SECONDS * 1000);
  return (ticks(pid) - before) / TICKS / SECONDS;
}

/** Time in user and system mode, all threads together (proc(5)). */
function ticks(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
