import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { openTileSource } from '#src/slide/open-source.js';
import { encodeJpeg } from '../../slide/tiff-writer.js';
import { concatenation, follow, GrowingFolder, half } from './growing-folder.js';

/** The long form is STROMAFLOW_FUZZ=5000. */
const RUNS = Number(process.env['STROMAFLOW_FUZZ'] ?? 150);
/** Errors that a slide of damaged files may end in. */
const ALLOWED = new Set([
  ...['SLIDE_UNREADABLE', 'SLIDE_TRUNCATED', 'SLIDE_UNSUPPORTED', 'SLIDE_NO_MPP', 'SLIDE_SPACING', 'TILE_CORRUPT'],
]);
const STATES = new Set(['complete', 'stalled', 'replaced', 'gone']);

const encode = (tile: Parameters<typeof encodeJpeg>[0]) => encodeJpeg(tile, 80);
const places = Array.from({ length: 12 }, (_, i) => [i % 4, Math.floor(i / 4)] as const).reverse();
const PARTS = [
  concatenation([6, 6], { syntax: 'jpeg', encode }),
  concatenation([6, 6], { syntax: 'jpeg', encode, organisation: 'TILED_SPARSE', places, undefinedLengths: true }),
  concatenation([6, 6], { syntax: 'implicit', organisation: 'TILED_SPARSE', places }),
];

/** Some bytes of a file, the likelier near its head, are other ones; now and then its end is missing. */
const damage = fc.record({
  writes: fc.array(
    fc.record({
      at: fc.oneof(fc.double({ max: 0.3, min: 0, noNaN: true }), fc.double({ max: 0.99, min: 0, noNaN: true })),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 4 }),
        fc.constantFrom(
          Uint8Array.of(0xff, 0xff, 0xff, 0xff),
          Uint8Array.of(0, 0, 0, 0),
          Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
        ),
      ),
    }),
    { maxLength: 4 },
  ),
  keep: fc.oneof(
    { weight: 4, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
  ),
});

function damaged(bytes: Buffer, { writes, keep }: typeof damage extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const copy = Buffer.from(bytes);
  for (const { at, bytes: put } of writes) copy.set(put, Math.floor(at * (copy.length - 4)));
  return copy.subarray(0, Math.floor(copy.length * keep));
}

it('damaged parts end a slide in a state or an error that has a code, and its tiles can be read or say why not', async () => {
  const outcomes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...PARTS),
      damage,
      damage,
      fc.boolean(),
      async ([first, second], one, other, withLevel) => {
        const folder = new GrowingFolder();
        Object.assign(folder.options, { pollSeconds: 0.002, stallSeconds: 0.04, settleSeconds: 0.01 });
        try {
          folder.put('a.dcm', damaged(first!, one));
          if (withLevel) folder.put('c.dcm', damaged(half('3'), other));
          // Its head may be so damaged that it is no part of the slide.
          if (!folder.notice().has(folder.path)) return void outcomes.add('none');
          const live = await folder.openLive();
          let parts = 1;
          await follow(live, () => parts++ === 1 && folder.put('b.dcm', damaged(second!, other)));
          expect(STATES).toContain(live.state);
          outcomes.add(live.state);
          const source = await openTileSource(live.sourceFor(0));
          const { cols, rows, tileWidth, tileHeight } = source.levels[0] as unknown as Record<string, number>;
          if (tileWidth! * tileHeight! > 1_000_000 || cols! * rows! > 1000) return;
          const into = Buffer.alloc(tileWidth! * tileHeight! * 3);
          for (let tile = 0; tile < cols! * rows!; tile++)
            await Promise.resolve()
              .then(() => source.readTile(0, tile % cols!, Math.floor(tile / cols!), into))
              .catch(error => expect(ALLOWED).toContain(error.code));
          source.close();
        } catch (error) {
          if (error instanceof Error && error.message === 'not opened as growing') return void outcomes.add('whole');
          if (!(error instanceof StromaflowError && ALLOWED.has(error.code))) throw error;
          outcomes.add(error.code);
        } finally {
          rmSync(folder.path, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: RUNS },
  );
  expect(outcomes).toContain('complete');
  expect(outcomes).toContain('stalled');
  expect(outcomes.size).toBeGreaterThan(3);
});
