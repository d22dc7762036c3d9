import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findProgram, startNatsServer } from '#src/cli/nats-server.js';
import { connect } from '#src/event/client.js';
import { withFolder } from './support.mjs';

const CHILD = fileURLToPath(new URL('kill-child.mjs', import.meta.url));

/**
 * Kills the process (SIGKILL) at random moments while it segments a slide and publishes to a real NATS server, starts it
 * again until the slide is done, and repeats with fresh slides until it was killed `n` times. Against an undisturbed run:
 * `lost` counts masks that no subscriber saw or that lack in the files, `doubled` what an aggregate counts more than once.
 */
export async function benchKills({ slide, n, seed = 1, onProgress = () => undefined }) {
  const program = findProgram('nats-server');
  if (!program) throw new Error('nats-server is needed: apt-get install nats-server');
  const server = await startNatsServer(program);
  try {
    return await withFolder(async folder => {
      const startedAt = performance.now();
      const control = await runThrough(slide, join(folder, 'control'), server.url);
      const wholeMs = performance.now() - startedAt;
      const random = generator(seed);
      const result = { kills: 0, starts: 0, slides: 0, lost: 0, doubled: 0 };
      for (let round = 0; result.kills < n; round += 1) {
        const out = join(folder, `round-${round}`);
        const seen = await runThrough(slide, out, server.url, async child => {
          result.starts += 1;
          if (result.kills >= n) return;
          const exited = once(child, 'exit');
          await Promise.race([sleep(random() * wholeMs), exited]);
          if (child.exitCode === null && child.kill('SIGKILL')) result.kills += 1;
          await exited;
        });
        result.slides += 1;
        result.lost += [...control.masks].filter(mask => !seen.masks.has(mask)).length;
        result.lost += seen.files === control.files ? 0 : 1;
        result.doubled += surplus(seen.summary, control.summary);
        onProgress(result);
      }
      return result;
    });
  } finally {
    await server.stop();
  }
}

/** Starts the child until it exits by itself; `disturb` may kill it. */
async function runThrough(slide, out, url, disturb = async () => undefined) {
  const client = await connect({ url });
  const stop = new AbortController();
  const masks = new Set();
  const listening = (async () => {
    for await (const mask of client.masks({ signal: stop.signal }))
      masks.add(`${mask.col},${mask.row},${mask.stromapixels}`);
  })();
  await client.ready();
  for (let status; status !== 0; ) {
    const child = spawn(process.execPath, [CHILD, slide, out, url], { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', chunk => {
      errors += chunk;
    });
    const exited = once(child, 'exit');
    await disturb(child);
    const [code, signal] = await exited;
    if (code !== 0 && signal === null) throw new Error(`the child failed by itself: ${errors}`);
    status = code;
  }
  await sleep(100);
  stop.abort();
  await listening;
  await client.close();
  const summary = JSON.parse(await readFile(join(out, 'slide', 'summary.json'), 'utf8'));
  return { masks, summary, files: await digest(join(out, 'slide')) };
}

async function digest(folder) {
  const hash = createHash('sha256');
  for (const file of ['mask.geojson', 'patches.jsonl']) hash.update(await readFile(join(folder, file)));
  return hash.digest('hex');
}

function surplus(seen, control) {
  const more = name => Math.max(0, seen.patches[name] - control.patches[name]);
  return more('segmented') + more('empty') + more('failed') + (seen.area.stromaMm2 > control.area.stromaMm2 ? 1 : 0);
}

/** mulberry32: the same seed kills at the same fractions. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
