import { cp, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { quantiseBundle } from '#src/engine/quantise.js';
import { folderPatches } from '#src/evaluate/folder-patches.js';
import { FIXTURE } from './support.mjs';

/** A bundle made int8 in a folder, calibrated on the committed slide. @returns the new bundle */
export async function quantised(bundle, folder, threads) {
  const target = join(await mkdtemp(join(folder, 'int8-')), 'bundle');
  const patches = folderPatches(FIXTURE, { spacing: 0.5, patchSize: 512, most: 12, seed: 1 });
  await quantiseBundle(bundle, target, { patches, threads });
  return target;
}

/** A copy of a bundle without frozen norms. @returns the copy */
export async function unfrozen(bundle, folder) {
  const own = join(await mkdtemp(join(folder, 'own-')), 'bundle');
  await cp(bundle, own, { recursive: true });
  await rm(join(own, 'norm-statistics.safetensors'), { force: true });
  return own;
}
