import { length } from './format.js';
import type { View } from './view.js';

interface Place {
  readonly x: number;
  readonly y: number;
}

/** A line that somebody draws over the slide, in level-0 pixels. */
export class Measure {
  #from: Place | undefined;
  #to: Place | undefined;
  #on = false;
  readonly #mpp: number;

  constructor(mpp: number) {
    this.#mpp = mpp;
  }

  get on(): boolean {
    return this.#on;
  }

  set on(on: boolean) {
    this.#on = on;
    this.#from = undefined;
    this.#to = undefined;
  }

  start(place: Place): void {
    this.#from = place;
    this.#to = place;
  }

  end(place: Place): void {
    this.#to = place;
  }

  /** One end, then the other, wherever the middle of the view is. */
  mark(place: Place): void {
    if (!this.#from || this.#from !== this.#to) this.start(place);
    else this.end(place);
  }

  /** What was measured, in words. */
  get text(): string {
    if (!this.#on) return '';
    if (!this.#from || !this.#to || this.#from === this.#to) return 'drag a line, or press Enter at both ends';
    return length(Math.hypot(this.#to.x - this.#from.x, this.#to.y - this.#from.y) * this.#mpp);
  }

  draw(ctx: CanvasRenderingContext2D, view: View): void {
    if (!this.#on) return;
    const place = ({ x, y }: Place): readonly [number, number] => [
      (x - view.left) * view.scale,
      (y - view.top) * view.scale,
    ];
    const cross = [view.width / 2, view.height / 2] as const;
    const ends = this.#from && this.#to ? [place(this.#from), place(this.#to)] : [];
    for (const [colour, width] of [
      ['#fff', 5],
      ['#111', 2],
    ] as const) {
      ctx.strokeStyle = colour;
      ctx.lineWidth = width;
      ctx.beginPath();
      ctx.moveTo(cross[0] - 9, cross[1]);
      ctx.lineTo(cross[0] + 9, cross[1]);
      ctx.moveTo(cross[0], cross[1] - 9);
      ctx.lineTo(cross[0], cross[1] + 9);
      for (const [i, [x, y]] of ends.entries())
        if (i === 0) ctx.moveTo(x, y);
        else ctx.lineTo(x, y);
      ctx.stroke();
    }
  }
}
