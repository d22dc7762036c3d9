import { StromaflowError } from '../errors.js';
import { rowBytes, unpackBits } from '../mask/bits.js';
import { encodeMaskPng } from '../mask/png.js';
import type { AggregateEvent, MaskEvent, SlideEvent } from './decode.js';
import type { Aggregate } from './payloads.js';

/** A whole slide's mask out of its events. */
export interface SlideMask {
  readonly slide: string;
  readonly run: string;
  /** Mask pixels. */
  readonly width: number;
  readonly height: number;
  /** µm per mask pixel. */
  readonly mpp: number;
  /** Level-0 pixels per mask pixel. */
  readonly downsample: number;
  readonly model: string;
  /** Every patch has an outcome, and every mask that there is is here. */
  readonly complete: boolean;
  /** Masks that are here. */
  readonly masks: number;
  /** The newest aggregate of this run; undefined before the first. */
  readonly aggregate: Aggregate | undefined;
  /** Rows of ⌈width / 8⌉ bytes, most significant bit left, 1 = stroma. */
  readonly bits: Uint8Array;
  /** One byte a pixel, 0 or 1, row by row, as in mask.ome.zarr. */
  toArray(): Uint8Array;
  /** 1-bit PNG of the whole mask. */
  toPng(): Uint8Array;
}

/** What the streams have of one slide. */
export interface SlideEvents {
  readonly opened: Extract<SlideEvent, { readonly state: 'opened' }>;
  readonly aggregate: AggregateEvent | undefined;
  readonly masks: AsyncIterable<MaskEvent>;
}

/** Puts the masks of the slide's newest run together. Rejects with EVENTS_GAP when a slide that is done lacks masks, unless `partial`. */
export async function assembleSlideMask(
  { opened, aggregate, masks }: SlideEvents,
  partial: boolean,
): Promise<SlideMask> {
  const { slide, run, grid, model, width: slideWidth, height: slideHeight } = opened.payload;
  const width = grid.width ?? Math.max(1, Math.round(slideWidth / grid.downsample));
  const height = grid.height ?? Math.max(1, Math.round(slideHeight / grid.downsample));
  const stride = rowBytes(width);
  const bits = new Uint8Array(stride * height);
  const seen = new Set<number>();
  for await (const mask of masks) {
    // Another run's masks stand where this one has none.
    if (mask.run !== run) continue;
    place(bits, width, height, mask);
    seen.add(mask.row * grid.cols + mask.col);
  }
  const sums = aggregate?.run === run ? aggregate.aggregate : undefined;
  const expected = sums?.patches.segmented ?? 0;
  const isOver = sums?.provisional === false;
  if (isOver && seen.size < expected && !partial) {
    const message = `${slide}: ${seen.size} of ${expected} masks are in the stream`;
    throw new StromaflowError('EVENTS_GAP', message, {
      fix: 'ask for it with partial: true, or publish the slide again',
    });
  }
  const { mpp, downsample } = grid;
  return {
    ...{ slide, run, width, height, mpp, downsample, model, bits },
    complete: isOver && seen.size >= expected,
    masks: seen.size,
    aggregate: sums,
    toArray: () => unpackBits(bits, width, height),
    toPng: () => encodeMaskPng({ width, height, bits }),
  };
}

function place(into: Uint8Array, width: number, height: number, { col, row, side, bits }: MaskEvent): void {
  const [left, top] = [col * side, row * side];
  const [across, down] = [Math.min(side, width - left), Math.min(side, height - top)];
  const [from, to] = [rowBytes(side), rowBytes(width)];
  for (let y = 0; y < down; y++) {
    const source = y * from;
    const target = (top + y) * to;
    if (left % 8 === 0 && across % 8 === 0) {
      into.set(bits.subarray(source, source + (across >> 3)), target + (left >> 3));
      continue;
    }
    for (let x = 0; x < across; x++) {
      const isSet = (bits[source + (x >> 3)]! >> (7 - (x & 7))) & 1;
      const at = target + ((left + x) >> 3);
      const bit = 0x80 >> ((left + x) & 7);
      into[at] = isSet ? into[at]! | bit : into[at]! & ~bit;
    }
  }
}
