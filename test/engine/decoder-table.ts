import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { DECODERS } from '#src/model/architecture/decoder/decoders.js';
import { makeBundle } from '../support/formula-weights.js';
import { DECODER_FIGURES, type DecoderFigures, decoderFigures } from './decoder-figures.js';
import { differences, goldenCases } from './parity.js';
import { onePatch, SIDE, THREADS, timeBundle } from './timed.js';

/**
 * Measures what docs/models.md says of the decoders and writes it to decoder_figures.json; `vitest -u test/model/docs.test.ts` then
 * writes the page:
 *     npx vitest run -c test/engine/table.config.ts decoder-table
 * What the file has is not measured again. Speeds are over ResNet34, in turn with FPN/ResNet34.
 */
const ABOUT = `${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${THREADS} threads, patches of ${SIDE} px`;

test('decoders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'decoders-'));
  try {
    let figures: DecoderFigures = { ...(await decoderFigures()), about: ABOUT };
    const keep = async (more: Partial<DecoderFigures>) => {
      figures = { ...figures, ...more };
      const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value);
      await writeFile(DECODER_FIGURES, `${JSON.stringify(figures, rounded, 1)}\n`);
    };
    for (const [name, golden] of Object.entries(await goldenCases('decoder_cases.json'))) {
      if (name in figures.deltas) continue;
      const [logits] = await differences(name, golden, 'cpu', 'decoder_golden.safetensors');
      await keep({ deltas: { ...figures.deltas, [name]: logits!.max / logits!.range } });
    }
    const bundleOf = (decoder: string, beside: string) =>
      makeBundle({ config: { _model_class: decoder }, manifest: { patchSize: SIDE } }, join(folder, beside, decoder));
    const reference = await onePatch(await bundleOf('FPN', '.'), folder);
    for (const decoder of Object.keys(DECODERS)) {
      if (decoder in figures.timed) continue;
      const bundle = await bundleOf(decoder, 'tried');
      const timed = await timeBundle(bundle, reference, folder);
      await keep({ timed: { ...figures.timed, [decoder]: timed } });
      process.stderr.write(`${decoder} ${JSON.stringify(timed)}\n`);
      await rm(bundle, { recursive: true });
    }
    await reference.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
