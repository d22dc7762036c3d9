import { from, lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { hasTissue } from '#src/stage/item.js';
import { read } from '#src/stage/read.js';
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
});
