import { afterAll, expect, it } from 'vitest';
import { StromaflowError } from '#src/errors.js';
import { openSlide } from '#src/slide/open.js';
import { openTileSource } from '#src/slide/open-source.js';
import { scratch } from '../fixture.js';
import { encodeJpeg, gradient } from '../tiff-writer.js';
import { type InstanceOptions, writeInstance } from './instance-writer.js';

const files = scratch();
afterAll(() => files.remove());

/** Errors a damaged file may end in. */
const ALLOWED = new Set(['SLIDE_UNREADABLE', 'SLIDE_TRUNCATED', 'SLIDE_UNSUPPORTED', 'SLIDE_NO_MPP', 'TILE_CORRUPT']);

const base: InstanceOptions = { picture: gradient(70, 50), tile: [32, 24] };
const jpeg: Partial<InstanceOptions> = { syntax: 'jpeg', encode: tile => encodeJpeg(tile) };
const FILES: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['uncompressed', writeInstance(base)],
  ['implicit VR and positions', writeInstance({ ...base, syntax: 'implicit', organisation: 'TILED_SPARSE' })],
  ['deflated', writeInstance({ ...base, syntax: 'deflated' })],
  ['JPEG', writeInstance({ ...base, ...jpeg, organisation: 'TILED_SPARSE', undefinedLengths: true })],
  ['JPEG by extended table', writeInstance({ ...base, ...jpeg, table: 'extended' })],
  ['JPEG without table', writeInstance({ ...base, ...jpeg, table: 'none', fragments: 2 })],
];

/** Opens a file and reads all of it; resolves to the error's code, or 'fine'. Other errors are thrown. */
async function outcome(bytes: Buffer): Promise<string> {
  const path = files.write('slide.dcm', bytes);
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

// Damage of every other kind is test/fuzz's.
it.each(FILES)('a DICOM file that is cut off anywhere is never read as whole: %s', async (_, bytes) => {
  expect(await outcome(bytes)).toBe('fine');
  for (let keep = 132; keep < bytes.length; keep += Math.max(1, Math.floor(bytes.length / 150)))
    expect(await outcome(bytes.subarray(0, keep)), `${keep} of ${bytes.length}`).not.toBe('fine');
});
