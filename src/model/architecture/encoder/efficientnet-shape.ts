/**
 * EfficientNet (Tan & Le 2019, arXiv:1905.11946): one network, b0, and its scaling to larger ones: so many times as wide, so many
 * times as deep. A stage is a run of inverted bottlenecks (see mobilenet.ts) with squeeze and excitation.
 */
export interface BlockRun {
  readonly kernel: 3 | 5;
  /** Of the first block. */
  readonly stride: 1 | 2;
  /** How many times wider than its input a block is inside. */
  readonly expand: number;
  readonly out: number;
  readonly blocks: number;
}

export const B0: readonly BlockRun[] = [
  { kernel: 3, stride: 1, expand: 1, out: 16, blocks: 1 },
  { kernel: 3, stride: 2, expand: 6, out: 24, blocks: 2 },
  { kernel: 5, stride: 2, expand: 6, out: 40, blocks: 2 },
  { kernel: 3, stride: 2, expand: 6, out: 80, blocks: 3 },
  { kernel: 5, stride: 1, expand: 6, out: 112, blocks: 3 },
  { kernel: 5, stride: 2, expand: 6, out: 192, blocks: 4 },
  { kernel: 3, stride: 1, expand: 6, out: 320, blocks: 1 },
];

export interface Scaling {
  readonly width: number;
  readonly depth: number;
  /** Side of the images it was trained on. */
  readonly side: number;
}

/** Of b0 … b7. */
export const SCALINGS: readonly Scaling[] = [
  { width: 1, depth: 1, side: 224 },
  { width: 1, depth: 1.1, side: 240 },
  { width: 1.1, depth: 1.2, side: 260 },
  { width: 1.2, depth: 1.4, side: 300 },
  { width: 1.4, depth: 1.8, side: 380 },
  { width: 1.6, depth: 2.2, side: 456 },
  { width: 1.8, depth: 2.6, side: 528 },
  { width: 2, depth: 3.1, side: 600 },
];

/** To a multiple of 8, by at most a tenth downwards. */
export function scaledChannels(channels: number, width: number): number {
  const wide = channels * width;
  const rounded = Math.max(8, Math.floor((wide + 4) / 8) * 8);
  return rounded < 0.9 * wide ? rounded + 8 : rounded;
}

export const scaledBlocks = (blocks: number, depth: number): number => Math.ceil(blocks * depth);
