import { rename } from 'node:fs/promises';
import sharp from 'sharp';
import type { IndexedPatch } from './patch-index.js';
import { IGNORED_LABEL } from './rescale.js';
import { runError } from './run-error.js';

/** A validation patch and what the network makes of it. */
export interface TrainExample {
  /** side × side × 3 bytes RGB. */
  readonly image: Uint8Array;
  /** side × side: 0 rest, 1 stroma, 255 ignored. */
  readonly labels: Uint8Array;
  /** side × side probabilities. */
  readonly probabilities: Float32Array;
}

const EXAMPLES = 4;
const CELL = 256;
const GAP = 6;

/**
 * Places of the validation patches that are shown: those with stroma, spread evenly from the least to the most of it, the same every
 * epoch.
 */
export function choosePlaces(patches: readonly IndexedPatch[], count = EXAMPLES): number[] {
  const withStroma = [...patches.keys()].filter(place => patches[place]!.positivePixels > 0);
  withStroma.sort((a, b) => patches[a]!.positivePixels - patches[b]!.positivePixels || a - b);
  const most = Math.min(count, withStroma.length);
  return Array.from({ length: most }, (_, i) => withStroma[Math.floor(((i + 0.5) * withStroma.length) / most)]!);
}

/**
 * A row an example: the patch, its truth (stroma green, what is ignored grey) and the network's probability of stroma in green, its mask
 * outlined by the colours' step.
 * @throws OUTPUT_FULL, OUTPUT_FAILED
 */
export async function writeExamples(path: string, side: number, examples: readonly TrainExample[]): Promise<void> {
  const cell = Math.min(CELL, side);
  const [width, height] = [3 * cell + 2 * GAP, examples.length * (cell + GAP) - GAP];
  const canvas = Buffer.alloc(width * height * 3, 255);
  for (const [row, example] of examples.entries()) {
    for (let y = 0; y < cell; y++) {
      for (let x = 0; x < cell; x++) {
        const from = Math.floor((y * side) / cell) * side + Math.floor((x * side) / cell);
        const rgb = example.image.subarray(from * 3, from * 3 + 3);
        const label = example.labels[from]!;
        const p = example.probabilities[from]!;
        const truth = label === IGNORED_LABEL ? mixed(rgb, GREY, 0.6) : label === 1 ? mixed(rgb, GREEN, 0.5) : [...rgb];
        const found = mixed(rgb, p > 0.5 ? GREEN : WHITE, p > 0.5 ? 0.2 + 0.4 * p : 0.4 * (1 - p));
        for (const [column, colour] of [[...rgb], truth, found].entries())
          canvas.set(colour, ((row * (cell + GAP) + y) * width + column * (cell + GAP) + x) * 3);
      }
    }
  }
  try {
    const partial = `${path}.partial`;
    await sharp(canvas, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 85 })
      .toFile(partial);
    await rename(partial, path);
  } catch (error) {
    throw runError(error, path);
  }
}

type Rgb = readonly [number, number, number];
/** Okabe and Ito's bluish green. */
const GREEN: Rgb = [0, 158, 115];
const GREY: Rgb = [128, 128, 128];
const WHITE: Rgb = [255, 255, 255];

const mixed = (rgb: Uint8Array, colour: Rgb, part: number): number[] =>
  colour.map((value, c) => rgb[c]! * (1 - part) + value * part);
