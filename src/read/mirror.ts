/** Where a patch reaches over the slide's edge: part [from, to) of its `side` pixels along an axis lies inside. */
export interface Inside {
  readonly from: number;
  readonly to: number;
}

/** The pixels of a patch along one axis that lie inside a slide of `size` pixels, when its first is at `start`. */
export const insideOf = (start: number, side: number, size: number): Inside => ({
  from: Math.max(0, -start),
  to: Math.min(side, size - start),
});

/**
 * Fills what of a patch (side × side × 3 bytes RGB, rows top down) lies outside the slide with the mirror image of what lies inside,
 * edge pixels twice (numpy's `symmetric`), to and fro as often as it takes. The inside is not empty.
 */
export function mirrorOutside(patch: Uint8Array, side: number, across: Inside, down: Inside): void {
  const whole = ({ from, to }: Inside): boolean => from === 0 && to === side;
  if (whole(across) && whole(down)) return;
  for (let x = 0; x < side; x++) {
    const source = mirrored(x, across);
    if (source === x) continue;
    for (let y = down.from; y < down.to; y++) {
      const row = y * side;
      patch.copyWithin((row + x) * 3, (row + source) * 3, (row + source + 1) * 3);
    }
  }
  for (let y = 0; y < side; y++) {
    const source = mirrored(y, down);
    if (source !== y) patch.copyWithin(y * side * 3, source * side * 3, (source + 1) * side * 3);
  }
}

function mirrored(at: number, { from, to }: Inside): number {
  const length = to - from;
  const period = 2 * length;
  const place = (((at - from) % period) + period) % period;
  return from + (place < length ? place : period - 1 - place);
}
