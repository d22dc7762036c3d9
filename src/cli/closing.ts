import type { SlideResult } from '../../pipelines/slide-result.js';
import { type LeftOut, leftOut } from './left-out.js';

/** What became of all slides of a run. */
export interface Closing {
  readonly slides: number;
  /** With all of the slide in the result. */
  readonly completed: number;
  /** Completed, and something is not in the result. */
  readonly completedWithLosses: number;
  readonly doneBefore: number;
  readonly incomplete: number;
  readonly failed: number;
  readonly interrupted: number;
  readonly tilesMissing: number;
  readonly patchesMissing: number;
  readonly patchesFailed: number;
}

/** The last result of each slide: a watched one may come again. */
export const lastResults = (results: readonly SlideResult[]): SlideResult[] => [
  ...new Map(results.map(result => [`${result.id}\n${result.path}`, result])).values(),
];

export function closingOf(results: readonly SlideResult[]): Closing {
  const last = lastResults(results);
  const count = (state: SlideResult['state']): number => last.filter(result => result.state === state).length;
  const losses = last.flatMap(result => {
    const left = 'summary' in result && result.summary ? leftOut(result.summary) : undefined;
    return left && isLoss(left) ? [{ left, completed: result.state === 'completed' }] : [];
  });
  const sum = (of: 'tiles' | 'patchesMissing' | 'patchesFailed'): number =>
    losses.reduce((total, { left }) => total + left[of], 0);
  const withLosses = losses.filter(({ completed }) => completed).length;
  return {
    slides: last.length,
    completed: count('completed') - withLosses,
    completedWithLosses: withLosses,
    doneBefore: count('done-before'),
    incomplete: count('incomplete'),
    failed: count('failed'),
    interrupted: count('interrupted'),
    tilesMissing: sum('tiles'),
    patchesMissing: sum('patchesMissing'),
    patchesFailed: sum('patchesFailed'),
  };
}

/** What was not scanned is none. */
const isLoss = ({ sparse, patchesFailed, notes }: LeftOut): boolean => !sparse || patchesFailed > 0 || notes.length > 0;

/** One line for people over all slides. */
export function closingLine(closing: Closing): string {
  const { slides, tilesMissing, patchesMissing, patchesFailed } = closing;
  const states = [
    [closing.completed, 'completed'],
    [closing.completedWithLosses, 'completed with losses'],
    [closing.doneBefore, 'done before'],
    [closing.incomplete, 'INCOMPLETE'],
    [closing.failed, 'FAILED'],
    [closing.interrupted, 'interrupted'],
  ] as const;
  const losses = [
    [tilesMissing, 'tiles missing'],
    [patchesMissing, 'patches missing'],
    [patchesFailed, 'patches failed'],
  ] as const;
  const said = (list: readonly (readonly [number, string])[]): string =>
    list.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(', ');
  const lost = said(losses);
  if (slides === 0) return 'no slides';
  return `${slides} ${slides === 1 ? 'slide' : 'slides'}: ${said(states)}${lost ? `; not in the results: ${lost}` : ''}`;
}
