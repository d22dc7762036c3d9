import { buildGraph } from '../../graph/builder.js';
import type { Encoder } from './encoder.js';

/**
 * The first tensor of a file that belongs to a block which this encoder does not have: weights of a deeper one of its family. All
 * tensors of a ResNet50 are in a ResNet101 as well, with the same shapes, so that what is too much is the only sign. What smp keeps beside
 * them (stages of a shallower encoder, a classifier's last layers) is none.
 */
export function strangerAmong(names: Iterable<string>, encoder: Encoder): string | undefined {
  const { parameters } = buildGraph(g => encoder.build(g, encoder.depth, 32).at(-1)!);
  const blocks = new Set([...parameters.keys()].map(anyBlock));
  for (const name of names) if (!parameters.has(name) && blocks.has(anyBlock(name))) return name;
  return undefined;
}

/** 'encoder.layer3.6.conv1.weight' and 'encoder.layer3.2.conv1.weight' are the same in any block. */
const anyBlock = (name: string): string => name.replace(/\.\d+(?=\.)/g, '.#');
