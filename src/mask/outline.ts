import { type Grow, growDoubles } from './grow.js';
import type { Ring } from './rings.js';

/** Pixels are so many units wide, so that what is computed with is whole. */
const PIXEL = 20;
/** How far an outline may leave the pixels' edges, in units: less than half a pixel, so that it passes no pixel's centre even when it is rounded. */
const REACH = 9;

/**
 * Redraws the outlines of pixels with fewer corners, within half a pixel, so that every pixel's centre stays on its side: filled by centres, as
 * pictures are, they give the same pixels.
 *
 * An outline passes between pairs of pixels, one set and one clear: from one's centre to the other's there is a *door*. The new outline goes through the same doors in the
 * same order, from the middle of one to the middle of the last that can be reached in a straight line (as polygons are stabbed by Guibas et al. 1993,
 * in one pass). Between two doors lies a rectangle or a triangle that belongs to this outline alone, so that outlines neither cross nor touch themselves
 * or each other.
 */
export class OutlineSmoother {
  readonly #right: number;
  readonly #bottom: number;
  readonly #cut: number;
  readonly #corners = growDoubles();

  /**
   * @param size of the mask in pixels: no outline leaves it.
   * @param cut outlines stay on lines that are so many pixels apart, along which regions were cut; 0: there are none
   */
  constructor({ width, height }: { readonly width: number; readonly height: number }, cut = 0) {
    this.#right = width * PIXEL;
    this.#bottom = height * PIXEL;
    this.#cut = cut * PIXEL;
  }

  /** @param ring along pixel edges, what is inside on its right hand with y down */
  run(ring: Ring): Float64Array {
    const corners = this.#corners;
    corners.clear();
    const right = this.#right;
    const bottom = this.#bottom;
    const cut = this.#cut;
    const end = ring.length;
    // The door that is looked at: of the `step`-th pixel of the edge from corner `at`, whose first door has its middle at (baseX, baseY).
    let at = 0;
    let step = 0;
    // The last door whose middle is in sight.
    let seenAt = 0;
    let seenStep = 0;
    let startX = 0;
    let startY = 0;
    for (let isBegin = true; ; isBegin = false) {
      at = seenAt;
      step = seenStep;
      let next = at + 2 < end ? at + 2 : 0;
      let across = ring[next]! - ring[at]!;
      let down = ring[next + 1]! - ring[at + 1]!;
      let edges = Math.abs(across + down);
      let dx = Math.sign(across);
      let dy = Math.sign(down);
      let baseX = ring[at]! * PIXEL + dx * (PIXEL / 2);
      let baseY = ring[at + 1]! * PIXEL + dy * (PIXEL / 2);
      const fromX = baseX + step * dx * PIXEL;
      const fromY = baseY + step * dy * PIXEL;
      corners.push(fromX);
      corners.push(fromY);
      if (isBegin) {
        startX = fromX;
        startY = fromY;
      }
      // What is seen of the doors so far: between the rays (lx, ly) on the left and (rx, ry) on the right.
      let lx = 0;
      let ly = 0;
      let rx = 0;
      let ry = 0;
      for (let isFirst = true; ; isFirst = false) {
        step++;
        let isBack = false;
        if (step === edges) {
          at += 2;
          isBack = at >= end;
          if (!isBack) {
            step = 0;
            next = at + 2 < end ? at + 2 : 0;
            across = ring[next]! - ring[at]!;
            down = ring[next + 1]! - ring[at + 1]!;
            edges = Math.abs(across + down);
            dx = Math.sign(across);
            dy = Math.sign(down);
            baseX = ring[at]! * PIXEL + dx * (PIXEL / 2);
            baseY = ring[at + 1]! * PIXEL + dy * (PIXEL / 2);
          }
        }
        // Back where it began there is a door without width.
        const x = isBack ? startX : baseX + step * dx * PIXEL;
        const y = isBack ? startY : baseY + step * dy * PIXEL;
        const line = dx === 0 ? x : y;
        const isAtCut = cut > 0 && line % cut === 0;
        const isAtEdge = line === 0 || line === (dx === 0 ? right : bottom);
        const outward = isBack || isAtEdge || isAtCut ? 0 : REACH;
        const inward = isBack || isAtCut ? 0 : REACH;
        // With y down the left hand of (dx, dy) is (dy, −dx); what is inside is on the right.
        const middleX = x - fromX;
        const middleY = y - fromY;
        const leftX = middleX + dy * outward;
        const leftY = middleY - dx * outward;
        const rightX = middleX - dy * inward;
        const rightY = middleY + dx * inward;
        if (!isFirst && (lx * rightY - ly * rightX < 0 || rx * leftY - ry * leftX > 0)) break;
        if (isFirst || lx * leftY - ly * leftX >= 0) {
          lx = leftX;
          ly = leftY;
        }
        if (isFirst || rx * rightY - ry * rightX <= 0) {
          rx = rightX;
          ry = rightY;
        }
        const isSeen = lx * middleY - ly * middleX >= 0 && rx * middleY - ry * middleX <= 0;
        if (isBack && isSeen) return inPixels(corners);
        if (isBack) break;
        if (isSeen) {
          seenAt = at;
          seenStep = step;
        }
      }
    }
  }
}

function inPixels({ data, length }: Grow<Float64Array>): Float64Array {
  const pixels = new Float64Array(length);
  for (let i = 0; i < length; i++) pixels[i] = data[i]! / PIXEL;
  return pixels;
}
