import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { parseArchitecture } from '#src/model/architecture/config.js';
import { makeBundle } from '../support/formula-weights.js';
import { type EncoderFigures, encoderFigures, FIGURES, TRIED } from './encoder-figures.js';
import { differences, goldenCases } from './parity.js';
import { onePatch, SIDE, THREADS, timeBundle } from './timed.js';

/**
 * Measures what docs/models.md says of the encoders and writes it to encoder_figures.json; `vitest -u test/model/docs.test.ts` then
 * writes the page:
 *     npx vitest run -c test/engine/table.config.ts encoder-table
 * Speeds are of FPN on each encoder, in turn with FPN/ResNet34, so that a busy machine disturbs both alike.
 */
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
    const reference = await onePatch(await bundleOf('resnet34', folder), folder);
    const timed: Record<string, EncoderFigures['timed'][string]> = { ...known.timed };
    for (const encoder of TRIED) {
      if (only && !only.includes(encoder)) continue;
      const bundle = await bundleOf(encoder, folder);
      timed[encoder] = await timeBundle(bundle, reference, folder);
      process.stderr.write(`${encoder} ${JSON.stringify(timed[encoder])}\n`);
      await rm(bundle, { recursive: true });
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
