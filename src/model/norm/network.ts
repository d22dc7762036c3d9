import type { Architecture } from '../architecture/config.js';
import { buildNetwork } from '../architecture/network.js';
import { freezeNorms } from '../graph/freeze.js';
import type { Graph } from '../graph/graph.js';
import { SafetensorsFile } from '../safetensors.js';
import type { WeightSource } from '../weights.js';
import type { NormStatistics } from './statistics.js';

/** What of a bundle its network is made from. */
export interface NetworkParts {
  readonly architecture: Architecture;
  /** Path of the weights. */
  readonly weights: string;
  readonly norms?: NormStatistics;
}

/** The network of a bundle as it is run: with frozen norms where it has statistics for them. */
export function graphOf({ architecture, norms }: Omit<NetworkParts, 'weights'>): Graph {
  const graph = buildNetwork(architecture);
  return norms ? freezeNorms(graph) : graph;
}

/** Everything that graph reads: weights, and statistics beside them. Close it. */
export async function openWeights({
  weights,
  norms,
}: NetworkParts): Promise<WeightSource & { close(): Promise<void> }> {
  const file = await SafetensorsFile.open(weights);
  if (!norms) return file;
  const statistics = await SafetensorsFile.open(norms.path).catch(async error => {
    await file.close();
    throw error;
  });
  return {
    read: name => (statistics.tensors.has(name) ? statistics : file).read(name),
    close: async () => {
      await statistics.close();
      await file.close();
    },
  };
}
