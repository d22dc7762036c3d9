import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InstanceFile } from '#src/live/dicom/instance-file.js';
import type { DicomDescription } from '#src/slide/dicom/description.js';
import { openSlide } from '#src/slide/open.js';
import { encodeJpeg } from '../../slide/tiff-writer.js';
import { concatenation, follow, GrowingFolder, instance, TILES } from './growing-folder.js';

const ALL = Array.from({ length: TILES }, (_, i) => [i % 4, Math.floor(i / 4)] as const);

/** How a level is cut into parts, laid out, and brought to the folder. */
const scans = fc.record({
  sizes: fc.constantFrom([12], [6, 6], [5, 4, 3], [1, 1, 1, 9], [2, 2, 2, 2, 2, 2]),
  places: fc.shuffledSubarray(ALL, { minLength: TILES, maxLength: TILES }),
  sparse: fc.boolean(),
  coding: fc.constantFrom('native', 'deflated', 'jpeg', 'jpeg without table', 'jpeg by extended table'),
  order: fc.array(fc.nat(), { minLength: 6, maxLength: 6 }),
  /** What stands under each part's name before it is whole: nothing, a beginning, or all of it but a piece of zeros. */
  torn: fc.array(fc.constantFrom('absent', 'begun', 'zeros'), { minLength: 6, maxLength: 6 }),
  at: fc.double({ min: 0.05, max: 0.95, noNaN: true }),
});
type Scan = typeof scans extends fc.Arbitrary<infer T> ? T : never;

const jpeg = (tile: Parameters<typeof encodeJpeg>[0]) => encodeJpeg(tile, 90);
const CODINGS = {
  native: {},
  deflated: { syntax: 'deflated' },
  jpeg: { syntax: 'jpeg', encode: jpeg },
  'jpeg without table': { syntax: 'jpeg', encode: jpeg, table: 'none' },
  'jpeg by extended table': { syntax: 'jpeg', encode: jpeg, table: 'extended' },
} as const;

function partsOf({ sizes, places, sparse, coding }: Scan): Buffer[] {
  const layout = sparse ? { organisation: 'TILED_SPARSE', places } : {};
  const options = { ...CODINGS[coding as keyof typeof CODINGS], ...layout };
  if (sizes.length === 1) return [instance('2.1', options)];
  return concatenation(sizes, options);
}

function tear(bytes: Buffer, how: string, at: number): Buffer {
  if (how === 'begun') return bytes.subarray(0, Math.floor(bytes.length * at));
  const copy = Buffer.from(bytes);
  // From somewhere to the end, as a share shows what has not arrived.
  copy.fill(0, Math.floor(bytes.length * at));
  return copy;
}

