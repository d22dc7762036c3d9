import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/graph.js';
import type { Options } from '../options.js';

export type Attention = 'scse' | null;

/** Channels that one channel of the squeezed ones stands for. */
const REDUCTION = 16;

/** Reads `decoder_attention_type`. `channels`: of the tensors that are attended to. */
export function attentionOf(options: Options, channels: readonly number[]): Attention {
  const attention = options.oneOf('decoder_attention_type', null, [null, 'scse']) as Attention;
  if (attention && channels.some(n => n < REDUCTION))
    throw options.unsupported('decoder_channels', channels, 'scse attention squeezes fewer than 16 channels to none');
  return attention;
}

/**
 * Concurrent spatial and channel squeeze & excitation (Roy et al. 2018, arXiv:1808.08127): weighs each channel by what
 * the whole patch shows, each pixel by what its channels show, and adds both.
 */
export function scse(g: GraphBuilder, x: Value, name: string): Value {
  const out = Math.floor(x.channels / REDUCTION);
  const squeezed = g.relu(g.conv(g.globalAverage(x), `${name}.cSE.1`, { out, kernel: 1 }));
  const channelWeights = g.sigmoid(g.conv(squeezed, `${name}.cSE.3`, { out: x.channels, kernel: 1 }));
  const pixelWeights = g.sigmoid(g.conv(x, `${name}.sSE.0`, { out: 1, kernel: 1 }));
  return g.add(g.multiply(x, channelWeights), g.multiply(x, pixelWeights));
}
