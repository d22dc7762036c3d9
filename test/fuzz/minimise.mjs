/** Tries and time that a finding is worth. */
export const MOST_TRIES = 400;
const MOST_MS = 20_000;

/**
 * The smallest input found that still fails in the same way: first what was changed is put back piece by piece, then pieces
 * are cut out, large ones first.
 *
 * @param {Buffer} input fails
 * @param {Buffer} from the seed that it was made from
 * @param {(candidate: Buffer) => Promise<boolean>} fails
 */
export async function minimise(input, from, fails, mostTries = MOST_TRIES) {
  const endsAt = performance.now() + MOST_MS;
  let tries = 0;
  let best = input;
  const attempt = async candidate => {
    if (tries++ >= mostTries || performance.now() > endsAt) return false;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  if (from.length === input.length) {
    for (const [start, end] of differences(input, from)) {
      const candidate = Buffer.from(best);
      from.copy(candidate, start, start, end);
      await attempt(candidate);
    }
  }
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = best.length - size; at >= 0; at -= size)
      await attempt(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]));
  }
  return best;
}

/** Runs of bytes in which two buffers of one length differ. */
function differences(a, b) {
  const runs = [];
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    const last = runs.at(-1);
    if (last && i - last[1] < 4) last[1] = i + 1;
    else runs.push([i, i + 1]);
  }
  return runs.slice(0, 64);
}
