/**
 * A network whose numbers are the running mean of another's (mean teacher: Tarvainen & Valpola 2017, arXiv:1703.01780). The mean begins
 * short, so that the first weights, which know nothing, are soon forgotten: a step keeps min(decay, (1 + step) / (10 + step)).
 */
export class Teacher {
  readonly values: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  readonly #decay: number;

  /** @param of the numbers that it follows, changed in place by others */
  constructor(of: ReadonlyMap<string, Float32Array>, decay: number) {
    this.values = new Map([...of].map(([name, values]) => [name, values.slice()]));
    this.#decay = decay;
  }

  /** @param step optimiser steps taken, from 1 */
  follow(of: ReadonlyMap<string, Float32Array>, step: number): void {
    const keep = Math.min(this.#decay, (1 + step) / (10 + step));
    for (const [name, mean] of this.values) {
      const values = of.get(name)!;
      for (let i = 0; i < mean.length; i++) mean[i] = keep * mean[i]! + (1 - keep) * values[i]!;
    }
  }
}
