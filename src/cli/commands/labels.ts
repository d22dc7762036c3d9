import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { STARTER_MODEL } from '../../../pipelines/models.js';
import { overlapOf } from '../../../pipelines/plan-of.js';
import { StromaflowError } from '../../errors.js';
import { checkLabels, describeLabelReport } from '../../evaluate/check.js';
import { openLabelledSet } from '../../evaluate/labelled-set.js';
import { parseFractions, readSplit, SPLITS, type Split, writeSplit } from '../../evaluate/split.js';
import { splitSet } from '../../evaluate/split-set.js';
import { loadModel } from '../../model/model.js';
import { makeFolder } from '../../process/make-folder.js';
import { openSlide } from '../../slide/open.js';
import { type Command, GENERAL, LABELS, PATCHES } from '../command.js';
import { Faults } from '../faults.js';
import { labelledSetOptions } from '../label-options.js';

export const labelsCheck: Command = {
  usage: 'labels check <set>',
  group: 'check and split labelled sets',
  summary: 'read a whole labelled set and name everything that is wrong with it',
  notes: `Prints the label map and the balance of classes, then a line for each fault and warning. --split names a split file that
is looked at for patients and pictures on two sides. Exits with 1 when there are faults; --json prints the report.`,
  options: [...LABELS, 'mpp', 'split', 'model', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const { labels } = await loadModel(config.model ?? STARTER_MODEL, signal);
    const split = config.split === undefined ? undefined : await readSplit(config.split);
    const report = await checkLabels(args[0]!, { ...labelledSetOptions(config, labels), split, openSlide });
    for (const line of describeLabelReport(report)) terminal.line(line);
    terminal.json(report);
    return report.findings.some(({ severity }) => severity === 'fault') ? 1 : 0;
  },
};

export const labelsSplit: Command = {
  usage: 'labels split <set>',
  summary: 'write which patches of a labelled set train, choose and test',
  notes: `--split patch splits as the study did, patches of one patient on both sides; --split patient (unless told otherwise) keeps
patients together. 80/10/10 by --seed, or as --fractions says, on the patches of the model's spacing and size. --out is the file, or the folder of
split.json; replay and train read it.`,
  options: ['split', 'fractions', 'seed', 'out', ...LABELS, ...PATCHES, 'strict', 'model', ...GENERAL],
  async run({ args, config, terminal, signal }) {
    const { split: by = 'patient', seed, strict } = config;
    const fractions = config.fractions === undefined ? undefined : parseFractions(config.fractions);
    if (by !== 'patch' && by !== 'patient') {
      throw new StromaflowError('USAGE', `--split is ${by}; a set is split by patch or by patient`);
    }
    const bundle = await loadModel(config.model ?? STARTER_MODEL, signal);
    const faults = new Faults(strict);
    const set = await openLabelledSet(args[0]!, {
      ...labelledSetOptions(config, bundle.labels),
      strict,
      onFault: faults.add,
    });
    const spacing = config.spacing ?? bundle.spacing;
    const patchSize = config['patch-size'] ?? bundle.patchSize;
    const split = await splitSet(set, {
      by,
      seed,
      spacing,
      patchSize,
      margin: config.margin ?? (overlapOf(config, patchSize) ?? 0) / 2,
      openSlide,
      ...(fractions && { fractions }),
    });
    const path = await fileOf(config.out);
    await writeSplit(path, split);
    for (const line of describeSplit(split)) terminal.line(line);
    terminal.line(`split      ${path}`);
    terminal.json({ path, split });
    return faults.list.length > 0 ? 1 : 0;
  },
};

/** `--out split-7.json` is the file itself; a folder gets split.json. */
async function fileOf(out: string): Promise<string> {
  const isFolder = !out.endsWith('.json') || (await stat(out).catch(() => undefined))?.isDirectory();
  const path = isFolder ? join(out, 'split.json') : out;
  await makeFolder(dirname(path));
  return path;
}

/** A line a split: what stands in it. */
function describeSplit({ images, by }: Split): string[] {
  const entries = Object.entries(images);
  return SPLITS.map(name => {
    const held = entries.filter(([, { split, patches }]) => split === name || patches?.includes(LETTERS[name]));
    const patients = new Set(held.map(([, { patient }]) => patient)).size;
    const letters = entries.map(([, { patches = '' }]) => patches).join('');
    const patches = by === 'patch' ? `${letters.split(LETTERS[name]).length - 1} patches of ` : '';
    return `${name.padEnd(10)} ${patches}${held.length} images of ${patients} patients`;
  });
}

const LETTERS = { train: 't', validation: 'v', test: 'e' } as const;
