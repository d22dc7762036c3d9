import { buildGraph, type GraphBuilder } from '../graph/builder.js';
import type { Graph, Value } from '../graph/graph.js';
import { type Architecture, stemOf } from './config.js';
import type { Head, Stem } from './decoder/decoder.js';
import { DECODERS, type DecoderConfig, type DecoderName } from './decoder/decoders.js';

/**
 * The whole network: an encoder shrinks the image stage by stage, a decoder brings what it found back to full size, a
 * head turns channels into one logit a class and pixel. The head's activation is left to who reads the logits.
 */
export function buildNetwork(architecture: Architecture): Graph {
  const { decoder, classes } = architecture;
  const stem = stemOf(architecture);
  return buildGraph(g => {
    const { output, head } = decode(g, decoder, stem);
    const x = g.conv(output, 'segmentation_head.0', { out: classes, kernel: head.kernel });
    return g.layer(g.upsample(x, head.upsampling, 'bilinear-corners'), 'segmentation_head');
  });
}

/** Side in pixels of the smallest image the network can read. */
export function leastSideOf(architecture: Architecture): number {
  return leastSide(architecture.decoder, stemOf(architecture));
}

const leastSide = <Name extends DecoderName>(config: DecoderConfig<Name>, stem: Stem): number =>
  Math.max(32, DECODERS[config.type].leastSide?.(config, stem) ?? 0);

function decode<Name extends DecoderName>(
  g: GraphBuilder,
  config: DecoderConfig<Name>,
  stem: Stem,
): { output: Value; head: Head } {
  const decoder = DECODERS[config.type];
  const features = stem.encoder.build(g, stem.depth, decoder.outputStride?.(config) ?? 32);
  return { output: decoder.build(g, features, config, stem), head: decoder.head(config) };
}
