import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';
import { DECODERS } from '#src/model/architecture/decoder/decoders.js';
import { makeBundle } from '../support/formula-weights.js';
import { DECODER_FIGURES, type DecoderFigures, decoderFigures } from './decoder-figures.js';
import { differences, goldenCases } from './parity.js';
import { onePatch, SIDE, THREADS, type Timed, timeBundle } from './timed.js';

/**
 * Measures what docs/models.md says of the decoders and writes it to decoder_figures.json; `vitest -u test/model/docs.test.ts` then
 * writes the page:
 *     npx vitest run -c test/engine/table.config.ts decoder-table
 * Speeds are over ResNet34, in turn with FPN/ResNet34. ONLY=PAN,UPerNet measures these and keeps the others.
 */
test('decoders', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'decoders-'));
  const only = process.env['ONLY']?.split(',');
  const wanted = (name: string) => !only || only.includes(name);
  try {
    const known = await decoderFigures();
    const deltas: Record<string, number> = only ? { ...known.deltas } : {};
    for (const [name, golden] of Object.entries(await goldenCases('decoder_cases.json'))) {
      const decoder = String(golden.config['_model_class']);
      if (!wanted(decoder)) continue;
      const [logits] = await differences(name, golden, 'cpu', 'decoder_golden.safetensors');
      deltas[decoder] = Math.max(deltas[decoder] ?? 0, logits!.max / logits!.range);
    }
    const timed: Record<string, Timed> = { ...known.timed };
    const bundleOf = (decoder: string) =>
      makeBundle({ config: { _model_class: decoder }, manifest: { patchSize: SIDE } }, join(folder, decoder));
    const reference = await onePatch(await bundleOf('FPN'), folder);
    for (const decoder of Object.keys(DECODERS).filter(wanted)) {
      const bundle = await bundleOf(decoder);
      timed[decoder] = await timeBundle(bundle, reference, folder);
      process.stderr.write(`${decoder} ${JSON.stringify(timed[decoder])}\n`);
      if (decoder !== 'FPN') await rm(bundle, { recursive: true });
    }
    await reference.close();
    const about = `${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${THREADS} threads, patches of ${SIDE} px`;
    const found: DecoderFigures = { about, deltas, timed };
    const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(3)) : value);
    await writeFile(DECODER_FIGURES, `${JSON.stringify(found, rounded, 1)}\n`);
  } finally {
    await rm(folder, { recursive: true });
  }
});
