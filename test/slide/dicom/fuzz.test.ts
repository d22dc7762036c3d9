import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { scratch } from '../fixture.js';
import { encodeJpeg, gradient } from '../tiff-writer.js';
import { type InstanceOptions, writeInstance } from './instance-writer.js';

const files = scratch();
afterAll(() => files.remove());

/** Runs of each property; the long form is STROMAFLOW_FUZZ=50000. */
const RUNS = Number(process.env['STROMAFLOW_FUZZ'] ?? 1500);
/** Errors a damaged file may end in. */
const ALLOWED = new Set(['SLIDE_UNREADABLE', 'SLIDE_TRUNCATED', 'SLIDE_UNSUPPORTED', 'SLIDE_NO_MPP', 'TILE_CORRUPT']);

const base: InstanceOptions = { picture: gradient(70, 50), tile: [32, 24] };
const jpeg: Partial<InstanceOptions> = { syntax: 'jpeg', encode: tile => encodeJpeg(tile) };
const REAL = readFileSync(fileURLToPath(new URL('../../fixtures/dicom/jpeg.dicom', import.meta.url)));
const FILES: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['uncompressed', writeInstance(base)],
  ['implicit VR and positions', writeInstance({ ...base, syntax: 'implicit', organisation: 'TILED_SPARSE' })],
  ['deflated', writeInstance({ ...base, syntax: 'deflated' })],
  ['JPEG', writeInstance({ ...base, ...jpeg, organisation: 'TILED_SPARSE', undefinedLengths: true })],
  ['JPEG by extended table', writeInstance({ ...base, ...jpeg, table: 'extended' })],
  ['JPEG without table', writeInstance({ ...base, ...jpeg, table: 'none', fragments: 2 })],
];

mkdirSync(files.path('fuzz'));

/** Opens a file and reads all of it; resolves to the error's code, or 'fine'. Other errors are thrown. */
async function outcome(bytes: Buffer): Promise<string> {
  const path = files.write('fuzz/slide.dcm', bytes);
  try {
    const { source } = await openSlide(path, { mpp: 0.5 });
    const opened = await openTileSource(source);
    try {
      for (const [level, { width, height, tileWidth, tileHeight }] of opened.levels.entries()) {
        if (tileWidth * tileHeight > 1_000_000) continue;
        const into = Buffer.alloc(tileWidth * tileHeight * 3);
        for (let row = 0; row < Math.min(4, Math.ceil(height / tileHeight)); row++)
          for (let col = 0; col < Math.min(4, Math.ceil(width / tileWidth)); col++)
            await opened.readTile(level, col, row, into);
      }
    } finally {
      opened.close();
    }
    return 'fine';
  } catch (error) {
    if (error instanceof StromaflowError && ALLOWED.has(error.code)) return error.code;
    throw error;
  }
}

/** Bytes overwritten, the likelier near the head; now and then with values that matter; or the end cut off. */
const damage = (size: number) =>
  fc.record({
    writes: fc.array(
      fc.record({
        at: fc.oneof(fc.nat({ max: Math.min(size, 2000) - 1 }), fc.nat({ max: size - 1 })),
        bytes: fc.oneof(
          fc.uint8Array({ minLength: 1, maxLength: 4 }),
          fc.constantFrom(
            Uint8Array.of(0xff, 0xff, 0xff, 0xff),
            Uint8Array.of(0, 0, 0, 0),
            Uint8Array.of(0xff, 0xff, 0xff, 0x7f),
            Uint8Array.of(0xfe, 0xff, 0, 0xe0),
          ),
        ),
      }),
      { maxLength: 4 },
    ),
    keep: fc.oneof({ weight: 4, arbitrary: fc.constant(size) }, { weight: 1, arbitrary: fc.nat({ max: size }) }),
  });

function damaged(
  bytes: Buffer,
  { writes, keep }: { writes: readonly { at: number; bytes: Uint8Array }[]; keep: number },
) {
  const copy = Buffer.from(bytes);
  for (const { at, bytes: put } of writes) copy.set(put.subarray(0, Math.max(0, copy.length - at)), at);
  return copy.subarray(0, keep);
}

describe.each(FILES)('a damaged DICOM file, %s', (_, bytes) => {
  it('is read, or refused with a code', async () => {
    expect(await outcome(bytes)).toBe('fine');
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(damage(bytes.length), async how => {
        seen.add(await outcome(damaged(bytes, how)));
      }),
      { numRuns: Math.ceil(RUNS / FILES.length) },
    );
    expect(seen.size).toBeGreaterThan(1);
  });

  it('cut off anywhere is never read as whole', async () => {
    for (let keep = 132; keep < bytes.length; keep += Math.max(1, Math.floor(bytes.length / 150)))
      expect(await outcome(bytes.subarray(0, keep)), `${keep} of ${bytes.length}`).not.toBe('fine');
  });
});

it('a damaged real file is read, or refused with a code', async () => {
  await fc.assert(
    fc.asyncProperty(damage(REAL.length), async how => {
      await outcome(damaged(REAL, how));
    }),
    { numRuns: Math.ceil(RUNS / 10) },
  );
});
