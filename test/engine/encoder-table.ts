import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
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
 * Speeds are of FPN on each encoder, in turn with FPN/ResNet34, so that a busy machine disturbs both alike.
 */
const SIDE = 256;
const ROUNDS = 5;
const THREADS = 2;
const PATCHES = 12;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

test('encoders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'encoders-'));
  try {
    const cases = Object.entries(await goldenCases('encoder_cases.json'));
    const known = await encoderFigures();
    const only = process.env['ONLY']?.split(',');
    const deltas = new Map<string, number>();
    for (const [name, golden] of cases) {
      const encoder = String(golden.config['encoder_name']);
      if (only && !only.includes(encoder)) continue;
      const [logits] = await differences(name, golden, 'cpu', 'encoder_golden.safetensors');
      deltas.set(encoder, Math.max(deltas.get(encoder) ?? 0, logits!.max / logits!.range));
      process.stderr.write(`${name} ${deltas.get(encoder)!.toExponential(1)}\n`);
    }
    const reference = await segmenterOf(await bundleOf('resnet34', folder), folder);
    const timed: Record<string, EncoderFigures['timed'][string]> = { ...known.timed };
    for (const encoder of TRIED) {
      if (only && !only.includes(encoder)) continue;
      const bundle = await bundleOf(encoder, folder);
      const { comparison } = await quantiseBundle(bundle, `${bundle}-int8`, {
        patches: slidePatches(),
        threads: THREADS,
        cacheFolder: folder,
        overwrite: true,
      });
      const whole = await segmenterOf(`${bundle}-int8`, folder);
      const own = await segmenterOf(bundle, folder);
      const seconds = [reference, own, whole].map(() => [] as number[]);
      for (let round = 0; round < ROUNDS; round++)
        for (const [i, one] of [reference, own, whole].entries()) seconds[i]!.push(await one.run());
      await own.close();
      await whole.close();
      const [theirs, ours, int8] = seconds.map(median) as [number, number, number];
      timed[encoder] = {
        patchesPerSecond: 1 / ours,
        times: theirs / ours,
        int8: { times: ours / int8, mean: comparison.mean, agreement: comparison.agreement },
      };
      process.stderr.write(`${encoder} ${JSON.stringify(timed[encoder])}\n`);
      await rm(bundle, { recursive: true });
      await rm(`${bundle}-int8`, { recursive: true });
    }
    await reference.close();
    const found: EncoderFigures = {
      about: `${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${THREADS} threads, patches of ${SIDE} px`,
      deltas: { ...known.deltas, ...Object.fromEntries([...deltas].map(([name, delta]) => [name, rounded(delta)])) },
      timed,
    };
    const text = JSON.stringify(found, (_, value: unknown) => (typeof value === 'number' ? rounded(value) : value), 1);
    await writeFile(FIGURES, `${text}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
});

const rounded = (value: number) => Number(value.toPrecision(3));

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

async function segmenterOf(model: string, cacheFolder: string) {
  const arena = new Arena({ slots: 1, patchSize: SIDE });
  arena.slot(0).set((await goldenPatch(SIDE)).pixels);
  const segmenter = await createSegmenter({ engine: 'cpu', model, arena, batch: 1, threads: THREADS, cacheFolder });
  return { close: () => segmenter.close(), run: async () => (await segmenter.segment([0])).seconds };
}
