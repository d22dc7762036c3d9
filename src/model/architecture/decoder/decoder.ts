import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Encoder, OutputStride } from '../encoder/encoder.js';
import type { Options } from '../options.js';

/** The encoder that a decoder stands on. */
export interface Stem {
  /** Its name in smp. */
  readonly name: string;
  readonly encoder: Encoder;
  /** Stages of it that are used, 3 … encoder.depth. */
  readonly depth: number;
}

/** The half of a network that brings what the encoder found back to the image's size. */
export interface Decoder<Config> {
  /** Stages of the encoder that smp uses where config.json does not say; 5 unless given. */
  readonly depth?: number;
  /**
   * Reads this decoder's options, with smp's defaults. Throws MODEL_UNSUPPORTED for what cannot be run, MODEL_INVALID for what
   * makes no sense.
   */
  parse(options: Options, stem: Stem): Config;
  /** Image side ÷ side of the smallest feature it wants; 32 unless given. */
  outputStride?(config: Config): OutputStride;
  build(g: GraphBuilder, features: readonly Value[], config: Config, stem: Stem): Value;
  /** What makes logits of its output. */
  head(config: Config): Head;
  /** Side of the smallest image it can read, where that is more than 32 pixels. */
  leastSide?(config: Config, stem: Stem): number;
}

/** A convolution to a channel a class, then an enlargement to the image's size ('bilinear-corners'). */
export interface Head {
  readonly kernel: 1 | 3;
  readonly upsampling: number;
}

/** smp refuses some decoders over mix transformers, whose first feature has a quarter of the image's size. */
export function refuseTransformers(options: Options, { name }: Stem, decoder: string): void {
  if (name.startsWith('mit_b'))
    throw options.unsupported('encoder_name', name, `${decoder} needs a feature of half the image's size`);
}
