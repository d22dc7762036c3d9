const JPEG_2000 = new Set([33003, 33005]);

/**
 * A damaged copy of a tile, of the same length, that still begins and ends as it should: the middle third is lost (an
 * end-of-image marker, then zeros), and of JPEG 2000, whose decoders forgive that, the main header too. Uncompressed tiles
 * are damaged as well, but nothing in them can tell.
 */
export function corrupt(tile: Uint8Array, compression: number): Uint8Array {
  const bytes = tile.slice();
  const from = Math.max(2, Math.floor(bytes.length / 3));
  const to = Math.max(from, Math.min(bytes.length - 2, Math.floor((bytes.length * 2) / 3)));
  bytes.fill(0, from, to);
  if (to - from >= 2) bytes.set([0xff, 0xd9], from);
  if (JPEG_2000.has(compression)) bytes.fill(0, 2, Math.min(40, bytes.length));
  return bytes;
}
