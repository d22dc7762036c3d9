import { floatToHalf } from '../float16.js';
import { type Attribute, ELEMENTS, type ElementType, type Initializer, type OnnxNode, OPSET } from './model.js';

/** Collects nodes and constants, and makes up names for what nobody else refers to. */
export class OnnxWriter {
  /** Version of ONNX's operator set the nodes are for. */
  readonly opset: number;
  /** The network computes in float16; what stands around it does not. */
  readonly half: boolean;
  /** For devices that make a zero of NaN where a relu meets it; see emitLayer. */
  readonly keepNaN: boolean;
  /** Before every made-up name, so that it meets none of a graph that is already there. */
  readonly #prefix: string;
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly #constants = new Set<string>();
  #next = 0;

  constructor({ opset = OPSET, prefix = '', half = false, keepNaN = false } = {}) {
    this.opset = opset;
    this.half = half;
    this.keepNaN = keepNaN;
    this.#prefix = prefix;
  }

  /** Adds a node with one output; returns the output's name. */
  node(op: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}, output?: string): string {
    const name = output ?? `${this.#prefix}t${this.#next++}_${op.toLowerCase()}`;
    this.nodes.push({ op, inputs, outputs: [name], attributes });
    return name;
  }

  /** Equal parts along the first axis. */
  split(input: string, parts: number): string[] {
    const outputs = Array.from({ length: parts }, () => `${this.#prefix}t${this.#next++}_part`);
    const attributes: Record<string, Attribute> = this.opset < 18 ? {} : { num_outputs: parts };
    this.nodes.push({ op: 'Split', inputs: [input], outputs, attributes: { axis: 0, ...attributes } });
    return outputs;
  }

  /** A reduction or squeeze over axes, which are an attribute in older operator sets and an input in newer ones. */
  over(op: 'Squeeze' | 'ReduceSum' | 'ReduceMax', input: string, axes: readonly number[], output?: string): string {
    const since = op === 'ReduceMax' ? 18 : 13;
    const keep: Record<string, Attribute> = op === 'Squeeze' ? {} : { keepdims: 0 };
    if (this.opset < since) return this.node(op, [input], { ...keep, axes }, output);
    return this.node(op, [input, this.integers(`axes_${axes.join('_')}`, axes)], keep, output);
  }

  /** A float32 constant; a name given twice is the same constant. */
  floats(name: string, values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.#constant({ name: this.#prefix + name, type: 'float', shape, load: () => Float32Array.from(values) });
  }

  integers(name: string, values: readonly number[]): string {
    const load = () => BigInt64Array.from(values.map(BigInt));
    return this.#constant({ name: this.#prefix + name, type: 'int64', shape: [values.length], load });
  }

  /** Weights, loaded when the file is written, and rounded to half precision if the network computes in it. */
  weights(name: string, shape: readonly number[], load: () => Promise<Float32Array> | Float32Array): string {
    if (!this.half) return this.#constant({ name, type: 'float', shape, load });
    return this.#constant({ name, type: 'float16', shape, load: async () => floatToHalf(await load()) });
  }

  /** A constant that stays as it is, loaded when the file is written. */
  constant(name: string, type: ElementType, shape: readonly number[], load: Initializer['load']): string {
    return this.#constant({ name, type, shape, load });
  }

  cast(input: string, type: ElementType, output?: string): string {
    return this.node('Cast', [input], { to: ELEMENTS[type].code }, output);
  }

  #constant(initializer: Initializer): string {
    if (!this.#constants.has(initializer.name)) {
      this.#constants.add(initializer.name);
      this.initializers.push(initializer);
    }
    return initializer.name;
  }
}
