import type { PatchGrid, State } from './patch-grid.js';
import { STATES } from './patch-grid.js';
import type { View } from './view.js';

/** Told apart by form, each dark on light or light on dark so that it shows on any picture: dots, lines, crosses, bars. */
const SIDE = 12;
/** Rectangles of one frame; beyond them patches are too small for patterns anyway. */
const MOST = 6000;

export const WORDS: Readonly<Record<State, string>> = {
  pending: 'not segmented yet',
  segmented: 'segmented',
  empty: 'no tissue',
  missing: 'missing in the slide',
  failed: 'failed',
};

function paint(ctx: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, state: State): void {
  const line = (
    colour: string,
    width: number,
    ...points: readonly (readonly [number, number, number, number])[]
  ): void => {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.beginPath();
    for (const [x0, y0, x1, y1] of points) {
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
    }
    ctx.stroke();
  };
  const diagonal = [-1, 0, 1].map(i => [i * SIDE, SIDE, (i + 1) * SIDE, 0] as const);
  if (state === 'pending') {
    ctx.fillStyle = '#5f6b7c';
    ctx.fillRect(2, 2, 2, 2);
    ctx.fillRect(8, 8, 2, 2);
  } else if (state === 'empty') line('rgb(70 80 100 / .45)', 1, ...diagonal);
  else if (state === 'missing') {
    ctx.fillStyle = 'rgb(255 255 255 / .75)';
    ctx.fillRect(0, 0, SIDE, SIDE);
    const back = diagonal.map(([x0, , x1]) => [x0, 0, x1, SIDE] as const);
    line('#20262f', 1.5, ...diagonal, ...back);
  } else if (state === 'failed') {
    ctx.fillStyle = '#fff';
    ctx.fillRect(0, 0, SIDE, SIDE);
    ctx.fillStyle = '#a11212';
    ctx.fillRect(0, 0, SIDE, SIDE / 2);
  }
}

function tile(state: State): OffscreenCanvas {
  const canvas = new OffscreenCanvas(SIDE, SIDE);
  paint(canvas.getContext('2d')!, state);
  return canvas;
}

const tiles = new Map<State, OffscreenCanvas>();

/** A canvas that shows a state's pattern, for the legend. */
export function swatch(state: State): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = 36;
  canvas.height = 24;
  const ctx = canvas.getContext('2d')!;
  ctx.fillStyle = '#e9ebef';
  ctx.fillRect(0, 0, 36, 24);
  fill(ctx, state, 0, 0);
  ctx.fillRect(0, 0, 36, 24);
  return canvas;
}

/** Sets a fill that moves with the slide. */
function fill(ctx: CanvasRenderingContext2D, state: State, x: number, y: number): void {
  let made = tiles.get(state);
  if (!made) {
    made = tile(state);
    tiles.set(state, made);
  }
  const pattern = ctx.createPattern(made, 'repeat')!;
  pattern.setTransform(new DOMMatrix().translate(Math.round(x % SIDE), Math.round(y % SIDE)));
  ctx.fillStyle = pattern;
}

/** Draws every patch in view that has no mask, runs of equal ones at once. */
export function drawPatterns(
  ctx: CanvasRenderingContext2D,
  patches: PatchGrid,
  view: View,
  slide: { readonly width: number; readonly height: number },
): void {
  const { cols, rows, side, downsample } = patches.grid;
  const pitch = side * downsample * view.scale;
  const [x, y] = [-view.left * view.scale, -view.top * view.scale];
  const first = { col: Math.max(0, Math.floor(-x / pitch)), row: Math.max(0, Math.floor(-y / pitch)) };
  const last = {
    col: Math.min(cols, Math.ceil((view.width - x) / pitch)),
    row: Math.min(rows, Math.ceil((view.height - y) / pitch)),
  };
  const runs: [x: number, y: number, width: number, height: number][][] = STATES.map(() => []);
  let count = 0;
  for (let row = first.row; row < last.row && count < MOST; row++) {
    for (let col = first.col; col < last.col; ) {
      const code = patches.codes[row * cols + col]! & 7;
      let end = col + 1;
      while (end < last.col && (patches.codes[row * cols + end]! & 7) === code) end += 1;
      if (code !== 1) {
        // Whole pixels: edges need no smoothing, and no seam shows.
        const [left, top] = [Math.round(x + col * pitch), Math.round(y + row * pitch)];
        const [right, bottom] = [Math.round(x + end * pitch), Math.round(y + (row + 1) * pitch)];
        const above = runs[code]!.at(-1);
        if (above && above[0] === left && above[2] === right - left && above[1] + above[3] === top)
          above[3] += bottom - top;
        else {
          runs[code]!.push([left, top, right - left, bottom - top]);
          count += 1;
        }
      }
      col = end;
    }
  }
  ctx.save();
  // Patterns on whole pixels need no smoothing, which takes most of a frame where no GPU draws.
  ctx.imageSmoothingEnabled = false;
  // Patches at the edge reach beyond the slide.
  ctx.beginPath();
  ctx.rect(x, y, slide.width * view.scale, slide.height * view.scale);
  ctx.clip();
  for (const [code, state] of STATES.entries()) {
    if (runs[code]!.length === 0) continue;
    fill(ctx, state, x, y);
    for (const run of runs[code]!) ctx.fillRect(...run);
  }
  ctx.restore();
}
