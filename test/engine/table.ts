import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'vitest';
import type { EngineName } from '#src/engine/catalogue.js';
import { createSegmenter } from '#src/engine/create.js';
import { probeEngines } from '#src/engine/probe.js';
import { Arena } from '#src/stage/arena.js';
import { makeBundle } from '../support/formula-weights.js';
import { useSoftwareGpu } from '../support/software-gpu.js';
import { differences, goldenCases, goldenPatch } from './parity.js';

/**
 * The table of engines × models in docs/engines.md, from one run:
 *     npx vitest run -c test/engine/table.config.ts
 * Every engine that runs here is measured (ENGINES=cpu,tfjs-wasm: these only); GPU engines run on SwiftShader where there is no GPU (SOFTWARE_GPU=1).
 * TORCH=<python with torch and smp>: PyTorch runs too, its batches in turn with onnxruntime's.
 */
const MODELS = ['fpn-resnet34', 'unet-resnet34', 'unet-vgg16'] as const;
const BATCH = 4;
const THREADS = 2;
const ROUNDS = 7;
/** Engines too slow for whole patches here are timed on small ones. */
const SIDE: Readonly<Record<string, number>> = {
  'tfjs-cpu': 64,
  ...(process.env['SOFTWARE_GPU'] && { webgpu: 64, 'tfjs-webgpu': 64 }),
};

const say = (line: string) => process.stdout.write(`${line}\n`);
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

test('engines and models', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'table-'));
  try {
    if (process.env['SOFTWARE_GPU']) useSoftwareGpu();
    const cases = await goldenCases();
    for (const model of MODELS) await makeBundle({ config: cases[model]!.config }, join(folder, model));
    const engines = process.env['ENGINES']?.split(',') as EngineName[] | undefined;
    const probes = await probeEngines({ cacheFolder: folder, threads: THREADS, ...(engines && { engines }) });
    const found = probes.filter(probe => probe.found);
    say(`${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${THREADS} threads, batch ${BATCH}\n`);
    say(
      '| engine | model | max \\|Δlogit\\| | mask pixels that differ | patch | patches/s |\n|---|---|---|---|---|---|',
    );
    for (const { name: engine, version } of found)
      for (const model of MODELS) {
        const golden = `${model}${SIDE[engine] ? '-64px' : ''}`;
        const logits = (await differences(golden, cases[golden]!, engine))[0]!;
        const side = SIDE[engine] ?? 512;
        const seconds = await timed(engine, join(folder, model), side, folder);
        const speed = (1 / seconds).toPrecision(3);
        say(
          `| ${engine} (${version}) | ${model} | ${logits.max.toExponential(1)} | ${logits.flipped} | ${side} px | ${speed} |`,
        );
      }
    if (process.env['TORCH']) await againstTorch(process.env['TORCH'], folder);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function segmenterOf(engine: string, model: string, side: number, cacheFolder: string, batch: number) {
  const arena = new Arena({ slots: batch, patchSize: side });
  const { pixels } = await goldenPatch(side);
  for (let slot = 0; slot < batch; slot++) arena.slot(slot).set(pixels);
  const segmenter = await createSegmenter({ engine, model, arena, batch, threads: THREADS, cacheFolder });
  const slots = Array.from({ length: batch }, (_, slot) => slot);
  return { close: () => segmenter.close(), run: async () => (await segmenter.segment(slots)).seconds };
}

async function timed(engine: string, model: string, side: number, cacheFolder: string): Promise<number> {
  const batch = engine === 'cpu' ? BATCH : 1;
  const { run, close } = await segmenterOf(engine, model, side, cacheFolder, batch);
  const seconds: number[] = [];
  for (let round = 0; round < (batch > 1 ? ROUNDS : 2); round++) seconds.push(await run());
  await close();
  return Math.min(...seconds) / batch;
}

/** Batches of PyTorch (eager, then compiled) and of onnxruntime in turn, so that a busy machine disturbs all alike. */
async function againstTorch(python: string, folder: string): Promise<void> {
  say('\n| model | PyTorch eager | PyTorch compiled | onnxruntime | compiled ÷ onnxruntime |\n|---|---|---|---|---|');
  for (const model of MODELS) {
    const ours = await segmenterOf('cpu', join(folder, model), 512, folder, BATCH);
    const [eager, compiled] = [await torch(python, model, '0'), await torch(python, model, '1')];
    const all = [eager, compiled, ours];
    const seconds = all.map(() => [] as number[]);
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, one] of all.entries()) seconds[i]!.push(await one.run());
    await Promise.all(all.map(one => one.close()));
    const [e, c, o] = seconds.map(median) as [number, number, number];
    say(`| ${model} | ${[e, c, o].map(s => `${(s / BATCH).toFixed(3)} s`).join(' | ')} | ${(c / o).toFixed(2)} |`);
  }
}

async function torch(python: string, model: string, compiled: '0' | '1') {
  const script = new URL('../golden/model_speed.py', import.meta.url).pathname;
  const child = spawn(python, [script, model, `${BATCH}`, `${THREADS}`, compiled], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    async run() {
      child.stdin.write('\n');
      return Number((await lines.next()).value);
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
