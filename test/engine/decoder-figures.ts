import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Timed } from './timed.js';

/** What decoder-table.ts measured last. */
export interface DecoderFigures {
  /** The machine. */
  readonly about: string;
  /** By case: largest |Δlogit| from PyTorch ÷ range of the logits. */
  readonly deltas: Readonly<Record<string, number>>;
  /** Over ResNet34. */
  readonly timed: Readonly<Record<string, Timed>>;
}

export const DECODER_FIGURES = fileURLToPath(new URL('../golden/decoder_figures.json', import.meta.url));

export async function decoderFigures(): Promise<DecoderFigures> {
  const text = await readFile(DECODER_FIGURES, 'utf8').catch(() => '{"about":"","deltas":{},"timed":{}}');
  return JSON.parse(text) as DecoderFigures;
}
