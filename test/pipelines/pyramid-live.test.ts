import { describe, expect, it } from 'vitest';
import { simulateScan } from '#src/simulate/simulate-scan.js';
import { openSlide } from '#src/slide/open.js';
import { finishedMask, maskOf, pyramid, watchFor } from './live-support.js';

describe('a pyramid whose coarse levels come last', () => {
  it.each(['growing-tiff', 'checkpointed-tiff'] as const)('%s: the same masks as the finished slide', async as => {
    const path = await pyramid();
    const { info } = await openSlide(path);
    expect(info.levels.length).toBeGreaterThan(3);
    const { results, out } = await watchFor(1, {}, (folder, signal) =>
      simulateScan(path, folder, { as, order: 'stripes', rate: 300, signal }),
    );
    expect(results[0]).toMatchObject({ state: 'completed', summary: { tiles: { seen: 108 } } });
    expect(await maskOf(out, 'pyramid')).toEqual(await finishedMask(path, 'pyramid'));
  });
});
