import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { segmentLive, watchedFolder } from '#pipelines/live.js';
import type { SlideResult } from '#pipelines/slide-result.js';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import type { PresenceChange } from '#src/watch/watched-folder.js';
import { partsWith, recording } from '../support/parts.js';
import { emptyFolder, SLIDE } from '../support/paths.js';
import { THOROUGH } from '../support/thorough.js';
import { deliver, finishedMask, kinds, maskOf, masks } from './live-support.js';
import { ScannerShare } from './scanner-share.js';

const ID = 'CMU-1-Small-Region';
/** Seconds. What is written in between must not take so long, however busy the machine. */
const STALL = 5;

describe('a share that goes away for longer than a slide may stall', () => {
  it.each([
    ['growing-tiff', 'nothing'],
    ['tile-folder', 'an empty folder'],
    ['dicom', 'nothing'],
    ...(THOROUGH
      ? ([
          ['growing-tiff', 'an empty folder'],
          ['ndtiff', 'an empty folder'],
        ] as const)
      : []),
  ] as const)('and leaves %s and %s behind makes slides wait, and nothing is done twice', async (as, leaves) => {
    const share = new ScannerShare(await emptyFolder());
    const out = await emptyFolder();
    const opened = await partsWith({ out, poll: 0.1, settle: 0.3, 'incomplete-after': STALL });
    const { parts, events } = recording(opened);
    const changes: PresenceChange[] = [];
    const folder = watchedFolder(share.root, parts.config, change => changes.push(change));
    const stop = new AbortController();
    const results: SlideResult[] = [];
    const over = new Promise<void>((resolve, reject) => {
      const next = (result: SlideResult) => void results.push(result);
      segmentLive(folder, parts, stop.signal).subscribe({ next, error: reject, complete: resolve });
    });
    const until = async (is: () => boolean): Promise<void> => {
      while (!is()) await Promise.race([over, sleep(10)]);
    };
    const completed = () => results.filter(({ state }) => state === 'completed').map(({ id }) => id);
    try {
      await deliver(SLIDE, share.root, 'before.svs');
      await until(() => completed().includes('before'));

      let tiles = 0;
      let seen = false;
      const onTile = async (): Promise<void> => {
        tiles += 1;
        // Slowly, so that it neither stalls nor is at its end before somebody has seen a mask.
        const isFollowed = (): boolean => masks(events).some(id => id.startsWith(`${ID}/`));
        for (let waited = 0; tiles > 20 && waited < 200 && !isFollowed(); waited += 10) await sleep(10);
        seen ||= isFollowed();
        await share.park();
      };
      // A tile of a DICOM part is there when its part is.
      const scan = { as, order: 'rows', rate: 300, partTiles: 2, onTile } as const;
      const scanning = share.writing(() => simulateScan(SLIDE, share.root, scan));
      await until(() => seen && tiles > 40);
      await share.takeAway(leaves);
      await until(() => folder.reason !== undefined);
      const published = events.length;
      await sleep(STALL * 1300);
      // Patches whose tiles had come may still have been on their way; nothing ends.
      const meanwhile = kinds(events.slice(published));
      expect(meanwhile.filter(kind => ['incomplete', 'completed', 'failed', 'dlq'].includes(kind))).toEqual([]);
      expect(folder.reason).toContain(share.root);
      share.bringBack(leaves);
      await scanning;
      await until(() => completed().includes(ID));
      // All that is there was looked at again.
      await until(() => folder.outages === 1);
      await sleep(500);
    } finally {
      stop.abort();
      await over;
      await opened.close();
    }
    expect(completed().toSorted()).toEqual([ID, 'before'].toSorted());
    for (const state of ['failed', 'done-before']) expect(results.map(result => result.state)).not.toContain(state);
    const ids = events.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(await maskOf(out, ID)).toEqual(await finishedMask(SLIDE, ID));
    expect(changes.map(({ folder: at, away }) => [at, away === undefined])).toEqual([
      [share.root, false],
      [share.root, true],
    ]);
    expect(changes[1]!.seconds).toBeGreaterThan(STALL * 1.2);
  });
});
