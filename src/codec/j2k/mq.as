/**
 * The MQ decoder (ISO/IEC 15444-1, annex C), arranged so that a decision that neither renormalises nor takes the less
 * probable symbol, as most do, costs one subtraction (D. Taubman and M. Marcellin, JPEG2000, section 17.1.1).
 *
 * The interval A and the code register C lose the same amount in such a decision. So both are kept apart from what they
 * lost last, and D, the distance to the first decision of another kind, is all that changes: D = min(A − 2^15, C / 2^16).
 * Callers hold 2 × D in a local variable, and write for a decision in context `at`
 *
 *     let r = distance - load<i32>(at);
 *     if (r < 0) r = decide(at, r);
 *     const bit = r & 1;
 *     distance = r - bit;
 */

/** Probability of the less probable symbol, next state after the more and the less probable one, whether they swap. */
const STATES: usize = memory.data<u16>([
  0x5601, 1, 1, 1, 0x3401, 2, 6, 0, 0x1801, 3, 9, 0, 0x0ac1, 4, 12, 0, 0x0521, 5, 29, 0, 0x0221, 38, 33, 0,
  0x5601, 7, 6, 1, 0x5401, 8, 14, 0, 0x4801, 9, 14, 0, 0x3801, 10, 14, 0, 0x3001, 11, 17, 0, 0x2401, 12, 18, 0,
  0x1c01, 13, 20, 0, 0x1601, 29, 21, 0, 0x5601, 15, 14, 1, 0x5401, 16, 14, 0, 0x5101, 17, 15, 0, 0x4801, 18, 16, 0,
  0x3801, 19, 17, 0, 0x3401, 20, 18, 0, 0x3001, 21, 19, 0, 0x2801, 22, 19, 0, 0x2401, 23, 20, 0, 0x2201, 24, 21, 0,
  0x1c01, 25, 22, 0, 0x1801, 26, 23, 0, 0x1601, 27, 24, 0, 0x1401, 28, 25, 0, 0x1201, 29, 26, 0, 0x1101, 30, 27, 0,
  0x0ac1, 31, 28, 0, 0x09c1, 32, 29, 0, 0x08a1, 33, 30, 0, 0x0521, 34, 31, 0, 0x0441, 35, 32, 0, 0x02a1, 36, 33, 0,
  0x0221, 37, 34, 0, 0x0141, 38, 35, 0, 0x0111, 39, 36, 0, 0x0085, 40, 37, 0, 0x0049, 41, 38, 0, 0x0025, 42, 39, 0,
  0x0015, 43, 40, 0, 0x0009, 44, 41, 0, 0x0005, 45, 42, 0, 0x0001, 45, 43, 0, 0x5601, 46, 46, 0,
]);
const COUNT: usize = 47;

/**
 * States as they are used, of 16 bytes, each twice (for either symbol being the more probable): 2 × probability − symbol,
 * and the places of the next ones. A context is such a value and the place of its state.
 */
const states: usize = memory.data(47 * 2 * 16, 16);

/** Of 8 bytes: 9 for significance, 5 for signs, 3 for refinement, one for runs, one for what is not modelled. */
export const CONTEXTS: usize = memory.data(19 * 8, 16);
export const SIGN: usize = 9;
export const REFINE: usize = 14;
export const RUN: usize = 17;
export const UNIFORM: usize = 18;

let bytes: usize = 0;
let interval: i32 = 0;
let code: u32 = 0;
let left: i32 = 0;

export function prepareStates(): void {
  for (let i: usize = 0; i < COUNT; i++) {
    const from = STATES + i * 8;
    for (let symbol: usize = 0; symbol < 2; symbol++) {
      const state = states + (i * 2 + symbol) * 16;
      store<i32>(state, <i32>load<u16>(from) * 2 - <i32>symbol);
      store<u32>(state, <u32>(states + (<usize>load<u16>(from, 2) * 2 + symbol) * 16), 4);
      store<u32>(state, <u32>(states + (<usize>load<u16>(from, 4) * 2 + (symbol ^ <usize>load<u16>(from, 6))) * 16), 8);
    }
  }
}

@inline
function setContext(context: usize, state: usize): void {
  store<i32>(context, load<i32>(state));
  store<u32>(context, <u32>state, 4);
}

/** Starts on bytes that 0xff 0xff follow. Returns twice the distance. */
export function startMq(from: usize, empty: bool): i32 {
  for (let i: usize = 0; i < 19; i++) setContext(CONTEXTS + i * 8, states);
  setContext(CONTEXTS, states + 4 * 32);
  setContext(CONTEXTS + RUN * 8, states + 3 * 32);
  setContext(CONTEXTS + UNIFORM * 8, states + 46 * 32);
  bytes = from;
  code = empty ? 0xff0000 : <u32>load<u8>(from) << 16;
  nextByte();
  code <<= 7;
  left -= 7;
  interval = 0x8000;
  return part();
}

@inline
function nextByte(): void {
  const next = <u32>load<u8>(bytes, 1);
  if (load<u8>(bytes) == 0xff) {
    if (next > 0x8f) {
      code += 0xff00;
      left = 8;
    } else {
      bytes++;
      code += next << 9;
      left = 7;
    }
  } else {
    bytes++;
    code += next << 8;
    left = 8;
  }
}

/** Takes the distance out of interval and code. */
@inline
function part(): i32 {
  const distance = min(interval - 0x8000, <i32>(code >> 16));
  interval -= distance;
  code -= <u32>distance << 16;
  return distance << 1;
}

/**
 * A decision that `r` says is not of the common kind: twice the new distance and the symbol. Inlined, because a call makes
 * all loops around it keep their variables in memory.
 */
@inline
export function decide(context: usize, r: i32): i32 {
  const entry = load<i32>(context);
  const state = <usize>load<u32>(context, 4);
  const likely = entry & 1;
  const probability = (entry + likely) >> 1;
  const distance = (r - likely) >> 1;
  const a0 = interval + distance;
  const c0 = code + (<u32>(distance + probability) << 16);
  // Which of the four cases it is cannot be foretold, so nothing branches on it.
  const lower = c0 >> 16 < <u32>probability;
  const swap = <u32>lower ^ <u32>(a0 < probability);
  let a = select(probability, a0, lower);
  let c = select(c0, c0 - (<u32>probability << 16), lower);
  setContext(context, <usize>load<u32>(state + (<usize>swap << 2), 4));
  let shift = clz(a) - 16;
  a <<= shift;
  if (shift > left) {
    code = c;
    do {
      code <<= left;
      shift -= left;
      nextByte();
    } while (shift > left);
    c = code;
  }
  c <<= shift;
  left -= shift;
  const next = min(a - 0x8000, <i32>(c >> 16));
  interval = a - next;
  code = c - (<u32>next << 16);
  return (next << 1) + (likely ^ <i32>swap);
}
