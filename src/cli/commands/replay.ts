import { join } from 'node:path';
import { checkTogether, normOf, STARTER_MODEL, ttaOf } from '../../../pipelines/models.js';
import type { Config } from '../../config/options.js';
import { StromaflowError } from '../../errors.js';
import type { LabelledSet } from '../../evaluate/labelled-set.js';
import { openLabelledSet } from '../../evaluate/labelled-set.js';
import { describeLabelMap } from '../../evaluate/labels.js';
import { readSplit, type Split, writeSplit } from '../../evaluate/split.js';
import { splitSet, testImages } from '../../evaluate/split-set.js';
import { type EvaluatedModel, writeReport } from '../../evaluate/write-report.js';
import { makeFolder } from '../../process/make-folder.js';
import { openSlide } from '../../slide/open.js';
import { type Command, GRAPH, LABELS } from '../command.js';
import { Faults } from '../faults.js';
import { labelledSetOptions } from '../label-options.js';
import { loadNamed, replayModel, reportNames, sharedPatches } from '../replay-models.js';
import { scoreLines, truthLines } from '../replay-scores.js';

/** Runs a labelled set through the same graph as a scanner's slides and says how good the model is. */
export const replay: Command = {
  usage: 'replay <set>',
  summary: 'run a labelled set through the graph and report how good the model is',
  notes: `The set is TIGER as published, a folder with images/ and masks/ of the same names, slides with annotations beside them,
or one slide or image with --labels. --positive says which values are stroma, --ignore which are left out (TIGER needs
neither); --mpp is the spacing of images that do not state one. <out>/report.html is the report, <out>/metrics.json has
every number in it, <out>/patches.csv a row a patch.`,
  options: ['compare', 'split', 'part', 'seed', ...LABELS, 'strict', ...GRAPH.filter(name => name !== 'fresh')],
  async run(context) {
    const { args, terminal, signal } = context;
    const path = args[0]!;
    const { out, seed, strict } = context.config;
    const further = (context.config.compare ?? '').split(',').filter(name => name.trim() !== '');
    const given = { norm: normOf(context.config), tta: ttaOf(context.config) };
    const bundles = [];
    for (const model of [context.config.model ?? STARTER_MODEL, ...further]) {
      const loaded = await loadNamed(model.trim(), given, signal);
      checkTogether(loaded, context.config);
      bundles.push(loaded);
    }
    const config = sharedPatches(context.config, bundles);
    const faults = new Faults(strict);
    const whole = await openLabelledSet(path, {
      ...labelledSetOptions(config, bundles[0]!.labels),
      strict,
      onFault: faults.add,
    });
    terminal.line(`set        ${path}: ${whole.size} images`);
    for (const line of describeLabelMap(whole.map)) terminal.line(`labels     ${line}`);
    await makeFolder(out);
    const split = await openSplit(whole, config);
    const test = config.part === 'test';
    if (test && !split)
      throw new StromaflowError('USAGE', '--part test needs a --split that says which images are of test');
    const set = test && split ? testImages(whole, split) : whole;
    if (split) terminal.line(`split      by ${split.by}, seed ${split.seed}${test ? ', test alone' : ''}`);

    const names = reportNames(bundles);
    const models: EvaluatedModel[] = [];
    let status = 0;
    try {
      for (const [index, bundle] of bundles.entries()) {
        const spool = join(out, `.patches-${index}`);
        const replayed = await replayModel({ ...context, config }, bundle, names[index]!, spool, {
          set,
          split,
          faults,
        });
        models.push(replayed.model);
        status = Math.max(status, replayed.status);
        if (signal.aborted) break;
      }
      if (signal.aborted) {
        terminal.line('no report: scores of a part would be taken for scores of the set');
        return status;
      }
      const spacing = config.spacing!;
      const report = await writeReport(out, { set, models, split, faults: faults.list, seed, spacing, openSlide });
      for (const line of [...scoreLines(report), ...truthLines(report.set.truths)]) terminal.line(line);
      terminal.line(`report     ${join(out, 'report.html')}, with metrics.json and patches.csv beside it`);
      terminal.json(report);
    } finally {
      for (const { spool } of models) await spool.remove();
    }
    return faults.list.length > 0 ? Math.max(1, status) : status;
  },
};

/** A split made now is written beside the report, so that training can read it. */
async function openSplit(set: LabelledSet, config: Config): Promise<Split | undefined> {
  const { split: by, seed, out } = config;
  if (by === undefined) return undefined;
  if (by !== 'patch' && by !== 'patient') return readSplit(by);
  const grid = { spacing: config.spacing!, patchSize: config['patch-size']!, margin: config.margin! };
  const split = await splitSet(set, { by, seed, ...grid, openSlide });
  await writeSplit(join(out, 'split.json'), split);
  return split;
}
