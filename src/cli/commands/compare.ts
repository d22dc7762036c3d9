import { basename, dirname, resolve } from 'node:path';
import { compareReports, type NamedReport, type ReportComparison } from '../../evaluate/compare-reports.js';
import { readReport } from '../../evaluate/read-report.js';
import { count } from '../../evaluate/report/words.js';
import { type Command, GENERAL } from '../command.js';
import { differenceLines } from '../replay-scores.js';

/** Two runs over one set that differ in what a single replay cannot vary: margin, padding, patch size, statistics of norms. */
export const compare: Command = {
  usage: 'compare <report> <others...>',
  summary: 'compare reports of replay: differences of scores with paired intervals',
  notes: `Each report is the folder that a replay of the same set wrote (--out), or its metrics.json. Every later one is compared
with the first, image by image of those that both scored: later − first, patients (or images, where patients are unknown) drawn once for
both. Replays may differ in margin, padding, patch size, norms and model; the spacing and the labels must be the same.`,
  options: ['seed', ...GENERAL],
  async run({ args, config, terminal }) {
    const reports: NamedReport[] = [];
    for (const path of args) reports.push({ name: path, report: await readReport(path) });
    const named = shortest(reports);
    const comparisons = compareReports(named, { seed: config.seed });
    for (const comparison of comparisons) for (const line of comparisonLines(comparison)) terminal.line(line);
    terminal.json(comparisons);
    return 0;
  },
};

/** Folders by their own names, where those tell them apart. */
function shortest(reports: readonly NamedReport[]): NamedReport[] {
  const own = ({ name }: NamedReport) => basename(name.endsWith('.json') ? dirname(resolve(name)) : resolve(name));
  if (new Set(reports.map(own)).size < reports.length) return [...reports];
  return reports.map(report => ({ ...report, name: own(report) }));
}

function comparisonLines({ a, b, split, images, units, unit, onlyA, onlyB, differs, ...scores }: ReportComparison) {
  const of = unit === 'patient' ? ` of ${count(units, 'patient')}` : ', patients unknown';
  const part = split === 'all' ? '' : ` on the ${split} split`;
  const left = [
    ...(onlyA > 0 ? [`${count(onlyA, 'image')} only in ${a}`] : []),
    ...(onlyB > 0 ? [`${count(onlyB, 'image')} only in ${b}`] : []),
  ];
  return [
    `${a} − ${b}${part}: ${count(images, 'image')}${of}`,
    `  ${differs.length > 0 ? differs.join('; ') : 'the same model, patches, margin and padding'}`,
    ...(left.length > 0 ? [`  left out: ${left.join(', ')}`] : []),
    ...differenceLines(scores),
  ];
}
