// What a GPU does with the model, and the graph with a GPU: `npm run bench -- gpu [--seconds 540] [--engines tensorrt,cuda,webgpu] [--batches 1,4,16,32] [--side 512]`.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readNvidia } from '#src/doctor/nvidia.js';
import { probeEngines } from '#src/engine/probe.js';
import { defaultCacheFolder } from '#src/model/onnx/compile.js';
import { benchEfficiency } from './efficiency.mjs';
import { readPatches } from './patches.mjs';
import { FIXTURE, withFolder } from './support.mjs';

const CHILD = fileURLToPath(new URL('gpu-child.mjs', import.meta.url));
/** Engines of GPUs that have float16, as tfjs has not. */
const HALVES = ['tensorrt', 'cuda', 'webgpu'];
const PATCHES = 8;
/** Of the time for all, what the run through the whole graph may take. */
const LAST_SHARE = 0.25;

/**
 * Parity with the CPU engine and patches a second, by engine, precision and batch, each in a process of its own, so that a driver that
 * crashes or hangs ends one line; then the whole graph ÷ the model alone with the fastest. Ends in the time it is given: what was left out for
 * want of it is named.
 */
export function benchGpu({ model, seconds = 540, engines, batches = [1, 4, 16, 32], side = 512, say }) {
  const began = performance.now();
  const left = () => seconds - (performance.now() - began) / 1000;
  return withFolder(async folder => {
    const nvidia = await readNvidia().catch(() => undefined);
    const gpus = nvidia?.gpus?.map(({ name }) => name) ?? [];
    say(`${gpus.join(', ') || 'no NVIDIA GPU'}; ${availableParallelism()} × ${cpus()[0]?.model}; ${seconds} s for all`);
    const patches = join(folder, 'patches');
    writeFileSync(patches, await readPatches(FIXTURE, side, PATCHES));
    const common = { model, side, patches, cacheFolder: defaultCacheFolder(), threads: 0 };
    const reference = { path: join(folder, 'scores') };
    const one = (engine, half, batch, more = {}) =>
      runChild({ ...common, engine, half, batch, seconds: 3, reference, ...more }, left());
    const cpu = await one('cpu', false, 1, { reference: { ...reference, write: true } });
    if (cpu.failed) throw new Error(`the CPU engine, which the others are held against: ${cpu.failed}`);
    const measured = [{ engine: 'cpu', precision: 'float32', batch: 1, ...cpu }];
    say(line(measured[0]));

    const wanted = engines ?? ['tensorrt', 'cuda', 'webgpu', 'tfjs-node-gpu', 'tfjs-webgpu'];
    const notRun = {};
    const leftOut = [];
    for (const { name, found, why } of await probeEngines({
      engines: wanted,
      model,
      timeoutSeconds: Math.ceil(Math.min(120, left() / 4)),
    })) {
      if (!found) {
        notRun[name] = why;
        say(`  ${name}: not here: ${why}`);
        continue;
      }
      for (const half of HALVES.includes(name) ? [false, true] : [false]) {
        let took = 0;
        for (const batch of batches) {
          const what = { engine: name, precision: half ? 'float16' : 'float32', batch };
          // A larger batch takes longer than the one before.
          if (left() - took * 2 < seconds * LAST_SHARE) {
            leftOut.push(what);
            continue;
          }
          const from = left();
          const result = await one(name, half, batch);
          took = from - left();
          measured.push({ ...what, ...result });
          say(line(measured.at(-1)));
          if (result.failed) break;
        }
      }
    }
    const best = measured
      .filter(({ failed }) => !failed)
      .reduce((a, b) => (b.patchesPerSecond > a.patchesPerSecond ? b : a));
    const options = { engine: best.engine, batch: best.batch, half: best.precision === 'float16', model };
    // The graph's patches have the model's size.
    const perSecond = best.patchesPerSecond * (side / 512) ** 2;
    const whole = await endToEnd(options, perSecond, left());
    say(
      `  ${best.engine}, ${best.precision}, batch ${best.batch}: whole graph ÷ model alone ${whole.ratio?.toFixed(3) ?? whole.failed}`,
    );
    if (leftOut.length > 0) say(`  left out for want of time: ${leftOut.map(name).join('; ')}`);
    return { gpus, side, measured, notRun, leftOut, endToEnd: { ...options, ...whole }, seconds: seconds - left() };
  });
}

/** Two rounds of both ways, on as large a slide as half of the time that is left allows; the fixture has 30 patches. */
async function endToEnd(options, perSecond, seconds) {
  const times = Math.floor(Math.sqrt((perSecond * seconds) / 2 / 4 / 30));
  if (times < 1) return { failed: 'no time was left for it' };
  try {
    return await benchEfficiency({ slide: FIXTURE, rounds: 2, times: Math.min(8, times), options });
  } catch (error) {
    return { failed: error.message };
  }
}

async function runChild(task, seconds) {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, JSON.stringify(task)], {
      timeout: Math.ceil(Math.max(1, seconds) * 1000),
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 26,
    });
    return JSON.parse(stdout.trim().split('\n').at(-1));
  } catch (error) {
    if (error.killed) return { failed: `longer than ${seconds.toFixed(0)} s` };
    const lines = String(error.stderr ?? '').split('\n');
    return { failed: lines.find(text => /error/i.test(text)) ?? error.message.split('\n')[0] };
  }
}

const name = ({ engine, precision, batch }) => `${engine} ${precision} × ${batch}`;

function line(result) {
  if (result.failed) return `  ${name(result)}: ${result.failed}`;
  const { patchesPerSecond, batchMs, loadSeconds, parity } = result;
  const same = parity
    ? `; scores differ by ${parity.largest.toExponential(1)} at most, ${(parity.flipped * 100).toFixed(3)} % of the pixels flipped`
    : '';
  return `  ${name(result)}: ${patchesPerSecond.toFixed(1)} patches/s (${batchMs.toFixed(0)} ms a batch, ${loadSeconds.toFixed(1)} s to load)${same}`;
}
