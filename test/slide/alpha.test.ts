import { afterAll, describe, expect, it } from 'vitest';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { scratch } from './fixture.js';
import { type PageOptions, type Picture, writeTiff } from './tiff-writer.js';

const files = scratch();
afterAll(() => files.remove());

const SIDE = 64;
const EXTRA = 338;

/** Every colour with every degree of transparency; under full transparency it is black, as writers leave it. */
const colourAt = (x: number, y: number): readonly number[] => [(x * 4) & 255, (y * 4) & 255, (x * 2 + y * 2) & 255];
const alphaAt = (x: number, y: number): number => [0, 1, 64, 128, 254, 255][(x + y * 7) % 6]!;

function picture(colours: 1 | 3, kind: 'premultiplied' | 'straight', white = 255): Picture {
  const samples = colours + 1;
  const data = new Uint8Array(SIDE * SIDE * samples);
  for (let y = 0, at = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++) {
      const alpha = alphaAt(x, y);
      for (const value of colourAt(x, y).slice(0, colours)) {
        const stored = white === 255 ? value : 255 - value;
        data[at++] = alpha === 0 ? 0 : kind === 'straight' ? stored : Math.round((stored * alpha) / 255);
      }
      data[at++] = alpha;
    }
  return { width: SIDE, height: SIDE, samples, data };
}

/** Over white (Porter and Duff). */
function flattened(colours: 1 | 3): Uint8Array {
  const into = new Uint8Array(SIDE * SIDE * 3);
  for (let y = 0, at = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      for (let c = 0; c < 3; c++)
        into[at++] = Math.round(255 - ((255 - colourAt(x, y)[colours === 1 ? 0 : c]!) * alphaAt(x, y)) / 255);
  return into;
}

async function read(name: string, page: PageOptions) {
  const { info, source } = await openSlide(
    files.write(name, writeTiff([{ tile: [SIDE, SIDE], resolution: 20_000, ...page }])),
  );
  const tiles = await openTileSource(source);
  const into = new Uint8Array(SIDE * SIDE * 3);
  expect(await tiles.readTile(0, 0, 0, into)).toBe('decoded');
  tiles.close();
  return { into, info };
}

const furthest = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe('transparency', () => {
  const codings: readonly (readonly [string, Partial<PageOptions>])[] = [
    ['none', {}],
    ['LZW', { compression: 'lzw' }],
    ['deflate and differences', { compression: 'deflate', predictor: 2 }],
    ['PackBits', { compression: 'packbits' }],
  ];
  const kinds = codings.flatMap(([name, coding]) =>
    (['premultiplied', 'straight'] as const).flatMap(kind =>
      ([1, 3] as const).map(colours => ({ name, coding, kind, colours })),
    ),
  );

  it.each(kinds)('is white: $kind, $colours colours, $name', async ({ coding, kind, colours }) => {
    const extra: PageOptions['extra'] = [[EXTRA, 3, [kind === 'premultiplied' ? 1 : 2]]];
    const { into, info } = await read('alpha.tif', { picture: picture(colours, kind), ...coding, extra });
    expect(furthest(into, flattened(colours))).toBeLessThanOrEqual(1);
    expect(info.notes?.map(({ code }) => code) ?? []).toEqual(colours === 1 ? ['grey'] : []);
  });

  it.each(['premultiplied', 'straight'] as const)('is white where white is stored as zero: %s', async kind => {
    const extra: PageOptions['extra'] = [[EXTRA, 3, [kind === 'premultiplied' ? 1 : 2]]];
    const { into } = await read('inverted.tif', { picture: picture(1, kind, 0), photometric: 0, extra });
    expect(furthest(into, flattened(1))).toBeLessThanOrEqual(1);
  });

  it('may stand behind another sample', async () => {
    const { data } = picture(3, 'straight');
    const five = new Uint8Array(SIDE * SIDE * 5);
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
      five.set(data.subarray(pixel * 4, pixel * 4 + 3), pixel * 5);
      five[pixel * 5 + 4] = data[pixel * 4 + 3]!;
    }
    const page = {
      picture: { width: SIDE, height: SIDE, samples: 5, data: five },
      extra: [[EXTRA, 3, [0, 2]]],
    } as const;
    const { into } = await read('five.tif', page);
    expect(furthest(into, flattened(3))).toBeLessThanOrEqual(1);
  });

  it.each<[string, PageOptions['extra']]>([
    ['that nobody mentions', []],
    ['of which nobody says what it is', [[EXTRA, 3, [0]]]],
  ])('is not assumed of a sample %s, and a note says so', async (_, extra) => {
    const stored = picture(3, 'straight');
    const { into, info } = await read('unnamed.tif', { picture: stored, extra: extra! });
    for (let pixel = 0; pixel < SIDE * SIDE; pixel++)
      for (let c = 0; c < 3; c++) expect(into[pixel * 3 + c]).toBe(stored.data[pixel * 4 + c]);
    expect(info.notes).toEqual([
      { code: 'assumed', message: 'a sample a pixel beyond the colours, not said to be transparency: left out' },
    ]);
  });
});
