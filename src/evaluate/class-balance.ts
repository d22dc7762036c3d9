import type { Finding } from './finding.js';
import type { LabelledImage } from './labelled-item.js';
import { HIGHEST_UNDECLARED_VALUE, LABEL_MEANINGS, type LabelMap, type LabelMeaning, labelName } from './labels.js';

export interface ClassBalance {
  readonly value: number;
  readonly name: string;
  readonly meaning: LabelMeaning;
  /** Level-0 pixels; of slides estimated from a sample of them. */
  readonly pixels: number;
  /** Images in which it occurs. */
  readonly images: number;
}

/** Pixels and images of every value. */
export class Balance {
  readonly #pixels = new Float64Array(256);
  readonly #images = new Float64Array(256);
  readonly #first = new Map<number, string>();

  add(counts: Float64Array, { maskPath }: LabelledImage): void {
    for (const [value, count] of counts.entries()) {
      if (count === 0) continue;
      this.#pixels[value]! += count;
      this.#images[value]!++;
      if (!this.#first.has(value)) this.#first.set(value, maskPath);
    }
  }

  classes(map: LabelMap): ClassBalance[] {
    const declared = new Set(map.classes.map(item => item.value));
    const values = [...this.#pixels.keys()].filter(value => this.#pixels[value]! > 0 || declared.has(value));
    return values.map(value => ({
      value,
      name: labelName(map, value),
      meaning: LABEL_MEANINGS[map.meanings[value]!]!,
      pixels: this.#pixels[value]!,
      images: this.#images[value]!,
    }));
  }

  /** Values of one image alone that nobody declared, and positive classes that never occur. */
  findings(map: LabelMap, images: number): Finding[] {
    const declared = new Set(map.classes.map(item => item.value));
    const rare = [...this.#first].filter(
      ([value]) => images >= 10 && this.#images[value] === 1 && !declared.has(value),
    );
    const absent = map.classes.filter(({ meaning, value }) => meaning === 'positive' && this.#pixels[value] === 0);
    return [
      ...rare.map(([value, path]): Finding => {
        const message = `${path}: label value ${value} occurs in no other image and is not declared (up to ${HIGHEST_UNDECLARED_VALUE} counts as negative)`;
        return { severity: 'warning', kind: 'rare-value', message };
      }),
      ...absent.map(({ value, name }): Finding => {
        const message = `positive class ${value} (${name}) occurs in no image`;
        return { severity: 'warning', kind: 'absent-class', message };
      }),
    ];
  }
}
