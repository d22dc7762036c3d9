/**
 * Turns a square by quarter turns clockwise and then, if asked, mirrors it left to right. All eight orientations of a square come from
 * these.
 * @param from side × side × channels bytes, rows top down
 * @param into as large; another array
 */
export function orient(
  from: Uint8Array,
  into: Uint8Array,
  side: number,
  channels: number,
  turns: number,
  mirrored: boolean,
): void {
  // Where pixel (0, 0) of the result comes from, and how far a step to the right or down goes there.
  const last = side - 1;
  const [startX, startY, rightX, rightY, downX, downY] = STEPS[turns & 3]!.map(n => (n === LAST ? last : n)) as Steps;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const across = mirrored ? last - x : x;
      const sourceX = startX + across * rightX + y * downX;
      const sourceY = startY + across * rightY + y * downY;
      const at = (sourceY * side + sourceX) * channels;
      const to = (y * side + x) * channels;
      for (let c = 0; c < channels; c++) into[to + c] = from[at + c]!;
    }
  }
}

type Steps = [startX: number, startY: number, rightX: number, rightY: number, downX: number, downY: number];

const LAST = Number.POSITIVE_INFINITY;

const STEPS: readonly (readonly number[])[] = [
  [0, 0, 1, 0, 0, 1],
  [0, LAST, 0, -1, 1, 0],
  [LAST, LAST, -1, 0, 0, -1],
  [LAST, 0, 0, 1, -1, 0],
];
