import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect } from 'vitest';
import { evaluateImage } from '#src/engine/evaluate.js';
import type { RgbImage } from '#src/engine/rgb-image.js';
import { SafetensorsFile } from '#src/model/safetensors.js';
import { makeBundle } from '../support/formula-weights.js';

/** Parity with PyTorch: the golden numbers, and how far an engine is from them. */
const GOLDEN = new URL('../golden/', import.meta.url);

export interface GoldenCase {
  /** Of the patch; or its height and width. */
  readonly side: number | readonly [height: number, width: number];
  readonly config: Readonly<Record<string, unknown>>;
  readonly layers: readonly string[];
}

export async function goldenCases(file = 'model_cases.json'): Promise<Record<string, GoldenCase>> {
  const text = await readFile(new URL(file, GOLDEN), 'utf8');
  return (JSON.parse(text) as { cases: Record<string, GoldenCase> }).cases;
}

/** The committed H&E patch, or its upper left corner. */
export async function goldenPatch(side: GoldenCase['side'] = 512): Promise<RgbImage> {
  const [height, width] = typeof side === 'number' ? [side, side] : side;
  const image = sharp(new URL('model_patch.webp', GOLDEN).pathname).removeAlpha();
  const { data } = await image.extract({ left: 0, top: 0, width, height }).raw().toBuffer({ resolveWithObject: true });
  return { pixels: new Uint8Array(data), width, height };
}

export const openGolden = (file = 'model_golden.safetensors') => SafetensorsFile.open(new URL(file, GOLDEN).pathname);

export interface Difference {
  readonly name: string;
  /** Largest |Δ| between the engine's values and PyTorch's. */
  readonly max: number;
  /** Largest |value| of PyTorch's. */
  readonly scale: number;
  /** From the lowest to the highest of PyTorch's values. */
  readonly range: number;
  /** Logits only: pixels on the other side of 0 where |PyTorch's logit| > 10⁻³. */
  readonly flipped: number;
}

/** Runs one case through an engine, the whole way a user's bundle goes. */
export async function differences(
  name: string,
  { side, config, layers }: GoldenCase,
  engine: string,
  file?: string,
): Promise<Difference[]> {
  const folder = await mkdtemp(join(tmpdir(), 'parity-'));
  const golden = await openGolden(file);
  try {
    const patchSize = typeof side === 'number' ? side : Math.min(...side);
    const bundle = await makeBundle({ config, manifest: { patchSize } }, join(folder, 'bundle'));
    const options = { engine, cacheFolder: folder, layers, threads: 2 };
    const { outputs } = await evaluateImage(bundle, await goldenPatch(side), options);
    return await Promise.all(
      outputs.map(async output => {
        const expected = await golden.read(`${name}/${output.name}`);
        return { name: output.name, ...compare(spread(output.values, expected.length), expected) };
      }),
    );
  } finally {
    await golden.close();
    await rm(folder, { recursive: true });
  }
}

/** `count` values spread evenly over `values`, as numpy's linspace picks them in the golden script. */
function spread(values: Float32Array, count: number): Float32Array {
  if (count === values.length) return values;
  const step = (values.length - 1) / (count - 1);
  return Float32Array.from(
    { length: count },
    (_, i) => values[i === count - 1 ? values.length - 1 : Math.floor(i * step)]!,
  );
}

export function compare(actual: Float32Array, expected: Float32Array): Omit<Difference, 'name'> {
  let max = 0;
  let scale = 0;
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let flipped = 0;
  for (let i = 0; i < expected.length; i++) {
    max = Math.max(max, Math.abs(actual[i]! - expected[i]!));
    scale = Math.max(scale, Math.abs(expected[i]!));
    least = Math.min(least, expected[i]!);
    most = Math.max(most, expected[i]!);
    if (Math.abs(expected[i]!) > 1e-3 && actual[i]! > 0 !== expected[i]! > 0) flipped++;
  }
  return { max, scale, range: most - least, flipped };
}

/** The bars: 10⁻³ on every value, and no pixel of the mask on the other side. */
export async function expectParity(name: string, golden: GoldenCase, engine: string): Promise<void> {
  const found = await differences(name, golden, engine);
  expect(found.map(({ name }) => name)).toEqual(['logits', ...golden.layers]);
  for (const { name, max, scale, flipped } of found) {
    expect(scale, `${name} is not trivially 0`).toBeGreaterThan(0.5);
    expect(max, name).toBeLessThanOrEqual(1e-3);
    if (name === 'logits') expect(flipped).toBe(0);
  }
}
