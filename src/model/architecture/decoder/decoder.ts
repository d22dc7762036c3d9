import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Encoder } from '../encoder/encoder.js';
import type { Options } from '../options.js';

/** The encoder that a decoder stands on. */
export interface Stem {
  readonly encoder: Encoder;
  /** Stages of it that are used, 3 … encoder.depth. */
  readonly depth: number;
}

/** The half of a network that brings what the encoder found back to the image's size. */
export interface Decoder<Config> {
  /**
   * Reads this decoder's options, with smp's defaults. Throws MODEL_UNSUPPORTED for what cannot be run, MODEL_INVALID for what
   * makes no sense.
   */
  parse(options: Options, stem: Stem): Config;
  build(g: GraphBuilder, features: readonly Value[], config: Config, stem: Stem): Value;
  /** What makes logits of its output. */
  head(config: Config): Head;
}

/** A convolution to a channel a class, then an enlargement to the image's size ('bilinear-corners'). */
export interface Head {
  readonly kernel: 1 | 3;
  readonly upsampling: number;
}
