import type { Padding } from '../graph/graph.js';

/**
 * The words that a training step is written in, once, for every back end: what the layers of a graph (see graph.ts) and their
 * gradients come down to. Shapes are known when a program is made. There are four kinds of terms:
 *
 *   images    [N, C, H, W]; statistics are images too: [N, C, 1, 1], [1, C, 1, 1], and a number is [1, 1, 1, 1]
 *   kernels   [out, in / groups, k, k]
 *   matrices  [rows, columns]
 *   stacks    [matrices, rows, columns]
 *
 * No word says where in memory an element is, so that a back end keeps images channels first or channels last; 'reshape' means PyTorch's
 * order whatever the back end's own is.
 */
export interface Term {
  readonly id: number;
  readonly shape: readonly number[];
}

export type Word =
  /** Given when the program is run. An image [N, C, H, W] unless said otherwise. */
  | { readonly op: 'input'; readonly name: string; readonly as: 'image' | 'kernel' }
  | { readonly op: 'constant'; readonly values: readonly number[] }
  | ConvWord
  /** The input's gradient of a convolution of any stride, `by` the same kernel; of the input's size. */
  | (Sliding & { readonly op: 'convTranspose'; readonly x: Term; readonly by: Term })
  /** The kernel's gradient of a convolution in groups of x; `by` that of its output. */
  | ConvKernelWord
  /** A kernel turned by 180°, its inputs and outputs exchanged in each group. */
  | { readonly op: 'rotate'; readonly x: Term; readonly groups: number }
  /** Zeros around. */
  | { readonly op: 'pad'; readonly x: Term; readonly padding: Padding }
  /** Every stride-th pixel of an image from (top, left) on, height × width of them: a matrix, a row a pixel, a column a channel. */
  | WindowWord
  /** An image as a matrix: a row a channel, a column a pixel. */
  | { readonly op: 'channelRows'; readonly x: Term }
  | { readonly op: 'matmul'; readonly a: Term; readonly b: Term }
  /** An image as a stack: a matrix a patch and head, a row a pixel, a column a channel of the head. */
  | { readonly op: 'headRows'; readonly x: Term; readonly heads: number }
  /** Such a stack as an image again. */
  | { readonly op: 'headImage'; readonly x: Term; readonly heads: number }
  /** The numbers of an image or a stack in another shape, in PyTorch's order: row by row, images channel by channel. */
  | { readonly op: 'reshape'; readonly x: Term }
  /** Products of the matrices of two stacks, those of one turned (transposed) before. */
  | { readonly op: 'stackMul'; readonly a: Term; readonly b: Term; readonly turned: 'a' | 'b' | null }
  /** Over the columns of a stack. */
  | { readonly op: 'softmax'; readonly x: Term }
  /** k² matrices [out, in], row by row of the kernel, as one kernel. */
  | { readonly op: 'kernel'; readonly parts: readonly Term[] }
  | { readonly op: Unary; readonly x: Term }
  /** Of equal shapes, or one repeated along axes where it is 1. */
  | { readonly op: Binary; readonly a: Term; readonly b: Term }
  /** x where `by`, which is nowhere negative, is above 0, otherwise 0. */
  | { readonly op: 'gate'; readonly x: Term; readonly by: Term }
  /** Over the axes of an image or a stack, which are 1 afterwards. */
  | { readonly op: 'sum' | 'sumSquares'; readonly x: Term; readonly axes: readonly number[] }
  /** [N, C, 1, 1]: each channel gets the sum over the channels of its group. */
  | { readonly op: 'groupSum'; readonly x: Term; readonly groups: number }
  | { readonly op: 'expand'; readonly x: Term }
  | { readonly op: 'concat'; readonly parts: readonly Term[] }
  | { readonly op: 'channels'; readonly x: Term; readonly from: number }
  | {
      readonly op: 'maxPool';
      readonly x: Term;
      readonly size: number;
      readonly stride: number;
      readonly padding: Padding;
    }
  /** The gradient of a pooling's input: each element of `by` is added where the window's first largest value was. */
  | { readonly op: 'unpool'; readonly by: Term; readonly pool: Term; readonly x: Term }
  | { readonly op: 'upsample'; readonly x: Term; readonly factor: number; readonly mode: Enlarging }
  /** Sums over factor × factor squares: the gradient of enlarging by repetition. */
  | { readonly op: 'blockSum'; readonly x: Term; readonly factor: number }
  /** A matrix [to, from], row by row, applied along the height or the width. */
  | { readonly op: 'along'; readonly x: Term; readonly axis: 2 | 3; readonly matrix: readonly (readonly number[])[] };

/** How a convolution's kernel goes over the image; see ConvNode. */
export interface Sliding {
  readonly stride: number;
  readonly padding: Padding;
  readonly dilation: number;
  readonly groups: number;
}

export interface ConvWord extends Sliding {
  readonly op: 'conv';
  readonly x: Term;
  readonly by: Term;
  /** [1, out, 1, 1]. */
  readonly bias?: Term;
}

export interface ConvKernelWord extends Sliding {
  readonly op: 'convKernel';
  readonly x: Term;
  readonly by: Term;
}

export interface WindowWord {
  readonly op: 'window';
  readonly x: Term;
  readonly top: number;
  readonly left: number;
  readonly stride: number;
  readonly height: number;
  readonly width: number;
}

/** Cubic enlarging is two words 'along'. */
export type Enlarging = 'nearest' | 'bilinear' | 'bilinear-corners';

/** 'step' is 1 from 0 on and 0 below. */
export type Unary = 'relu' | 'sigmoid' | 'erf' | 'exp' | 'log' | 'rsqrt' | 'reciprocal' | 'step';
export type Binary = 'add' | 'sub' | 'mul' | 'max';

export interface Program {
  /** In an order that can be run, and that frees early; word i makes the term with id i. */
  readonly words: readonly Word[];
  readonly terms: readonly Term[];
  readonly outputs: ReadonlyMap<string, Term>;
}

/** Terms a word reads. */
export function readsOf(word: Word): readonly Term[] {
  if (word.op === 'input' || word.op === 'constant') return [];
  if ('parts' in word) return word.parts;
  if ('a' in word) return [word.a, word.b];
  const all = [word.x];
  if ('by' in word) all.push(word.by);
  if ('pool' in word) all.push(word.pool);
  if ('bias' in word && word.bias) all.push(word.bias);
  return all;
}
