import { relative } from 'node:path';
import type { SlideResult } from '../../pipelines/slide-result.js';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { RemoteTraffic } from '../slide/slide.js';
import { AREAS_FILE, type AreasCsv } from '../store/areas-csv.js';
import { readSummary } from '../store/finished-slides.js';
import type { SlideSummary } from '../store/summary.js';
import { lastResults } from './closing.js';
import { isSaid, type LeftOut, leftOut, leftOutLine } from './left-out.js';
import { sievedLine } from './sieved.js';
import type { Terminal } from './terminal.js';

/** Says what became of a slide. */
export async function printResult(
  result: SlideResult,
  terminal: Terminal,
  again = 'the same command goes on from there',
): Promise<void> {
  switch (result.state) {
    case 'completed':
      terminal.line(`${result.id}: ${found(result.summary)}`);
      printFiles(result.summary, result.folder, terminal);
      return;
    case 'done-before': {
      const summary = await readSummary(result.folder);
      if (!summary) {
        const { id, folder } = result;
        terminal.line(`${id}: done before; its results are gone from ${shorten(folder)}/ (--fresh does it again)`);
        terminal.json({ slide: id, state: 'done-before', results: 'gone' });
        return;
      }
      terminal.line(`${result.id}: done before, see ${shorten(result.folder)}/ (--fresh does it again)`);
      printLeftOut(summary, terminal);
      terminal.json(withLeftOut(summary));
      return;
    }
    case 'interrupted':
      terminal.line(`${result.id}: interrupted after ${result.done} of ${result.expected} patches; ${again}`);
      terminal.json({ slide: result.id, state: 'interrupted', done: result.done, expected: result.expected });
      return;
    case 'incomplete': {
      const { id, reason, done, expected, lacks, summary, folder } = result;
      const why = lacks === undefined ? WHY[reason] : `lacks ${lacks}`;
      if (summary && folder !== undefined) {
        const fix = 'missing and failed patches are tried again by the next start';
        terminal.line(`${id}: INCOMPLETE (${why}): ${found(summary)}; ${fix}`);
        printFiles(summary, folder, terminal);
        return;
      }
      terminal.line(`${id}: incomplete (${why}) after ${done} of ${expected} patches; goes on when it changes`);
      terminal.json({
        slide: id,
        state: 'incomplete',
        reason,
        done,
        expected,
        ...(lacks === undefined ? {} : { lacks }),
      });
      return;
    }
    case 'failed': {
      const { code, message, fix, line } = result.error;
      // Most messages name the file.
      const isNamed = message.includes(result.path) || message.includes(result.id);
      terminal.problem(isNamed ? line : `${result.id}: ${line}`);
      terminal.json({ slide: result.id, state: 'failed', error: { code, message, fix } });
    }
  }
}

/** Areas and outcomes in a line. */
function found({ area, patches }: SlideSummary): string {
  const aside = [
    patches.missing > 0 ? `, ${patches.missing} MISSING` : '',
    patches.failed > 0 ? `, ${patches.failed} FAILED` : '',
  ];
  return (
    `stroma ${area.stromaMm2.toFixed(3)} mm² of ${area.tissueMm2.toFixed(3)} mm² tissue` +
    ` (${(area.stromaFraction * 100).toFixed(1)} %), ${patches.segmented} patches segmented, ${patches.empty} without tissue` +
    aside.join('')
  );
}

function printFiles(summary: SlideSummary, folder: string, terminal: Terminal): void {
  printLeftOut(summary, terminal);
  const { http } = summary.source;
  if (http) terminal.line(`  ${httpLine(http)}`);
  const sieved = sievedLine(summary);
  if (sieved !== undefined) terminal.line(`  ${sieved}`);
  terminal.line(
    `  pictures and results: ${shorten(folder)}/  (overview.png, mask.geojson, mask.ome.zarr, summary.json)`,
  );
  terminal.json(withLeftOut(summary));
}

/** What is not in the result, in a line, and what else one must know to read it right. */
function printLeftOut(summary: SlideSummary, terminal: Terminal): void {
  const left = leftOut(summary);
  if (left) terminal.line(`  ${leftOutLine(left)}`);
  for (const note of summary.notes ?? []) if (!isSaid(note)) terminal.line(`  note: ${note.message}`);
}

function httpLine({ requests, repeated, bytes }: RemoteTraffic): string {
  const again = repeated > 0 ? `, ${repeated} of them made again` : '';
  return `read over HTTP: ${(bytes / 1e6).toFixed(1)} MB with ${requests} requests${again}`;
}

function withLeftOut(summary: SlideSummary): SlideSummary & { leftOut?: LeftOut } {
  const left = leftOut(summary);
  return left ? { ...summary, leftOut: left } : summary;
}

const WHY = {
  stalled: 'the file stopped growing',
  replaced: 'the file was written anew',
  gone: 'the file was deleted',
  'tiles-missing': 'most of its tiles are not stored, or were never written',
  'patches-failed': 'no patch could be done',
} as const;

/** Puts a finished slide into areas.csv; false where that was not possible, which has then been said. */
export async function keepAreas(
  areas: AreasCsv,
  result: SlideResult,
  { problem }: Pick<Terminal, 'problem'>,
): Promise<boolean> {
  try {
    if (result.state === 'completed') await areas.put(result.id, result.summary);
    else if (result.state === 'done-before') {
      const summary = await readSummary(result.folder);
      if (summary) await areas.put(result.id, summary);
    }
    return true;
  } catch (error) {
    problem(`${result.id} is not in ${AREAS_FILE}: ${toStromaflowError(error).line}`);
    return false;
  }
}

/** 130 interrupted, 1 when a slide or a patch failed or a slide is incomplete, else 0. */
export function exitStatus(results: readonly SlideResult[], signal: AbortSignal): number {
  if (signal.aborted) return new StromaflowError('INTERRUPTED', 'interrupted').exitCode;
  const isSound = (result: SlideResult): boolean =>
    result.state === 'done-before' || (result.state === 'completed' && result.summary.patches.failed === 0);
  return lastResults(results).every(isSound) ? 0 : 1;
}

export const shorten = (path: string): string => {
  const below = relative(process.cwd(), path);
  return below.startsWith('..') || below === '' ? path : below;
};
