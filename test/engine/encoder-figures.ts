import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Timed } from './timed.js';

/** What encoder-table.ts measured last. */
export interface EncoderFigures {
  /** The machine. */
  readonly about: string;
  /** By case: largest |Δlogit| from PyTorch ÷ range of the logits. */
  readonly deltas: Readonly<Record<string, number>>;
  /** FPN on the encoder. */
  readonly timed: Readonly<Record<string, Timed>>;
}

export const FIGURES = fileURLToPath(new URL('../golden/encoder_figures.json', import.meta.url));

/** Encoders that are timed: one a family, and the larger ones that people bring. */
export const TRIED = [
  'resnet34',
  'resnet50',
  'efficientnet-b0',
  'mobilenet_v2',
  'mit_b0',
  'densenet121',
  'se_resnext50_32x4d',
  'efficientnet-b3',
  'mit_b2',
] as const;

export async function encoderFigures(): Promise<EncoderFigures> {
  const text = await readFile(FIGURES, 'utf8').catch(() => '{"about":"","deltas":{},"timed":{}}');
  return JSON.parse(text) as EncoderFigures;
}
