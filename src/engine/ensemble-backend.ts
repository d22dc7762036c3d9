import { composeModel } from '../model/model.js';
import type { BackendOptions, EngineBackend } from './backend.js';
import { loadExact } from './load-exact.js';

/**
 * Several models as one: each gives the probability that its own threshold is compared with, and the mean of those is compared with the mean
 * of the thresholds. Members share nothing but the engine: how they are fed, and what their classes are, is each one's own.
 *
 * @param createMember makes the backend of one model
 */
export async function createEnsembleBackend(
  options: BackendOptions,
  createMember: (options: BackendOptions) => Promise<EngineBackend>,
): Promise<EngineBackend> {
  const { patchSize, tta, fitted } = options;
  const { members, threshold, source } = await loadExact(options);
  const sources = source.split(',');
  const backends: EngineBackend[] = [];
  const close = async (): Promise<void> => {
    for (const backend of backends) await backend.close();
  };
  try {
    for (const [i, bundle] of members.entries()) {
      const { version } = composeModel([bundle], tta);
      const member = { ...options, model: sources[i]!, modelVersion: version, norm: undefined, fitted };
      backends.push(await createMember({ ...member, scores: true, probabilities: false }));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const [{ name, version, device }] = backends as [EngineBackend];
  return {
    name,
    version,
    device,
    async run(patches) {
      const area = patchSize * patchSize;
      const scores = new Float32Array(patches.length * area);
      const notFinite = new Set<number>();
      for (const backend of backends) {
        const given = await backend.run(patches);
        addTo(scores, given.scores!);
        for (const place of given.notFinite) notFinite.add(place);
      }
      const decided = decide(scores, backends.length, threshold, area);
      const probabilities = options.probabilities ? Uint8Array.from(scores, p => Math.round(p * 255)) : undefined;
      return {
        ...decided,
        notFinite: [...notFinite].sort((a, b) => a - b),
        ...(probabilities && { probabilities }),
        ...(options.scores && { scores }),
      };
    },
    /** What one member makes of an image says nothing of the others: theirs are those of the first. */
    evaluate: (pixels, height, width) => backends[0]!.evaluate(pixels, height, width),
    close,
  };
}

function addTo(sum: Float32Array, more: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += more[i]!;
}

/** Makes means of sums, in place; a byte a pixel that is 1 above the threshold, and how many of them there are in each patch. */
function decide(sums: Float32Array, members: number, threshold: number, area: number) {
  const mask = new Uint8Array(sums.length);
  const counts = new Int32Array(sums.length / area);
  for (let patch = 0, i = 0; patch < counts.length; patch++) {
    let positive = 0;
    for (const end = i + area; i < end; i++) {
      sums[i]! /= members;
      if (sums[i]! > threshold) positive += mask[i] = 1;
    }
    counts[patch] = positive;
  }
  return { mask, counts };
}
