import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { SlideResult } from '../../pipelines/run-slide.js';
import { StromaflowError } from '../errors.js';
import type { Terminal } from './terminal.js';

/** Says what became of a slide. */
export async function printResult(
  result: SlideResult,
  terminal: Terminal,
  again = 'the same command goes on from there',
): Promise<void> {
  switch (result.state) {
    case 'completed': {
      const { summary, folder } = result;
      const { area, patches } = summary;
      terminal.line(
        `${result.id}: stroma ${area.stromaMm2.toFixed(3)} mm², tissue ${area.tissueMm2.toFixed(3)} mm²` +
          ` (${(area.stromaFraction * 100).toFixed(1)} %), ${patches.segmented} patches segmented, ${patches.empty} empty` +
          `${patches.failed > 0 ? `, ${patches.failed} FAILED` : ''}`,
      );
      terminal.line(
        `  pictures and results: ${shorten(folder)}/  (overview.png, mask.geojson, mask.ome.zarr, summary.json)`,
      );
      terminal.json(summary);
      return;
    }
    case 'done-before':
      terminal.line(`${result.id}: done before, see ${shorten(result.folder)}/ (--fresh does it again)`);
      terminal.json(JSON.parse(await readFile(join(result.folder, 'summary.json'), 'utf8')));
      return;
    case 'interrupted':
      terminal.line(`${result.id}: interrupted after ${result.done} of ${result.expected} patches; ${again}`);
      terminal.json({ slide: result.id, state: 'interrupted', done: result.done, expected: result.expected });
      return;
    case 'incomplete': {
      const { id, reason, done, expected, lacks } = result;
      const why = lacks === undefined ? WHY[reason] : `lacks ${lacks}`;
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
      const { code, message, fix } = result.error;
      terminal.problem(result.error.line);
      terminal.json({ slide: result.id, state: 'failed', error: { code, message, fix } });
    }
  }
}

const WHY = {
  stalled: 'the file stopped growing',
  replaced: 'the file was written anew',
  gone: 'the file was deleted',
} as const;

/** 130 interrupted, 1 when a slide or a patch failed, else 0. */
export function exitStatus(results: readonly SlideResult[], signal: AbortSignal): number {
  if (signal.aborted) return new StromaflowError('INTERRUPTED', 'interrupted').exitCode;
  const failed = results.some(
    result => result.state === 'failed' || (result.state === 'completed' && result.summary.patches.failed > 0),
  );
  return failed ? 1 : 0;
}

const shorten = (path: string): string => {
  const below = relative(process.cwd(), path);
  return below.startsWith('..') || below === '' ? path : below;
};
