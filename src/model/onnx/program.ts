import { sidesOf } from '../graph/graph.js';
import type { ConvKernelWord, Program, Sliding, Term, Word } from '../program/words.js';
import { spreadOf, windowOf } from './layers.js';
import type { Attribute, OnnxModel } from './model.js';
import { ProgramWindows } from './program-windows.js';
import { upsample } from './resize.js';
import { OnnxWriter } from './writer.js';

/**
 * A program as an ONNX model: its inputs and outputs by their names, float32, shapes fixed. Images are [N, C, H, W], kernels
 * [out, in, k, k].
 */
export function emitProgram(name: string, program: Program): OnnxModel {
  const emitter = new Emitter(program);
  program.words.forEach((word, id) => {
    emitter.emit(word, program.terms[id]!);
  });
  const { out } = emitter;
  for (const [port, term] of program.outputs) out.node('Identity', [emitter.nameOf(term)], {}, port);
  const inputs = program.words.flatMap((word, id) =>
    word.op === 'input' ? [{ name: word.name, type: 'float' as const, shape: program.terms[id]!.shape }] : [],
  );
  const outputs = [...program.outputs].map(([port, { shape }]) => ({ name: port, type: 'float' as const, shape }));
  return { name, nodes: out.nodes, initializers: out.initializers, inputs, outputs };
}

const UNARY = {
  relu: 'Relu',
  sigmoid: 'Sigmoid',
  erf: 'Erf',
  exp: 'Exp',
  log: 'Log',
  reciprocal: 'Reciprocal',
} as const;
const BINARY = { add: 'Add', sub: 'Sub', mul: 'Mul', max: 'Max' } as const;

class Emitter {
  readonly out = new OnnxWriter();
  readonly #names: readonly string[];
  readonly #windows: ProgramWindows;

  constructor(program: Program) {
    this.#names = program.words.map((word, id) => (word.op === 'input' ? word.name : `w${id}_${word.op}`));
    this.#windows = new ProgramWindows(this.out, program, this.#names);
  }

  nameOf({ id }: Term): string {
    return this.#names[id]!;
  }

