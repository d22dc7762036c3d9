import fs, { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openGrowingTiff } from '#src/live/growing-tiff.js';
import { readIndex } from '#src/slide/ndtiff/read-index.js';
import { failOnceIn, failReadsWhile } from '../support/failing-reads.js';
import { temporaryFolder } from '../support/temporary.js';
import { followed, PATIENT, sorted, upTo } from './follow.js';
import { ndTiffFolder } from './nd-tiff-folder.js';
import { scanInto } from './scanned-tiff.js';
import { tileSetFolder } from './tile-set-folder.js';

/** For so long from now. */
function failReadsFor(ms: number): void {
  const until = performance.now() + ms;
  failReadsWhile(() => performance.now() < until);
}

const scan = () =>
  scanInto(bytes => {
    const path = join(temporaryFolder('errors'), 'a.tiff');
    writeFileSync(path, bytes);
    return path;
  });

describe('what came last while reads failed, and longer than a change of the file is looked for', () => {
  it('is found in a TIFF', async () => {
    const { path, enter } = scan();
    const live = await openGrowingTiff(path, { ...PATIENT, events: true });
    const came = await followed(live, () => {
      if (live.tiles.seen !== 11) return;
      enter();
      failReadsFor(300);
    });
    expect(sorted(came)).toEqual(upTo(12));
    expect(live.state).toBe('complete');
  });

  it('is found in a folder of tiles', async () => {
    const { open, tiles } = tileSetFolder();
    await tiles([0, 1, 2, 3, 4]);
    const live = open(PATIENT);
    let writing = Promise.resolve();
    const came = await followed(live, seen => {
      if (seen.length !== 5) return;
      writing = tiles([5]);
      failReadsFor(4000);
    });
    await writing;
    expect([sorted(came), live.state]).toEqual([upTo(6), 'complete']);
  });
});

describe('a read that fails once', () => {
  it('loses no tile of a TIFF that came beside one that came again', async () => {
    const { path, enter, again } = scan();
    const live = await openGrowingTiff(path, PATIENT);
    let failures = () => 0;
    const came = await followed(live, () => {
      if (live.tiles.seen !== 11) return;
      failures = failOnceIn('sameBytes');
      again(bytes => bytes);
      enter();
    });
    expect(sorted(came)).toEqual(upTo(12));
    expect([live.state, live.tiles.seen]).toEqual(['complete', 12]);
    expect(failures()).toBeGreaterThan(0);
  });

  it('loses no image of an NDTiff whose entry was seen before its pixels', async () => {
    const { put, open, index, part } = ndTiffFolder();
    // Those that read as zeros are of a copy whose index came first.
    for (const tile of upTo(6)) put(tile, [1, 2, 3].includes(tile) ? 0 : 9);
    const waiting = readIndex(index, fs.readFileSync(index), 0).slice(1, 4);
    const live = open(PATIENT)!;
    let failures = () => 0;
    const came = await followed(live, seen => {
      if (seen.length !== 3) return;
      const bytes = fs.readFileSync(part);
      for (const { offset } of waiting) bytes.fill(9, offset, offset + 48);
      writeFileSync(part, bytes);
      failures = failOnceIn('takeThose');
    });
    expect([sorted(came), live.state, live.tiles]).toEqual([
      upTo(6),
      'complete',
      { expected: 6, seen: 6, missing: 0, overwritten: 0 },
    ]);
    expect(failures()).toBeGreaterThan(0);
  });
});
