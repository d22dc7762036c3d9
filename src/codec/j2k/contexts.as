/** Which context a decision is made in, by what is around a sample (ISO/IEC 15444-1, annex D.3). */
import { prepareStates, SIGN } from './mq';

/** Offsets of contexts by neighbourhood, 512 for each orientation. */
export const significance: usize = memory.data(4 * 512, 16);
/** Contexts of signs, and (bit 7) whether the sign is inverted. */
export const signs: usize = memory.data(256, 16);
let prepared: bool = false;

/** Fills the tables, the first time. */
export function prepareContexts(): void {
  if (prepared) return;
  prepared = true;
  prepareStates();
  for (let f: u32 = 0; f < 512; f++) {
    const h = ((f >> 3) & 1) + ((f >> 5) & 1);
    const v = ((f >> 1) & 1) + ((f >> 7) & 1);
    const d = (f & 1) + ((f >> 2) & 1) + ((f >> 6) & 1) + ((f >> 8) & 1);
    store<u8>(significance + f, <u8>(alongLines(h, v, d) * 8));
    store<u8>(significance + 512 + f, <u8>(alongLines(v, h, d) * 8));
    store<u8>(significance + 1024 + f, <u8>(alongLines(h, v, d) * 8));
    store<u8>(significance + 1536 + f, <u8>(acrossLines(h + v, d) * 8));
  }
  // Bits 1, 3, 5, 7: above, left, right and below are significant; 4, 0, 2, 6: and negative.
  for (let f: i32 = 0; f < 256; f++) {
    const h = limit(signed(f, 3, 0) + signed(f, 5, 2));
    const v = limit(signed(f, 1, 4) + signed(f, 7, 6));
    const inverted = h < 0 || (h == 0 && v < 0);
    const x = inverted ? -h : h;
    const y = inverted ? -v : v;
    const context = <i32>SIGN + (x == 1 ? 3 + y : y);
    store<u8>(signs + f, <u8>(context | (inverted ? 0x80 : 0)));
  }
}

function signed(f: i32, significant: i32, negative: i32): i32 {
  return (f >> significant) & 1 ? 1 - 2 * ((f >> negative) & 1) : 0;
}

function limit(value: i32): i32 {
  return max(-1, min(1, value));
}

/** Table D.1, LL and LH; HL with the directions changed. */
function alongLines(h: u32, v: u32, d: u32): u32 {
  if (h == 2) return 8;
  if (h == 1) return v >= 1 ? 7 : d >= 1 ? 6 : 5;
  if (v >= 1) return v == 2 ? 4 : 3;
  return min(d, 2);
}

/** Table D.1, HH. */
function acrossLines(lines: u32, d: u32): u32 {
  if (d >= 3) return 8;
  if (d == 2) return lines >= 1 ? 7 : 6;
  return d == 1 ? 3 + min(lines, 2) : min(lines, 2);
}
