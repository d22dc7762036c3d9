import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lastValueFrom, take, tap, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { segmentLive } from '#pipelines/live.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { partsWith } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';

/** Watches an empty folder until so many slides have a result, and lets go of it again. */
async function watchFor(results: number, act: (folder: string, signal: AbortSignal) => Promise<void>) {
  const [folder, out] = [await emptyFolder(), await emptyFolder()];
  const parts = await partsWith({ out, poll: 0.1, settle: 0.5 });
  const abort = new AbortController();
  try {
    const watching = lastValueFrom(segmentLive(folder, parts, abort.signal).pipe(take(results), toArray()));
    await act(folder, abort.signal);
    return { folder, out, results: await watching };
  } finally {
    abort.abort();
    await parts.close();
  }
}

const states = (results: SlideResult[]) => Object.fromEntries(results.map(({ id, state }) => [id, state]));

describe('segmentLive', () => {
  it('segments a slide that arrives as a scanner writes it', async () => {
    const { results } = await watchFor(1, async (folder, signal) => {
      await simulateScan(SLIDE, folder, { as: 'rename', order: 'rows', rate: 0, signal });
    });
    expect(results[0]).toMatchObject({ id: 'CMU-1-Small-Region', state: 'completed' });
  });

  it('is not stopped by a file that is no slide, a slide cut short, or one without mpp', async () => {
    const { results } = await watchFor(3, async folder => {
      const whole = await readFile(SLIDE);
      await writeFile(join(folder, 'text.svs'), 'not a slide');
      await writeFile(join(folder, 'cut.svs'), whole.subarray(0, whole.length / 2));
      await copyFile(SLIDE, join(folder, 'good.svs'));
    });
    expect(states(results)).toEqual({ text: 'failed', cut: 'failed', good: 'completed' });
    const codes = results.flatMap(result => (result.state === 'failed' ? [result.error.code] : []));
    expect(codes.sort()).toEqual(['SLIDE_TRUNCATED', 'SLIDE_UNREADABLE']);
  });

  it('keeps slides of one name in two case folders apart', async () => {
    const { results, out } = await watchFor(2, async folder => {
      for (const name of ['case-1', 'case-2']) {
        await mkdir(join(folder, name));
        await copyFile(SLIDE, join(folder, name, 'slide.svs'));
      }
    });
    expect(states(results)).toEqual({ 'case-1--slide': 'completed', 'case-2--slide': 'completed' });
    await expect(readFile(join(out, 'case-1--slide', 'summary.json'), 'utf8')).resolves.toContain('"completed"');
  });

  it('takes up a slide that is replaced by another scan, and starts its numbers over', async () => {
    const seen: SlideResult[] = [];
    const [folder, out] = [await emptyFolder(), await emptyFolder()];
    const parts = await partsWith({ out, poll: 0.1, settle: 0.5 });
    const abort = new AbortController();
    const path = join(folder, 'again.svs');
    await copyFile(SLIDE, path);
    const rescan = async (): Promise<void> => {
      const bytes = await readFile(SLIDE);
      await writeFile(path, Buffer.concat([bytes, Buffer.from('scanned again')]));
    };
    try {
      await lastValueFrom(
        segmentLive(folder, parts, abort.signal).pipe(
          tap(result => {
            seen.push(result);
            if (seen.length === 1) void rescan();
          }),
          take(2),
        ),
      );
    } finally {
      abort.abort();
      await parts.close();
    }
    const fingerprints = seen.map(result =>
      result.state === 'completed' ? result.summary.source.fingerprint : undefined,
    );
    expect(new Set(fingerprints).size).toBe(2);
    for (const result of seen)
      expect(result).toMatchObject({ state: 'completed', summary: { patches: { expected: 30 } } });
  });
});
