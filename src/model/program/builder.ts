import { type Padding, sidesOf } from '../graph/graph.js';
import type { Binary, Enlarging, Program, Sliding, Term, Unary, Word } from './words.js';

/** Writes a program: each call is a word and gives the term it makes, its shape worked out. */
export class ProgramBuilder {
  readonly #words: Word[] = [];
  readonly #terms: Term[] = [];
  readonly #outputs = new Map<string, Term>();
  readonly #numbers = new Map<number, Term>();

  finish(): Program {
    return { words: this.#words, terms: this.#terms, outputs: this.#outputs };
  }

  output(name: string, term: Term): void {
    if (this.#outputs.has(name)) throw new RangeError(`output ${name} is given twice`);
    this.#outputs.set(name, term);
  }

  input(name: string, shape: readonly number[], as: 'image' | 'kernel' = 'image'): Term {
    return this.#push({ op: 'input', name, as }, shape);
  }

  /** The same number is the same term. */
  number(value: number): Term {
    const known = this.#numbers.get(value);
    if (known) return known;
    const made = this.#push({ op: 'constant', values: [value] }, [1, 1, 1, 1]);
    this.#numbers.set(value, made);
    return made;
  }

  /** A number to multiply a stack by. */
  stackNumber(value: number): Term {
    return this.#push({ op: 'constant', values: [value] }, [1, 1, 1]);
  }

  conv(x: Term, by: Term, sliding: Sliding, bias?: Term): Term {
    const [n, channels, height, width] = image(x);
    const [out, input, size] = image(by);
    const { stride, padding, dilation, groups } = sliding;
    if (input * groups !== channels) throw new RangeError(`a kernel of ${input} × ${groups} channels on ${channels}`);
    const [top, left, bottom, right] = sidesOf(padding);
    const to = (from: number) => Math.floor((from - dilation * (size - 1) - 1) / stride) + 1;
    const shape = [n, out, to(height + top + bottom), to(width + left + right)];
    return this.#push({ op: 'conv', x, by, ...sliding, ...(bias && { bias }) }, shape);
  }

  /** `like`: the convolution's input, whose gradient this is. */
  convTranspose(x: Term, by: Term, sliding: Sliding, like: Pick<Term, 'shape'>): Term {
    return this.#push({ op: 'convTranspose', x, by, ...sliding }, like.shape);
  }

  /** `like`: the convolution's kernel, whose gradient this is. */
  convKernel(x: Term, by: Term, sliding: Sliding, like: Term): Term {
    return this.#push({ op: 'convKernel', x, by, ...sliding }, like.shape);
  }

  rotate(x: Term, groups: number): Term {
    const [out, input, height, width] = image(x);
    return this.#push({ op: 'rotate', x, groups }, [input * groups, out / groups, height, width]);
  }

  pad(x: Term, padding: Padding): Term {
    const [top, left, bottom, right] = sidesOf(padding);
    if (top + left + bottom + right === 0) return x;
    const [n, channels, height, width] = image(x);
    return this.#push({ op: 'pad', x, padding }, [n, channels, height + top + bottom, width + left + right]);
  }

  window(x: Term, at: { top: number; left: number; stride: number; height: number; width: number }): Term {
    const [n, channels] = image(x);
    return this.#push({ op: 'window', x, ...at }, [n * at.height * at.width, channels]);
  }

  channelRows(x: Term): Term {
    const [n, channels, height, width] = image(x);
    return this.#push({ op: 'channelRows', x }, [channels, n * height * width]);
  }

  matmul(a: Term, b: Term): Term {
    if (a.shape[1] !== b.shape[0]) throw new RangeError(`[${a.shape}] times [${b.shape}]`);
    return this.#push({ op: 'matmul', a, b }, [a.shape[0]!, b.shape[1]!]);
  }

  headRows(x: Term, heads: number): Term {
    const [n, channels, height, width] = image(x);
    return this.#push({ op: 'headRows', x, heads }, [n * heads, height * width, channels / heads]);
  }

  /** `like`: an image of the same batch, height and width. */
  headImage(x: Term, heads: number, like: Term): Term {
    const [n, , height, width] = image(like);
    return this.#push({ op: 'headImage', x, heads }, [n, heads * x.shape[2]!, height, width]);
  }

  /** `shape`: of an image, or of a stack. */
  reshape(x: Term, shape: readonly number[]): Term {
    return this.#push({ op: 'reshape', x }, shape);
  }

  stackMul(a: Term, b: Term, turned: 'a' | 'b' | null = null): Term {
    const [count, p, q] = a.shape as [number, number, number];
    const [, r, s] = b.shape as [number, number, number];
    const [rows, inner] = turned === 'a' ? [q, p] : [p, q];
    const [other, columns] = turned === 'b' ? [s, r] : [r, s];
    if (count !== b.shape[0] || inner !== other) throw new RangeError(`[${a.shape}] times [${b.shape}]`);
    return this.#push({ op: 'stackMul', a, b, turned }, [count, rows, columns]);
  }

  softmax(x: Term): Term {
    return this.#push({ op: 'softmax', x }, x.shape);
  }

  kernel(parts: readonly Term[]): Term {
    const size = Math.sqrt(parts.length);
    const [out, input] = parts[0]!.shape as [number, number];
    return this.#push({ op: 'kernel', parts }, [out, input, size, size]);
  }

  unary(op: Unary, x: Term): Term {
    return this.#push({ op, x }, x.shape);
  }

  binary(op: Binary, a: Term, b: Term): Term {
    const shape = a.shape.map((size, axis) => {
      const other = b.shape[axis]!;
      if (size !== other && size !== 1 && other !== 1) throw new RangeError(`[${a.shape}] ${op} [${b.shape}]`);
      return Math.max(size, other);
    });
    return this.#push({ op, a, b }, shape);
  }

  add(a: Term, b: Term): Term {
    return this.binary('add', a, b);
  }

  sub(a: Term, b: Term): Term {
    return this.binary('sub', a, b);
  }

  mul(a: Term, b: Term | number): Term {
    if (b === 1) return a;
    return this.binary('mul', a, typeof b === 'number' ? this.number(b) : b);
  }

  gate(x: Term, by: Term): Term {
    return this.#push({ op: 'gate', x, by }, x.shape);
  }

  sum(x: Term, axes: readonly number[], op: 'sum' | 'sumSquares' = 'sum'): Term {
    return this.#push(
      { op, x, axes },
      x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
    );
  }

  groupSum(x: Term, groups: number): Term {
    return this.#push({ op: 'groupSum', x, groups }, x.shape);
  }

  expand(x: Term, shape: readonly number[]): Term {
    return this.#push({ op: 'expand', x }, shape);
  }

  concat(parts: readonly Term[]): Term {
    const [n, , height, width] = image(parts[0]!);
    const channels = parts.reduce((sum, { shape }) => sum + shape[1]!, 0);
    return this.#push({ op: 'concat', parts }, [n, channels, height, width]);
  }

  channels(x: Term, from: number, count: number): Term {
    const [n, , height, width] = image(x);
    return this.#push({ op: 'channels', x, from }, [n, count, height, width]);
  }

  maxPool(x: Term, { size, stride, padding }: { size: number; stride: number; padding: Padding }): Term {
    const [n, channels, height, width] = image(x);
    const [top, left, bottom, right] = sidesOf(padding);
    const to = (from: number) => Math.floor((from - size) / stride) + 1;
    const shape = [n, channels, to(height + top + bottom), to(width + left + right)];
    return this.#push({ op: 'maxPool', x, size, stride, padding }, shape);
  }

  unpool(by: Term, pool: Term, x: Term): Term {
    return this.#push({ op: 'unpool', by, pool, x }, x.shape);
  }

  upsample(x: Term, factor: number, mode: Enlarging): Term {
    const [n, channels, height, width] = image(x);
    return this.#push({ op: 'upsample', x, factor, mode }, [n, channels, height * factor, width * factor]);
  }

  blockSum(x: Term, factor: number): Term {
    const [n, channels, height, width] = image(x);
    return this.#push({ op: 'blockSum', x, factor }, [n, channels, height / factor, width / factor]);
  }

  along(x: Term, axis: 2 | 3, matrix: readonly (readonly number[])[]): Term {
    return this.#push(
      { op: 'along', x, axis, matrix },
      x.shape.map((size, at) => (at === axis ? matrix.length : size)),
    );
  }

  #push(word: Word, shape: readonly number[]): Term {
    const term = { id: this.#terms.length, shape };
    this.#words.push(word);
    this.#terms.push(term);
    return term;
  }
}

function image({ shape }: Term): [number, number, number, number] {
  if (shape.length !== 4) throw new RangeError(`[${shape}] is no image`);
  return shape as unknown as [number, number, number, number];
}
