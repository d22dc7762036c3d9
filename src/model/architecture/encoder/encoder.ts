import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';

/** The half of a network that shrinks the image stage by stage and remembers what it saw at every size. */
export interface Encoder {
  /** How many stages it has at most; smp's decoders want at least three. */
  readonly depth: number;
  /** smp's U-Nets put two more convolutions behind encoders of this kind. */
  readonly centre: boolean;
  /** f1 has no channels: nothing was seen at half the image's size. */
  readonly emptyHalf?: true;
  /** Whether smp can keep its last stages large (`outputStride` below 32). */
  readonly dilates: boolean;
  /**
   * Features [f0, …, f_depth] of falling size, parameters named as smp names them: `encoder.…`. With an output stride of 16 or 8 no
   * feature is smaller than that part of the image; see stageOf. A feature may be empty, with no channels at all.
   */
  build(g: GraphBuilder, depth: number, outputStride: OutputStride): Value[];
}

export type OutputStride = 8 | 16 | 32;

/** The builder for a stage that shrinks the image to 1 ÷ `stride` of its size, unless the output stride is smaller; see dilated. */
export const stageOf = (g: GraphBuilder, stride: number, outputStride: OutputStride): GraphBuilder =>
  g.dilated(Math.max(1, stride / outputStride));
