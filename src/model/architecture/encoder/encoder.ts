import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';

/** The half of a network that shrinks the image stage by stage and remembers what it saw at every size. */
export interface Encoder {
  /** How many stages it has at most; smp's decoders want at least three. */
  readonly depth: number;
  /** smp's U-Nets put two more convolutions behind encoders of this kind. */
  readonly centre: boolean;
  /** Features [f0, …, f_depth] of falling size, parameters named as smp names them: `encoder.…`. */
  build(g: GraphBuilder, depth: number): Value[];
}