  emit(word: Word, term: Term): void {
    const { out } = this;
    const output = this.nameOf(term);
    const node = (op: string, terms: readonly Term[], attributes: Record<string, Attribute> = {}) =>
      out.node(
        op,
        terms.map(read => this.nameOf(read)),
        attributes,
        output,
      );
    switch (word.op) {
      case 'input':
        return;
      case 'constant':
        out.constant(output, 'float', term.shape, () => Float32Array.from(word.values));
        return;
      case 'conv': {
        const inputs = [this.nameOf(word.x), this.nameOf(word.by)];
        if (word.bias) inputs.push(out.node('Reshape', [this.nameOf(word.bias), out.integers('flat', [-1])]));
        out.node('Conv', inputs, slidingOf(word, word.by.shape[2]!), output);
        return;
      }
      case 'convTranspose': {
        const { stride, padding, dilation, by, x } = word;
        const size = by.shape[2]!;
        const [top, beside, bottom, right] = sidesOf(padding);
        const missing = (axis: 2 | 3, around: number) =>
          term.shape[axis]! - ((x.shape[axis]! - 1) * stride - around + dilation * (size - 1) + 1);
        const output_padding = [missing(2, top + bottom), missing(3, beside + right)];
        node('ConvTranspose', [x, by], { ...slidingOf(word, size), output_padding });
        return;
      }
      case 'convKernel':
        this.#convKernel(word, term, output);
        return;
      case 'rotate': {
        const turned = out.node('Slice', [
          this.nameOf(word.x),
          ...['last', 'before', 'planes', 'back'].map((name, i) => out.integers(`turn_${name}`, TURN[i]!)),
        ]);
        if (word.groups === 1) {
          out.node('Transpose', [turned], { perm: [1, 0, 2, 3] }, output);
          return;
        }
        const [inputs, each, height, width] = term.shape as [number, number, number, number];
        const apart = this.#reshaped(turned, [word.groups, each, inputs / word.groups, height, width]);
        const exchanged = out.node('Transpose', [apart], { perm: [0, 2, 1, 3, 4] });
        this.#reshaped(exchanged, term.shape, output);
        return;
      }
      case 'headRows': {
        const [n, channels, height, width] = word.x.shape as [number, number, number, number];
        const apart = this.#reshaped(this.nameOf(word.x), [n * word.heads, channels / word.heads, height * width]);
        out.node('Transpose', [apart], { perm: [0, 2, 1] }, output);
        return;
      }
      case 'headImage':
        this.#reshaped(out.node('Transpose', [this.nameOf(word.x)], { perm: [0, 2, 1] }), term.shape, output);
        return;
      case 'reshape':
        this.#reshaped(this.nameOf(word.x), term.shape, output);
        return;
      case 'stackMul': {
        const turned = (side: 'a' | 'b') => {
          const name = this.nameOf(word[side]);
          return word.turned === side ? out.node('Transpose', [name], { perm: [0, 2, 1] }) : name;
        };
        out.node('MatMul', [turned('a'), turned('b')], {}, output);
        return;
      }
      case 'softmax':
        node('Softmax', [word.x], { axis: 2 });
        return;
      case 'pad':
        // Only windows read it, and they read it channels last.
        return;
      case 'window':
        this.#windows.emit(word, output);
        return;
      case 'channelRows': {
        const moved = out.node('Transpose', [this.nameOf(word.x)], { perm: [1, 0, 2, 3] });
        out.node('Reshape', [moved, out.integers(`shape_${term.shape.join('_')}`, term.shape)], {}, output);
        return;
      }
      case 'matmul':
        node('MatMul', [word.a, word.b]);
        return;
      case 'kernel': {
        const [outputs, inputs, size] = term.shape as [number, number, number];
        const shape = out.integers(`shape_1_${outputs}_${inputs}`, [1, outputs, inputs]);
        const parts = word.parts.map(part => out.node('Reshape', [this.nameOf(part), shape]));
        const places = parts.length > 1 ? out.node('Concat', parts, { axis: 0 }) : parts[0]!;
        const moved = out.node('Transpose', [places], { perm: [1, 2, 0] });
        const whole = [outputs, inputs, size, size];
        out.node('Reshape', [moved, out.integers(`shape_${whole.join('_')}`, whole)], {}, output);
        return;
      }
      case 'rsqrt':
        out.node('Reciprocal', [out.node('Sqrt', [this.nameOf(word.x)])], {}, output);
        return;
      case 'step':
        out.cast(out.node('GreaterOrEqual', [this.nameOf(word.x), out.floats('zero', [0], [])]), 'float', output);
        return;
      case 'relu':
      case 'sigmoid':
      case 'erf':
      case 'exp':
      case 'log':
      case 'reciprocal':
        node(UNARY[word.op], [word.x]);
        return;
      case 'add':
      case 'sub':
      case 'mul':
      case 'max':
        node(BINARY[word.op], [word.a, word.b]);
        return;
      case 'gate': {
        const sign = out.node('Sign', [this.nameOf(word.by)]);
        out.node('Mul', [this.nameOf(word.x), sign], {}, output);
        return;
      }
      case 'sum':
      case 'sumSquares': {
        const axes = out.integers(`axes_${word.axes.join('_')}`, word.axes);
        const op = word.op === 'sum' ? 'ReduceSum' : 'ReduceSumSquare';
        out.node(op, [this.nameOf(word.x), axes], { keepdims: 1 }, output);
        return;
      }
      case 'groupSum': {
        const [n, channels] = term.shape as [number, number];
        const each = channels / word.groups;
        const rows = out.integers(`shape_groups_${n}_${word.groups}`, [n, word.groups, each]);
        const grouped = out.node('Reshape', [this.nameOf(word.x), rows]);
        const sums = out.node('ReduceSum', [grouped, out.integers('axes_2', [2])], { keepdims: 1 });
        const spread = out.node('Expand', [sums, rows]);
        out.node('Reshape', [spread, out.integers(`shape_${term.shape.join('_')}`, term.shape)], {}, output);
        return;
      }
      case 'expand':
        out.node(
          'Expand',
          [this.nameOf(word.x), out.integers(`shape_${term.shape.join('_')}`, term.shape)],
          {},
          output,
        );
        return;
      case 'concat':
        node('Concat', word.parts, { axis: 1 });
        return;
      case 'channels': {
        const ends = [word.from, word.from + term.shape[1]!].map(at => out.integers(`at_${at}`, [at]));
        out.node('Slice', [this.nameOf(word.x), ...ends, out.integers('at_1', [1])], {}, output);
        return;
      }
      case 'maxPool':
        out.nodes.push({
          op: 'MaxPool',
          inputs: [this.nameOf(word.x)],
          outputs: [output, `${output}.places`],
          attributes: windowOf(word.size, word.stride, word.padding),
        });
        return;
      case 'unpool':
        this.#unpool(word, term, output);
        return;
      case 'upsample':
        upsample(out, word, this.nameOf(word.x), output);
        return;
      case 'blockSum': {
        const { factor } = word;
        const mean = out.node('AveragePool', [this.nameOf(word.x)], windowOf(factor, factor, 0));
        out.node('Mul', [mean, out.floats(`area_${factor}`, [factor * factor], [])], {}, output);
        return;
      }
      case 'along': {
        const { matrix, axis } = word;
        const [rows, columns] = [matrix.length, matrix[0]!.length];
        const flat = (values: readonly (readonly number[])[]) => Float32Array.from(values.flat());
        if (axis === 2) {
          const left = out.constant(`${output}.matrix`, 'float', [rows, columns], () => flat(matrix));
          out.node('MatMul', [left, this.nameOf(word.x)], {}, output);
          return;
        }
        const turned = () => flat(matrix[0]!.map((_, column) => matrix.map(row => row[column]!)));
        const right = out.constant(`${output}.matrix`, 'float', [columns, rows], turned);
        out.node('MatMul', [this.nameOf(word.x), right], {}, output);
        return;
      }
    }
  }

