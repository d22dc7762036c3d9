import type { SlideNote } from '../slide/note.js';
import type { SlideSummary } from '../store/summary.js';

/** What is not in a slide's result. */
export interface LeftOut {
  /** Tiles of the level that was read which the slide lists and no level stores. */
  readonly tiles: number;
  readonly tilesExpected: number;
  /** Patches no part of which was analysed: nothing is stored there, or only glass beside what is missing. */
  readonly patchesMissing: number;
  readonly patchesFailed: number;
  readonly patchesExpected: number;
  /** The commonest reason of those that failed. */
  readonly code?: string;
  /** Part of the slide that is not stored, mm². */
  readonly missingMm2: number;
  /** What is not stored was not scanned. */
  readonly sparse: boolean;
  /** Levels, images, planes, instances, labels. */
  readonly notes: readonly SlideNote[];
}

/** The parts of a summary that tell. */
export type Told = Pick<SlideSummary, 'patches'> & Partial<Pick<SlideSummary, 'tiles' | 'area' | 'notes' | 'errors'>>;

/** Undefined when all of the slide is in its result. Summaries of earlier versions tell less. */
export function leftOut({ patches, tiles, area, notes = [], errors = [] }: Told): LeftOut | undefined {
  const code = commonest(errors.map(error => error.code));
  const found: LeftOut = {
    tiles: tiles?.missing ?? 0,
    tilesExpected: tiles?.expected ?? 0,
    patchesMissing: patches.missing || 0,
    patchesFailed: patches.failed || 0,
    patchesExpected: patches.expected,
    ...(code === undefined ? {} : { code }),
    missingMm2: area?.missingMm2 ?? 0,
    sparse: notes.some(note => note.code === 'sparse'),
    notes: notes.filter(isNamed),
  };
  const { patchesMissing, patchesFailed, missingMm2 } = found;
  const isWhole = found.tiles + patchesMissing + patchesFailed + missingMm2 + found.notes.length === 0;
  return isWhole ? undefined : found;
}

/** One line for people. */
export function leftOutLine(left: LeftOut): string {
  const { tiles, tilesExpected, patchesMissing, patchesFailed, patchesExpected, code, missingMm2, sparse, notes } =
    left;
  const parts: string[] = [];
  const scanned = sparse ? 'not scanned' : 'missing';
  if (tiles > 0) parts.push(`${tiles} of ${tilesExpected} tiles ${scanned}`);
  if (patchesMissing > 0) parts.push(`${patchesMissing} of ${patchesExpected} patches ${scanned}`);
  if (missingMm2 > 0) parts.push(`${missingMm2.toFixed(3)} mm² without pixels`);
  if (patchesFailed > 0) parts.push(`${patchesFailed} of ${patchesExpected} patches failed${code ? ` (${code})` : ''}`);
  parts.push(...notes.map(({ message }) => message));
  return `not in the result: ${parts.join('; ')}`;
}

const isNamed = ({ code }: SlideNote): boolean => code.endsWith('-left-out');

/** Said by the line, or of the model and not of the slide. */
export const isSaid = (note: SlideNote): boolean =>
  isNamed(note) || note.code === 'sparse' || note.code === 'model-notice';

function commonest(codes: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].toSorted((a, b) => b[1] - a[1])[0]?.[0];
}
