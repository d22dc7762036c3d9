import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { Arena } from '#src/arena.js';
import { createSegmenter } from '#src/engine/create.js';
import { quantiseBundle } from '#src/engine/quantise.js';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { makeBundle } from '../support/formula-weights.js';
import { type EncoderFigures, encoderFigures, FIGURES, TRIED } from './encoder-figures.js';
import { differences, goldenCases, goldenPatch } from './parity.js';

/**
 * Measures what docs/models.md says of the encoders and writes it to encoder_figures.json; `vitest -u test/model/docs.test.ts` then
 * writes the page:
 *     npx vitest run -c test/engine/table.config.ts encoder-table
 * What the file has is not measured again: delete it, or the entries in question. Speeds are of FPN on each encoder, in turn with FPN/ResNet34: seconds of the processor, the
 * fewest of each, which a busy machine disturbs little.
 */
const SIDE = 256;
const ROUNDS = 6;
const THREADS = 1;
const PATCHES = 12;
const ABOUT = `${cpus()[0]!.model.trim()}, ${THREADS} thread, patches of ${SIDE} px`;

test('encoders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'encoders-'));
  try {
    let figures: EncoderFigures = { ...(await encoderFigures()), about: ABOUT };
    const keep = async (more: Partial<EncoderFigures>) => {
      figures = { ...figures, ...more };
      const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value);
      await writeFile(FIGURES, `${JSON.stringify(figures, rounded, 1)}\n`);
    };
    for (const [name, golden] of Object.entries(await goldenCases('encoder_cases.json'))) {
      if (name in figures.deltas) continue;
      const [logits] = await differences(name, golden, 'cpu', 'encoder_golden.safetensors');
      await keep({ deltas: { ...figures.deltas, [name]: logits!.max / logits!.range } });
      process.stderr.write(`${name} ${(logits!.max / logits!.range).toExponential(1)}\n`);
    }
    const reference = await segmenterOf(await bundleOf('resnet34', folder), folder);
    for (const encoder of TRIED) {
      if (encoder in figures.timed) continue;
      const timed = await timedBeside(reference, encoder, folder);
      await keep({ timed: { ...figures.timed, [encoder]: timed } });
      process.stderr.write(`${encoder} ${JSON.stringify(timed)}\n`);
    }
    await reference.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function timedBeside(
  reference: Timer,
  encoder: string,
  folder: string,
): Promise<EncoderFigures['timed'][string]> {
  const bundle = await bundleOf(encoder, join(folder, 'tried'));
  const whole = `${bundle}-int8`;
  const options = { patches: slidePatches(), threads: THREADS, cacheFolder: folder };
  const { comparison } = await quantiseBundle(bundle, whole, options);
  const timers = [reference, await segmenterOf(bundle, folder), await segmenterOf(whole, folder)];
  const seconds = timers.map(() => [] as number[]);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, one] of timers.entries()) seconds[i]!.push(await one.run());
  await Promise.all(timers.slice(1).map(timer => timer.close()));
  for (const path of [bundle, whole]) await rm(path, { recursive: true });
  const [theirs, ours, int8] = seconds.map(all => Math.min(...all)) as [number, number, number];
  return {
    seconds: ours,
    times: theirs / ours,
    int8: { times: ours / int8, mean: comparison.mean, agreement: comparison.agreement },
  };
}

interface Timer {
  /** Seconds of the processor for a patch. */
  run(): Promise<number>;
  close(): Promise<void>;
}

function bundleOf(encoder: string, folder: string): Promise<string> {
  const config = { _model_class: 'FPN', encoder_name: encoder };
  parseArchitecture(config, encoder);
  return makeBundle({ config, manifest: { patchSize: SIDE } }, join(folder, encoder));
}

/** Squares of the committed patch, as many as four corners and their mirror images give. */
async function* slidePatches(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { pixels } = await goldenPatch(512);
  for (let i = 0; i < PATCHES; i++) {
    const [top, left] = [((i * 96) % 257) & ~1, (Math.floor(i / 3) * 85) % 257];
    const patch = new Uint8Array(SIDE * SIDE * 3);
    for (let y = 0; y < SIDE; y++)
      patch.set(pixels.subarray(((top + y) * 512 + left) * 3, ((top + y) * 512 + left + SIDE) * 3), y * SIDE * 3);
    yield patch;
  }
}

async function segmenterOf(model: string, cacheFolder: string): Promise<Timer> {
  const arena = new Arena({ slots: 1, patchSize: SIDE });
  arena.slot(0).set((await goldenPatch(SIDE)).pixels);
  const segmenter = await createSegmenter({ engine: 'cpu', model, arena, batch: 1, threads: THREADS, cacheFolder });
  const run = async () => {
    const before = process.cpuUsage();
    await segmenter.segment([0]);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  return { close: () => segmenter.close(), run };
}