  #reshaped(name: string, shape: readonly number[], output?: string): string {
    return this.out.node('Reshape', [name, this.out.integers(`shape_${shape.join('_')}`, shape)], {}, output);
  }

  /**
   * A convolution itself: of the input, patches as the channels of a group and channels of a group as patches, by the output's
   * gradient, where stride and dilation change places. What the stride left over at the end makes further places, which are cut off.
   */
  #convKernel(word: ConvKernelWord, term: Term, output: string): void {
    const { out } = this;
    const { x, by, stride, dilation, padding, groups } = word;
    const [n, channels, height, width] = x.shape as [number, number, number, number];
    const within = channels / groups;
    const apart = this.#reshaped(this.nameOf(x), [n, groups, within, height, width]);
    const exchanged = out.node('Transpose', [apart], { perm: [2, 1, 0, 3, 4] });
    const images = this.#reshaped(exchanged, [within, groups * n, height, width]);
    const kernels = out.node('Transpose', [this.nameOf(by)], { perm: [1, 0, 2, 3] });
    const attributes = {
      kernel_shape: by.shape.slice(2),
      strides: [dilation, dilation],
      pads: sidesOf(padding),
      dilations: [stride, stride],
      group: groups,
    };
    const whole = out.node('Conv', [images, kernels], attributes);
    const size = term.shape[2]!;
    const ends = [
      [0, 0],
      [size, size],
      [2, 3],
    ].map(values => out.integers(`at_${values.join('_')}`, values));
    out.node('Transpose', [out.node('Slice', [whole, ...ends])], { perm: [1, 0, 2, 3] }, output);
  }

  /** ONNX's pooling tells the place of each largest value in the flattened image. */
  #unpool({ by, pool }: Extract<Word, { op: 'unpool' }>, term: Term, output: string): void {
    const { out } = this;
    const count = term.shape.reduce((product, size) => product * size, 1);
    const flat = (name: string) => out.node('Reshape', [name, out.integers('flat', [-1])]);
    const zeros = out.node('Expand', [out.floats('zero', [0], []), out.integers(`count_${count}`, [count])]);
    const inputs = [zeros, flat(`${this.nameOf(pool)}.places`), flat(this.nameOf(by))];
    const sums = out.node('ScatterElements', inputs, { axis: 0, reduction: 'add' });
    out.node('Reshape', [sums, out.integers(`shape_${term.shape.join('_')}`, term.shape)], {}, output);
  }
}

const slidingOf = ({ stride, padding, dilation, groups }: Sliding, size: number): Record<string, Attribute> => ({
  ...windowOf(size, stride, padding),
  ...spreadOf({ ...(dilation !== 1 && { dilation }), ...(groups !== 1 && { groups }) }),
});

/** Slice's starts, ends, axes and steps: rows and columns from the last to the first. */
const TURN = [
  [-1, -1],
  [-1_000_000, -1_000_000],
  [2, 3],
  [-1, -1],
] as const;
