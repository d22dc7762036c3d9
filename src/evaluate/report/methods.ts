import type { Padding } from '../../read/patch.js';
import { BOUNDARY_TOLERANCES } from '../boundary.js';
import { describeClasses, describeLeftOut } from '../label-facts.js';
import type { EvaluationReport, Protocol } from '../metrics.js';
import type { SplitName } from '../split.js';
import { escapeText, fixed, grouped } from './markup.js';
import { count, imagesOf, unitOf } from './words.js';

/** What the model sees past an image's edge. */
const PADDED: Readonly<Record<Padding, string>> = {
  zero: 'zero-padded',
  mirror: 'padded with the mirror image of what lies inside',
};

function bordersOf({ margin, blended }: Protocol): string {
  if (blended) return `, overlapping by ${2 * margin} px and blended there`;
  return margin > 0 ? `, ${margin} px of context cropped` : '';
}

function areasOf({ openBelow, closeBelow }: Protocol): string {
  const opened = openBelow === undefined ? '' : `; areas below ${grouped(openBelow)} px taken away`;
  return closeBelow === undefined ? opened : `${opened}; holes below ${grouped(closeBelow)} px filled`;
}

/** How a report's numbers were measured: patches, split, labels, what was left out, scores, intervals and models. */
export function methods({ protocol, set, models, createdAt }: EvaluationReport, split: SplitName): string {
  const result = models.find(model => model.splits[split])?.splits[split];
  const named = set.labels.map(
    ({ value, name, meaning }) => `${name === `label ${value}` ? value : `${value} ${name}`} (${meaning})`,
  );
  const labels = [...named, ...(set.undeclared === 'negative' ? ['every other value (negative)'] : [])].join(', ');
  const grid = `${protocol.patchSize} × ${protocol.patchSize} px at ${fixed(protocol.spacing, 2)} µm/px${bordersOf(protocol)}, ${PADDED[protocol.padding]}${areasOf(protocol)}`;
  const rows: [string, string][] = [
    ['Patches', grid],
    [
      'Split',
      protocol.split
        ? `by ${protocol.split.by}, seed ${protocol.split.seed}; shown: ${split}`
        : 'none: the whole set is scored',
    ],
    ['Labels', labels],
    ...truthRows(set.truths),
    ...(result ? [['Left out', leftOut(result.patches)] as [string, string]] : []),
    [
      'Scores',
      'exact integer counts of labelled pixels; 0/0 counts as 1 in means over patches and images, as in segmentation_models_pytorch',
    ],
    [
      'Boundary F1',
      `boundary pixels within ${BOUNDARY_TOLERANCES.join(' or ')} px of the other boundary, patch by patch`,
    ],
    [
      'Intervals',
      `percentile bootstrap over ${unitOf(imagesOf(models, split)) === 'patient' ? 'patients (told by the images’ names)' : 'images (patients are unknown: no name tells one, and no --patient pattern was given)'}, ${grouped(protocol.bootstrap.resamples)} resamples, seed ${protocol.bootstrap.seed}`,
    ],
    ...models.map((model): [string, string] => [
      model.name,
      [
        `version ${model.version}, threshold ${fixed(model.threshold, 2)}`,
        model.provenance && `trained: ${model.provenance}`,
      ]
        .filter(Boolean)
        .join('; '),
    ]),
    ['Made', createdAt],
  ];
  const faults =
    set.faults.length > 0
      ? `<details><summary>${count(set.faults.length, 'item')} left out for faults</summary><ul>${set.faults.map(fault => `<li>${escapeText(fault)}</li>`).join('')}</ul></details>`
      : '';
  return `<h2>How it was measured</h2><dl>${rows.map(([term, text]) => `<dt>${escapeText(term)}</dt><dd>${escapeText(text)}</dd>`).join('')}</dl>${faults}
<p class="note">Every number stands in metrics.json beside this file; every patch in patches.csv. For research; not a medical device.</p>`;
}

/** Classes of annotations with what each counts as, and what takes no part. */
function truthRows(truths: EvaluationReport['set']['truths']): [string, string][] {
  if (!truths) return [];
  const { classes, leftOut, notes } = truths;
  const without = describeLeftOut(leftOut);
  return [
    ...(classes.length > 0 ? [['Annotations', describeClasses(classes, 0).join('; ')] as [string, string]] : []),
    ...(without.length > 0 ? [['Annotations left out', without.join(', ')] as [string, string]] : []),
    ...notes.map((note): [string, string] => ['Note', note]),
  ];
}

function leftOut({
  removedEmpty,
  unlabelled,
  positivePixelsInEmpty,
}: {
  removedEmpty: number;
  unlabelled: number;
  positivePixelsInEmpty: number;
}): string {
  const missed =
    positivePixelsInEmpty > 0
      ? `; ${grouped(positivePixelsInEmpty)} annotated stroma pixels lay in patches taken for empty and count as missed`
      : '';
  return `${count(removedEmpty, 'empty patch', 'empty patches')}, ${count(unlabelled, 'patch', 'patches')} without a label${missed}`;
}
