import { basename, resolve } from 'node:path';
import type { LabelledSet } from '../evaluate/labelled-set.js';
import { isOpen } from '../evaluate/labels.js';
import type { Split } from '../evaluate/split.js';
import type { Manifest } from '../model/manifest.js';
import { VERSION } from '../version.js';
import type { EpochLine } from './progress.js';
import type { RunRecipe } from './recipe.js';
import { splitHash } from './run-folder.js';

export interface Statement {
  readonly name: string;
  readonly set: Pick<LabelledSet, 'folder' | 'map'>;
  readonly split: Split;
  readonly recipe: RunRecipe;
  readonly grid: { readonly spacing: number; readonly patchSize: number };
  readonly licence: string | undefined;
  /** The weights it began with. */
  readonly begins: string;
  /** The epoch that these weights are of. */
  readonly epoch: EpochLine;
  readonly epochs: number;
}

/** stromaflow.json of a bundle that a run wrote: what loading it needs, and under `training` what made it. */
export function statementOf(statement: Statement): Partial<Manifest> & Readonly<Record<string, unknown>> {
  const { name, set, split, recipe, grid, licence, begins, epoch } = statement;
  const folder = basename(resolve(set.folder));
  const positive = set.map.classes.filter(({ meaning }) => meaning === 'positive').map(item => item.name);
  const hash = splitHash(split);
  return {
    name,
    version: `1.0.${epoch.epoch}`,
    ...grid,
    threshold: 0.5,
    classes: [positive.join(', ')],
    licence: licence ?? 'not stated: that of the data it was trained on',
    provenance: `trained by stromaflow ${VERSION} on ${folder}, split ${hash.slice(0, 8)} by ${split.by}, seed ${recipe.seed}, from ${begins}`,
    // A map that counts every other value as negative cannot be said in a list.
    ...(!isOpen(set.map) && { labels: set.map.classes }),
    metrics: [
      {
        set: `validation split of ${folder}, which chose the epoch`,
        metric: 'IoU, micro',
        value: epoch.validation.iou,
      },
    ],
    training: {
      stromaflow: VERSION,
      set: folder,
      splitHash: hash,
      splitBy: split.by,
      epoch: epoch.epoch,
      validation: epoch.validation,
      recipe,
      begins,
    },
  };
}
