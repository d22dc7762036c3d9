import type { PatchPlan, PatchRef } from '../read/patch.js';
import { validSize } from '../read/plan.js';
import type { PixelRectangle } from '../slide/rectangles.js';
import type { SlideBounds } from '../slide/slide.js';
import type { LabelSource, LabelWindow } from './label-source.js';
import { IGNORED, type LabelMap, POSITIVE, UNKNOWN } from './labels.js';

/** Truth of one patch's core at the plan's pixels. Bit masks as in PatchMask: rows of side/8 bytes, most significant bit left. */
export interface PatchLabels {
  /** Side of the core in plan pixels; a multiple of 32. */
  readonly side: number;
  /** Columns and rows inside the slide; the rest is padding. */
  readonly width: number;
  readonly height: number;
  /** side × side label values; undefined content in the padding. */
  readonly values: Uint8Array;
  /** 1 where the label is positive; 0 in the padding. */
  readonly positive: Uint8Array;
  /** 1 where the label is ignored or undeclared, and in the padding. */
  readonly ignored: Uint8Array;
  /** Pixels that are not ignored. */
  readonly labelledPixels: number;
  readonly positivePixels: number;
  /** An undeclared value that occurs, counted as ignored; −1 when there is none. */
  readonly unknownValue: number;
}

/**
 * Reads the truth under a patch's core.
 * @throws LABELS_INVALID
 */
export async function readPatchLabels(
  source: LabelSource,
  plan: PatchPlan,
  ref: Pick<PatchRef, 'col' | 'row'>,
  map: LabelMap,
  signal?: AbortSignal,
): Promise<PatchLabels> {
  const side = plan.core;
  const [width, height] = validSize(plan, ref.col, ref.row);
  const values = new Uint8Array(side * side);
  const step = plan.downsample;
  const x = ref.col * side * step;
  const y = ref.row * side * step;
  const window = { x, y, step, side, width, height };
  const unknown = await source.read(window, values, signal);
  const labels = packLabels(values, side, width, height, map, source.covered && coveredPart(source.covered, window));
  return withoutPixels(labels, unknown);
}

/** Columns and rows of a window, first and one past the last. */
export interface WindowPart {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The part of a window whose pixels are centred inside a rectangle of level-0 pixels. */
export function coveredPart(area: SlideBounds, { x, y, step, width, height }: LabelWindow): WindowPart {
  const first = (from: number, start: number) => Math.max(0, Math.ceil((from - start) / step - 0.5));
  return {
    left: Math.min(width, first(area.x, x)),
    top: Math.min(height, first(area.y, y)),
    right: Math.min(width, first(area.x + area.width, x)),
    bottom: Math.min(height, first(area.y + area.height, y)),
  };
}

/**
 * Turns label values into bit masks. Labels come in runs, so eight equal ones are taken at once.
 * @param part where labels are; outside it everything is ignored
 */
export function packLabels(
  values: Uint8Array,
  side: number,
  width: number,
  height: number,
  map: Pick<LabelMap, 'meanings'>,
  part: WindowPart = { left: 0, top: 0, right: width, bottom: height },
): PatchLabels {
  const stride = side >> 3;
  const positive = new Uint8Array(stride * side);
  const ignored = new Uint8Array(stride * side).fill(255);
  const { meanings } = map;
  let labelledPixels = 0;
  let positivePixels = 0;
  let unknownValue = -1;
  for (let y = part.top; y < part.bottom; y++) {
    for (let start = part.left & ~7; start < part.right; start += 8) {
      const at = y * stride + (start >> 3);
      const from = y * side + start;
      const [first, end] = [Math.max(0, part.left - start), Math.min(8, part.right - start)];
      if (end - first === 8 && isRun(values, from)) {
        const meaning = meanings[values[from]!]!;
        if (meaning === UNKNOWN) unknownValue = values[from]!;
        if (meaning >= IGNORED) continue;
        ignored[at] = 0;
        labelledPixels += 8;
        if (meaning !== POSITIVE) continue;
        positive[at] = 255;
        positivePixels += 8;
        continue;
      }
      for (let i = first; i < end; i++) {
        const value = values[from + i]!;
        const meaning = meanings[value]!;
        if (meaning === UNKNOWN) unknownValue = value;
        if (meaning >= IGNORED) continue;
        ignored[at]! &= ~(128 >> i);
        labelledPixels++;
        if (meaning !== POSITIVE) continue;
        positive[at]! |= 128 >> i;
        positivePixels++;
      }
    }
  }
  return { side, width, height, values, positive, ignored, labelledPixels, positivePixels, unknownValue };
}

/** The truth of a patch without some pixels of its core, which the slide or its mask does not store: they are ignored. */
export function withoutPixels(labels: PatchLabels, rectangles: readonly PixelRectangle[] = []): PatchLabels {
  if (rectangles.length === 0) return labels;
  const { side } = labels;
  const stride = side >> 3;
  const [positive, ignored] = [new Uint8Array(labels.positive), new Uint8Array(labels.ignored)];
  let { labelledPixels, positivePixels } = labels;
  for (const { x, y, width, height } of rectangles) {
    for (let row = Math.max(0, y); row < Math.min(side, y + height); row++) {
      for (let column = Math.max(0, x); column < Math.min(side, x + width); column++) {
        const [at, bit] = [row * stride + (column >> 3), 128 >> (column & 7)];
        if (ignored[at]! & bit) continue;
        ignored[at]! |= bit;
        labelledPixels--;
        if (!(positive[at]! & bit)) continue;
        positive[at]! &= ~bit;
        positivePixels--;
      }
    }
  }
  return { ...labels, positive, ignored, labelledPixels, positivePixels };
}

/** Whether eight values from `at` on are equal. */
export function isRun(values: Uint8Array, at: number): boolean {
  const first = values[at]!;
  return (
    first === values[at + 1]! &&
    first === values[at + 2]! &&
    first === values[at + 3]! &&
    first === values[at + 4]! &&
    first === values[at + 5]! &&
    first === values[at + 6]! &&
    first === values[at + 7]!
  );
}