describe('parts in any order, over any share', () => {
  it('give out each tile once, none before its file is whole, and end as the finished slide', async () => {
    await fc.assert(
      fc.asyncProperty(scans, async scan => {
        const parts = partsOf(scan);
        const folder = new GrowingFolder();
        const whole = new Set<number>();
        const order = parts.map((_, part) => part).sort((a, b) => scan.order[a]! - scan.order[b]! || a - b);
        for (const part of order.slice(1)) {
          const how = scan.torn[part]!;
          if (how !== 'absent') writeFileSync(join(folder.path, `${part}.dcm`), tear(parts[part]!, how, scan.at));
        }
        const finish = () => {
          const part = order.shift();
          if (part === undefined) return;
          whole.add(part);
          folder.put(`${part}.dcm`, parts[part]!);
        };
        const starts = scan.sizes.map((_, part) => scan.sizes.slice(0, part).reduce((sum, size) => sum + size, 0));
        const partOf = (tile: number) => {
          const frame = scan.sparse ? scan.places.findIndex(([col, row]) => row * 4 + col === tile) : tile;
          return starts.findLastIndex(start => start <= frame);
        };
        finish();
        const options = { settleSeconds: 60, stallSeconds: 60 };
        if (parts.length === 1) {
          expect(await folder.open({ quiet: 61, ...options })).toMatchObject({ source: { kind: 'dicom' } });
        } else {
          const live = await folder.openLive(options);
          const came = await follow(live, tiles => {
            for (const tile of tiles) expect(whole).toContain(partOf(tile));
            finish();
          });
          expect(live.state).toBe('complete');
          expect(came.flat().toSorted((a, b) => a - b)).toEqual(ALL.map((_, tile) => tile));
          const { levels } = live.sourceFor(0) as unknown as DicomDescription;
          const finished = (await openSlide(folder.path)).source as unknown as DicomDescription;
          expect(levels[0]!.starts).toEqual(finished.levels[0]!.starts);
          expect(levels[0]!.ends).toEqual(finished.levels[0]!.ends);
        }
        rmSync(folder.path, { recursive: true });
      }),
      { numRuns: 60 },
    );
  });

  it('are never whole while bytes of them are zeros or missing', async () => {
    const folder = new GrowingFolder();
    const path = join(folder.path, 'x.dcm');
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(['jpeg', 'jpeg without table', 'jpeg by extended table'] as const)),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.constantFrom('begun', 'zeros'),
        async (coding, at, how) => {
          const bytes = instance('1', CODINGS[coding]);
          writeFileSync(path, tear(bytes, how, at));
          const file = new InstanceFile(path);
          await file.look(true);
          expect(file.whole(60, false)).toBeUndefined();
          writeFileSync(path, bytes);
          await file.look(true);
          expect(file.whole(60, false)?.facts.frames).toBe(TILES);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are found whole though their time does not tell that they were written on', async () => {
    const folder = new GrowingFolder();
    const bytes = instance('1', CODINGS.jpeg);
    const path = folder.put('x.dcm', bytes);
    const pixels = bytes.indexOf(Buffer.from('e07f1000', 'hex'));
    const file = new InstanceFile(path);
    // The offset table is what writers fill in last.
    const noTable = Buffer.from(bytes);
    noTable.fill(0, pixels + 20, pixels + 20 + TILES * 4);
    const now = new Date();
    writeFileSync(path, noTable);
    utimesSync(path, now, now);
    await file.look();
    expect([file.whole(60, false), file.error?.code]).toEqual([undefined, 'SLIDE_UNREADABLE']);
    writeFileSync(path, bytes);
    utimesSync(path, now, now);
    expect(await file.look()).toBe(true);
    expect(file.whole(60, false)?.facts.frames).toBe(TILES);
  });

  it('are not whole while a frame that is not coded is zeros, unless the end was declared', async () => {
    const folder = new GrowingFolder();
    const bytes = instance('1', CODINGS.native);
    const sound = new InstanceFile(folder.put('sound.dcm', bytes));
    await sound.look(true);
    const { starts, ends } = sound.whole(0, false)!.frames;
    const file = new InstanceFile(folder.put('x.dcm', Buffer.from(bytes).fill(0, starts[1], ends[1])));
    await file.look(true);
    expect([file.whole(0, false), file.isReady, file.error?.code]).toEqual([undefined, false, 'SLIDE_TRUNCATED']);
    expect(file.whole(0, true)?.facts.frames).toBe(TILES);
  });

  it('are whole only when a piece in the middle that came last is there', async () => {
    const folder = new GrowingFolder();
    const bytes = instance('1', CODINGS.jpeg);
    const path = folder.put('x.dcm', bytes);
    const file = new InstanceFile(path);
    await file.look();
    const { starts, ends } = file.whole(60, false)!.frames;
    for (let frame = 0; frame < TILES; frame++) {
      const hole = Buffer.from(bytes);
      hole.fill(0, starts[frame], ends[frame]);
      writeFileSync(path, hole);
      await file.look(true);
      expect(file.whole(60, false), `frame ${frame}`).toBeUndefined();
      expect(file.whole(0, false), `frame ${frame}`).toBeUndefined();
      // The end of the last one is where the pixels' end is looked for.
      expect(file.error?.code).toBe(frame === TILES - 1 ? 'SLIDE_UNREADABLE' : 'SLIDE_TRUNCATED');
    }
    const cut = Buffer.from(bytes);
    cut.fill(0, ends[3]! - 80, ends[3]);
    writeFileSync(path, cut);
    await file.look(true);
    // It lies there, and does not look whole: it is taken as it is when time has passed.
    expect(file.whole(60, false)).toBeUndefined();
    expect(file.whole(0, false)?.facts.frames).toBe(TILES);
    writeFileSync(path, bytes);
    await file.look(true);
    expect(file.whole(60, false)).toBeDefined();
  });
});
