import { byId } from './format.js';

/** A view that is at rest for so long is counted. */
const COUNT_MS = 250;

/** The area in view above the threshold, counted when the view rests: it is nobody's result, and that is said all the time. */
export class AboveThreshold {
  readonly #published: number;
  readonly #area: () => number | undefined;
  #counting: number | undefined;
  /** Threshold and view that were counted last. */
  #counted = '';

  /**
   * @param published threshold of the mask, 0–1.
   * @param area mm² in view above the threshold that is shown; undefined while some pixels are on their way.
   */
  constructor(published: number, area: () => number | undefined) {
    this.#published = published;
    this.#area = area;
  }

  /** Called whenever something was drawn. */
  drawn(threshold: number, view: string): void {
    clearTimeout(this.#counting);
    const what = `${threshold} ${view}`;
    if (what !== this.#counted) this.#say(threshold, '–.–––');
    this.#counting = window.setTimeout(() => {
      const area = this.#area();
      if (area === undefined) return;
      this.#say(threshold, area.toFixed(3));
      this.#counted = what;
    }, COUNT_MS);
  }

  close(): void {
    clearTimeout(this.#counting);
  }

  /** As long without the area as with it, so that no line is broken otherwise. */
  #say(threshold: number, area: string): void {
    byId('cut-text').textContent =
      `${threshold.toFixed(2)}: ${area} mm² in view, to look at only (published: ${this.#published.toFixed(2)})`;
  }
}
