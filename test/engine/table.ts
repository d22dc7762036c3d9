import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'vitest';
import { Arena } from '#src/arena.js';
import type { EngineName } from '#src/engine/catalogue.js';
import { createSegmenter } from '#src/engine/create.js';
import { probeEngines } from '#src/engine/probe.js';
import { quantiseBundle } from '#src/engine/quantise.js';
import { folderPatches } from '#src/evaluate/folder-patches.js';
import { makeBundle, STARTER } from '../support/formula-weights.js';
import { useSoftwareGpu } from '../support/software-gpu.js';
import { differences, goldenCases, goldenPatch } from './parity.js';

/**
 * The tables of docs/engines.md, from one run:
 *     TORCH=<python with torch and smp> npx vitest run -c test/engine/table.config.ts
 * Every engine that runs here × the study's three models; then the starter model in int8; then, with TORCH, PyTorch, its
 * batches in turn with onnxruntime's. Where there is no GPU, the GPU engines run on SwiftShader if it is installed
 * (SOFTWARE_GPU=0: they do not). ENGINES=cpu,tfjs-wasm: these only. On a busy machine the speeds mean little.
 */
const MODELS = ['fpn-resnet34', 'unet-resnet34', 'unet-vgg16'] as const;
const BATCH = 4;
const THREADS = 2;
const ROUNDS = 7;
const SLIDES = new URL('../fixtures/', import.meta.url).pathname;

const softwareGpu =
  !['/dev/dri', '/dev/nvidiactl', '/dev/dxg'].some(existsSync) &&
  process.env['SOFTWARE_GPU'] !== '0' &&
  existsSync('/usr/lib/chromium/vk_swiftshader_icd.json');
/** Engines too slow for whole patches here are run on small ones. */
const small = (engine: string) => engine === 'tfjs-cpu' || (softwareGpu && engine.endsWith('webgpu'));

const say = (line: string) => process.stdout.write(`${line}\n`);
/** What is being done goes beside the tables, so that a run that stands still says where. */
const progress = (what: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${what}\n`);
const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

test('engines and models', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'table-'));
  try {
    if (softwareGpu) useSoftwareGpu();
    const cases = await goldenCases();
    for (const model of MODELS) await makeBundle({ config: cases[model]!.config }, join(folder, model));
    const wanted = process.env['ENGINES']?.split(',') as EngineName[] | undefined;
    progress('looking for engines');
    const probing = { cacheFolder: folder, threads: THREADS, timeoutSeconds: 300, ...(wanted && { engines: wanted }) };
    const probes = await probeEngines(probing);
    say(`${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${THREADS} threads, batch ${BATCH}\n`);
    for (const { name, why } of probes.filter(probe => !probe.found)) say(`not run: ${name} (${why})`);
    say(
      '\n| engine | model | max \\|Δlogit\\| | mask pixels that differ | patch | patches/s |\n|---|---|---|---|---|---|',
    );
    for (const { name: engine, version, device } of probes.filter(probe => probe.found))
      for (const model of MODELS) {
        progress(`${engine}, ${model}`);
        const side = small(engine) ? 64 : 512;
        const golden = `${model}${side === 64 ? '-64px' : ''}`;
        const logits = (await differences(golden, cases[golden]!, engine))[0]!;
        const seconds = await timed(engine, join(folder, model), side, folder);
        const cells = [
          `${engine} (${version}${engine.endsWith('webgpu') ? `, ${softwareGpu ? 'SwiftShader' : device}` : ''})`,
          model,
          logits.max.toExponential(1),
          logits.flipped,
          `${side} px`,
          (1 / seconds).toPrecision(3),
        ];
        say(`| ${cells.join(' | ')} |`);
      }
    if (!wanted || wanted.includes('cpu')) await int8(folder);
    if (process.env['TORCH']) await againstTorch(process.env['TORCH'], folder);
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** The starter model calibrated on patches of the committed slide, compared on others of it, batches in turn. */
async function int8(folder: string): Promise<void> {
  progress('int8');
  const patches = folderPatches(SLIDES, { spacing: 0.5, patchSize: 512, most: 16, seed: 1 });
  const path = join(folder, 'int8');
  const { comparison } = await quantiseBundle(STARTER, path, { patches, threads: THREADS, cacheFolder: folder });
  const both = [
    await segmenterOf('cpu', STARTER, 512, folder, BATCH),
    await segmenterOf('cpu', path, 512, folder, BATCH),
  ];
  const seconds = both.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++) for (const [i, one] of both.entries()) seconds[i]!.push(await one.run());
  await Promise.all(both.map(one => one.close()));
  const [float, whole] = seconds.map(median) as [number, number];
  const { largest, mean, agreement } = comparison;
  say(
    '\n| starter model | float32 | int8 | times | max \\|Δlogit\\| | mean | mask pixels that agree |\n|---|---|---|---|---|---|---|',
  );
  const speeds = [float, whole].map(s => `${(s / BATCH).toFixed(3)} s a patch`).join(' | ');
  const figures = [
    (float / whole).toFixed(2),
    largest.toFixed(3),
    mean.toFixed(3),
    `${(agreement * 100).toFixed(2)} %`,
  ];
  say(`| FPN/ResNet34 | ${speeds} | ${figures.join(' | ')} |`);
}

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
    progress(`PyTorch, ${model}`);
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
