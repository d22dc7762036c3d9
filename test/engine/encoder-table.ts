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
 * What the file has is not measured again: delete it, or the entries in question. Speeds are of FPN on each encoder, in turn with FPN/ResNet34, so that a busy machine disturbs both alike.
 */
const ABOUT = `${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${THREADS} threads, patches of ${SIDE} px`;

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
    const reference = await onePatch(await bundleOf('resnet34', folder), folder);
    for (const encoder of TRIED) {
      if (encoder in figures.timed) continue;
      const bundle = await bundleOf(encoder, join(folder, 'tried'));
      const timed = await timeBundle(bundle, reference, folder);
      await rm(bundle, { recursive: true });
      await keep({ timed: { ...figures.timed, [encoder]: timed } });
      process.stderr.write(`${encoder} ${JSON.stringify(timed)}\n`);
    }
    await reference.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});

function bundleOf(encoder: string, folder: string): Promise<string> {
  const config = { _model_class: 'FPN', encoder_name: encoder };
  parseArchitecture(config, encoder);
  return makeBundle({ config, manifest: { patchSize: SIDE } }, join(folder, encoder));
}
