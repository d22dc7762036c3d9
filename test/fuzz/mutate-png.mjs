import { crc32, deflateSync, inflateSync } from 'node:zlib';
import { mutateBytes, pick } from './mutate.mjs';

/**
 * Damages a PNG and, as a rule, sets its checksums right again, without which nothing behind them would be reached.
 *
 * @param {Buffer} seed
 * @param {import('#src/random.js').Random} random
 * @param {{ others: readonly Buffer[], places: readonly number[] }} hints
 * @returns {Buffer}
 */
export function mutatePng(seed, random, hints) {
  const changed = pick(random, [mutateBytes, mutateBytes, mutateHeader, mutatePixels])(seed, random, hints);
  return random.below(8) === 0 ? changed : withChecksums(changed);
}

/** Width, height, depth, colour type, methods, interlacing. */
function mutateHeader(seed, random) {
  const bytes = Buffer.from(seed);
  if (bytes.length < 33) return bytes;
  const field = random.below(4);
  if (field < 2)
    bytes.writeUInt32BE(
      pick(random, [0, 1, 2, 63, 65, 255, 4096, 0xffff, 0x10000, 0x7fffffff, 0xffffffff]),
      16 + 4 * field,
    );
  else bytes[24 + random.below(5)] = pick(random, [0, 1, 2, 3, 4, 6, 8, 16, 255]);
  return bytes;
}

/** What the pixel data inflates to: row filters, too few or too many rows, another size. */
function mutatePixels(seed, random, hints) {
  const chunks = chunksOf(seed);
  const data = chunks.filter(({ type }) => type === 'IDAT').map(({ body }) => body);
  try {
    const rows = inflateSync(Buffer.concat(data));
    const changed =
      random.below(16) === 0 ? Buffer.alloc(1 << (20 + random.below(6))) : mutateBytes(rows, random, hints);
    const at = seed.indexOf('IDAT') - 4;
    return Buffer.concat([seed.subarray(0, at), chunk('IDAT', deflateSync(changed)), chunk('IEND', Buffer.alloc(0))]);
  } catch {
    return mutateBytes(seed, random, hints);
  }
}

function* walk(bytes) {
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at);
    if (end > bytes.length) return;
    yield { at, end };
    at = end;
  }
}

const chunksOf = bytes =>
  [...walk(bytes)].map(({ at, end }) => ({
    type: bytes.toString('latin1', at + 4, at + 8),
    body: bytes.subarray(at + 8, end - 4),
  }));

function withChecksums(bytes) {
  const fixed = Buffer.from(bytes);
  for (const { at, end } of walk(fixed)) fixed.writeUInt32BE(crc32(fixed.subarray(at + 4, end - 4)), end - 4);
  return fixed;
}

function chunk(type, body) {
  const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(type), body, Buffer.alloc(4)]);
  bytes.writeUInt32BE(body.length, 0);
  return bytes;
}
