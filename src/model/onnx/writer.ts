import type { Attribute, Initializer, OnnxNode } from './model.js';

/** Collects nodes and constants, and makes up names for what nobody else refers to. */
export class OnnxWriter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly #constants = new Set<string>();
  #next = 0;

  /** Adds a node with one output; returns the output's name. */
  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}, output?: string): string {
    const name = output ?? `t${this.#next++}_${op.toLowerCase()}`;
    this.nodes.push({ op, inputs, outputs: [name], attributes });
    return name;
  }

  /** A float32 constant; a name given twice is the same constant. */
  floats(name: string, values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant({ name, type: 'float', shape, load: () => Float32Array.from(values) });
  }

  integers(name: string, values: readonly number[]): string {
    const load = () => BigInt64Array.from(values.map(BigInt));
    return this.#constant({ name, type: 'int64', shape: [values.length], load });
  }

  /** Weights, loaded when the file is written. */
  weights(name: string, shape: readonly number[], load: () => Promise<Float32Array>): string {
    return this.#constant({ name, type: 'float', shape, load });
  }

  #constant(initializer: Initializer): string {
    if (!this.#constants.has(initializer.name)) {
      this.#constants.add(initializer.name);
      this.initializers.push(initializer);
    }
    return initializer.name;
  }
}
