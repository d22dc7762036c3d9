/** A rectangle of pixels; of which picture, the one who uses it says. */
export interface PixelRectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The part of `of` inside [left, right) × [top, bottom); undefined where there is none. */
export function clipRectangle(
  { x, y, width, height }: PixelRectangle,
  left: number,
  top: number,
  right: number,
  bottom: number,
): PixelRectangle | undefined {
  const x0 = Math.max(left, x);
  const y0 = Math.max(top, y);
  const across = Math.min(right, x + width) - x0;
  const down = Math.min(bottom, y + height) - y0;
  return across > 0 && down > 0 ? { x: x0, y: y0, width: across, height: down } : undefined;
}

/** Pixels of rectangles that do not overlap. */
export const areaOf = (rectangles: readonly PixelRectangle[]): number =>
  rectangles.reduce((sum, { width, height }) => sum + width * height, 0);

/** The same pixels, clipped to width × height, by rectangles that do not overlap: top down, few where they are regular. */
export function disjoint(rectangles: readonly PixelRectangle[], width: number, height: number): PixelRectangle[] {
  const clipped = rectangles.flatMap(rectangle => clipRectangle(rectangle, 0, 0, width, height) ?? []);
  const lines = [...new Set(clipped.flatMap(({ y, height }) => [y, y + height]))].sort((a, b) => a - b);
  const done: PixelRectangle[] = [];
  let open: PixelRectangle[] = [];
  for (let i = 0; i + 1 < lines.length; i++) {
    const [top, bottom] = [lines[i]!, lines[i + 1]!];
    const runs = runsOf(clipped.filter(({ y, height }) => y <= top && y + height >= bottom));
    const goesOn = runs.length === open.length && runs.every(([x, end], run) => isRun(open[run]!, x, end));
    if (goesOn) open = open.map(rectangle => ({ ...rectangle, height: bottom - rectangle.y }));
    else {
      done.push(...open);
      open = runs.map(([x, end]) => ({ x, y: top, width: end - x, height: bottom - top }));
    }
  }
  return [...done, ...open];
}

const isRun = ({ x, width }: PixelRectangle, from: number, end: number): boolean => x === from && x + width === end;

/** Columns that any of the rectangles covers, as [from, end), from left to right. */
function runsOf(rectangles: readonly PixelRectangle[]): [from: number, end: number][] {
  const runs: [number, number][] = [];
  for (const { x, width } of rectangles.toSorted((a, b) => a.x - b.x)) {
    const last = runs.at(-1);
    if (last && x <= last[1]) last[1] = Math.max(last[1], x + width);
    else runs.push([x, x + width]);
  }
  return runs;
}
