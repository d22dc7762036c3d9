import type { GroupNormNode } from '../graph/graph.js';
import type { NormMoments } from './statistics.js';

/**
 * Means over patches of what emitMoments gives of each: mean and mean square, a group each. Both are averages over all pixels
 * when the patches are of one size, so that their variance is that of the pixels of all patches together:
 *
 *     mean = ⟨m⟩,  variance = ⟨s⟩ − ⟨m⟩²
 */
export class MomentSums {
  readonly #norms: readonly Pick<GroupNormNode, 'name' | 'groups'>[];
  /** Per group: mean, mean square. */
  readonly #sums: Float64Array;
  readonly #squares: Float64Array;
  #patches = 0;

  constructor(norms: readonly Pick<GroupNormNode, 'name' | 'groups'>[]) {
    this.#norms = norms;
    const groups = norms.reduce((sum, norm) => sum + norm.groups, 0);
    this.#sums = new Float64Array(2 * groups);
    this.#squares = new Float64Array(2 * groups);
  }

  get patches(): number {
    return this.#patches;
  }

  /** `values`: mean and mean square of each group of each norm, of one patch. */
  add(values: ArrayLike<number>): void {
    if (values.length !== this.#sums.length) throw new RangeError(`${values.length} moments, not ${this.#sums.length}`);
    this.#patches++;
    for (let i = 0; i < this.#sums.length; i++) {
      this.#sums[i]! += values[i]!;
      this.#squares[i]! += values[i]! ** 2;
    }
  }

  /** In the order of the norms. Rounding may not make a variance negative. */
  moments(): NormMoments[] {
    let at = 0;
    return this.#norms.map(({ name, groups }) => {
      const places = Array.from({ length: groups }, (_, group) => at + 2 * group);
      at += 2 * groups;
      return {
        name,
        mean: Float32Array.from(places, place => this.#mean(place)),
        variance: Float32Array.from(places, place => this.#variance(place)),
      };
    });
  }

  /**
   * How far the statistics may be off for want of patches: the standard error of each group's mean, in standard deviations of
   * the group, root mean square over the groups. Infinite for one patch.
   */
  error(): number {
    if (this.#patches < 2) return Number.POSITIVE_INFINITY;
    let sum = 0;
    let groups = 0;
    for (let place = 0; place < this.#sums.length; place += 2) {
      const variance = this.#variance(place);
      // A group that is the same everywhere has nothing to be off from.
      if (variance === 0) continue;
      const between = Math.max(0, this.#squares[place]! / this.#patches - this.#mean(place) ** 2);
      sum += between / (this.#patches - 1) / variance;
      groups++;
    }
    return groups === 0 ? 0 : Math.sqrt(sum / groups);
  }

  #mean(place: number): number {
    return this.#sums[place]! / this.#patches;
  }

  #variance(place: number): number {
    return Math.max(0, this.#mean(place + 1) - this.#mean(place) ** 2);
  }
}
