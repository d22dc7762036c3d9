import { from, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { hasTissue } from '#src/stage/item.js';
import { read } from '#src/stage/read.js';
import type { SourceFolder } from '#src/stage/session-parts.js';
import { RecordingObserver } from '../support/observer.js';
import { inferred, sessionOf } from './session-fixture.js';

describe('read', () => {
  it('goes on with a patch that cannot be read as one that failed', async () => {
    const { session } = await sessionOf({
      reader: {
        read: async ({ col }) => {
          if (col === 1) throw new Error('EIO: i/o error, read');
          return { outcome: col === 0 ? 'tissue' : 'empty', validPixels: 1, tissuePixels: 1, seconds: 0 };
        },
        openings: 1,
        reopen: async () => undefined,
        close: async () => undefined,
      },
    });
    const observer = new RecordingObserver();
    const given = [0, 1, 2].map(index => inferred(session, index));
    const patches = await lastValueFrom(from(given).pipe(read(observer), toArray()));
    expect(patches.map(patch => [patch.slot, patch.read.outcome, hasTissue(patch)])).toEqual([
      [0, 'tissue', true],
      [1, 'failed', false],
      [2, 'empty', false],
    ]);
    expect(patches[1]!.read).toMatchObject({
      error: { code: 'SLIDE_UNREADABLE', message: expect.stringContaining('EIO') },
    });
    expect(observer.stages.filter(stage => stage.startsWith('<')).toSorted()).toEqual([
      ...['<read failed', '<read ok', '<read ok'],
    ]);
  });

  describe('of a folder that is away', () => {
    const unreadable = (code: 'SLIDE_UNREADABLE' | 'TILE_CORRUPT' = 'SLIDE_UNREADABLE') =>
      new StromaflowError(code, 'cannot be read');

    /** Reads patch 0 of a slide whose reader fails so many times, in a folder that is away while `away` says so. */
    async function readOne(failures: number, folder: SourceFolder, error = unreadable(), signal?: AbortSignal) {
      let openings = 1;
      let reads = 0;
      const { session } = await sessionOf({
        folder,
        reader: {
          read: async () => {
            if (++reads <= failures) throw error;
            return { outcome: 'tissue', validPixels: 1, tissuePixels: 1, seconds: 0 };
          },
          get openings() {
            return openings;
          },
          reopen: async () => void openings++,
          close: async () => undefined,
        },
      });
      const patches = from([inferred(session, 0)]).pipe(read(new RecordingObserver(), signal));
      const { read: outcome } = await lastValueFrom(patches);
      return { outcome: outcome.outcome, reads, openings, failure: session.failure };
    }

    it('waits until it is back, however often, and reads through handles of then', async () => {
      let away = 3;
      let waited = 0;
      const folder = { isAway: () => away-- > 0, back: async () => ++waited > 0, outages: 0 };
      expect(await readOne(3, folder)).toMatchObject({ outcome: 'tissue', reads: 4, openings: 4 });
      expect(waited).toBe(3);
    });

    it('reads again what failed during an outage that is over', async () => {
      let outages = 0;
      const folder = {
        isAway: () => false,
        back: async () => true,
        get outages() {
          return outages++ < 4 ? outages : 9;
        },
      };
      expect(await readOne(2, folder, unreadable('TILE_CORRUPT'))).toMatchObject({ outcome: 'tissue', reads: 3 });
    });

    it('reads once more what cannot be read though it is there, but nothing that is damaged', async () => {
      const folder = { isAway: () => false, back: async () => true, outages: 0 };
      expect(await readOne(1, folder)).toMatchObject({ outcome: 'tissue', reads: 2 });
      expect(await readOne(2, folder)).toMatchObject({ outcome: 'failed', reads: 2, failure: undefined });
      expect(await readOne(1, folder, unreadable('TILE_CORRUPT'))).toMatchObject({ outcome: 'failed', reads: 1 });
    });

    it('has no outcome when it is interrupted while it waits', async () => {
      const folder = { isAway: () => true, back: async () => false, outages: 0 };
      const { outcome, reads, failure } = await readOne(1, folder, unreadable(), AbortSignal.abort());
      expect([outcome, reads, failure]).toEqual(['failed', 1, expect.objectContaining({ code: 'INTERRUPTED' })]);
    });
  });
});
