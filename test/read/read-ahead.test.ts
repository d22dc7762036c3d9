import { expect, it } from 'vitest';
import type { PatchPlan } from '#src/read/patch.js';
import { ReadAhead } from '#src/read/read-ahead.js';
import type { TileSourceDescription } from '#src/slide/slide.js';

interface Part {
  readonly offset: number;
  readonly length: number;
}

/** A level of 10 × 10 tiles of 100 px, whose offset is a thousand times their number. */
function ahead(plan: Partial<PatchPlan>, bytes = 50) {
  const asked: (readonly Part[])[] = [];
  const level = {
    ...{ tileWidth: 100, tileHeight: 100, cols: 10, rows: 10 },
    offsets: Float64Array.from({ length: 100 }, (_, i) => i * 1000),
    byteCounts: Float64Array.from({ length: 100 }, (_, i) => (i === 11 ? 0 : bytes)),
  };
  const remote = {
    traffic: { requests: 0, repeated: 0, bytes: 0 },
    ahead: async (parts: readonly Part[]) => void asked.push(parts),
    close: () => undefined,
  };
  const whole = { level: 0, scale: 1, core: 200, margin: 0, patchSize: 200, ...plan } as PatchPlan;
  const source = {
    kind: 'remote-tiff',
    path: 'http://host/a.svs',
    levels: [level],
  } as unknown as TileSourceDescription;
  return { asked, reading: new ReadAhead(remote, source, whole) };
}

const at = (col: number, row: number) => ({ slide: 's', level: 0, col, row, x: 0, y: 0 }) as never;
const tiles = (parts: readonly Part[] | undefined) => parts?.map(({ offset }) => offset / 1000);

it('fetches the stored tiles that a patch touches, and none beside them', () => {
  const { asked, reading } = ahead({});
  reading.begin(at(0, 0));
  reading.begin(at(2, 1));
  // Of the first, tile 11 is not stored.
  expect(asked.map(tiles)).toEqual([
    [0, 1, 10],
    [24, 25, 34, 35],
  ]);
});

it('counts the margin, what is finer than the patch, and the edge of the level', () => {
  const margin = ahead({ core: 180, margin: 10 });
  margin.reading.begin(at(1, 1));
  expect(tiles(margin.asked[0])).toEqual([12, 13, 21, 22, 23, 31, 32, 33].filter(tile => tile !== 11));
  const finer = ahead({ scale: 2 });
  finer.reading.begin(at(1, 0));
  expect(tiles(finer.asked[0])).toEqual([0, 1, 2, 3].flatMap(row => [4, 5, 6, 7].map(col => row * 10 + col)));
  const edge = ahead({ core: 300, patchSize: 300 });
  edge.reading.begin(at(3, 3));
  expect(tiles(edge.asked[0])).toEqual([99]);
});

it('holds back while as much is waited for as the cache keeps, and goes on when patches were read', () => {
  const { asked, reading } = ahead({}, 2 ** 20);
  const [first] = [reading.begin(at(1, 0)), reading.begin(at(2, 0))];
  reading.begin(at(3, 0));
  expect(asked).toHaveLength(2);
  first!();
  reading.begin(at(4, 0));
  expect(asked).toHaveLength(3);
});
