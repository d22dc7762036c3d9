import { type Padding, sidesOf } from '../graph/graph.js';
import type { Program, Term, Word } from '../program/words.js';
import type { OnnxWriter } from './writer.js';

/**
 * The weighted windows of a program. What they read is laid out channels last, [N, H, W, C], once for all windows of an
 * image, so that a row of a window is one copy.
 */
export class ProgramWindows {
  readonly #out: OnnxWriter;
  readonly #program: Program;
  readonly #names: readonly string[];
  /** Images laid out channels last, by term. */
  readonly #channelsLast = new Map<number, string>();

  /** @param names of the words' values. */
  constructor(out: OnnxWriter, program: Program, names: readonly string[]) {
    this.#out = out;
    this.#program = program;
    this.#names = names;
  }

  /** Rows of a window's pixels: [N · height · width, C]. */
  emit({ x, top, left, stride, height, width }: Extract<Word, { op: 'window' }>, output: string): void {
    const out = this.#out;
    const [n, channels] = x.shape as [number, number];
    const ends = [
      [top, left],
      [top + (height - 1) * stride + 1, left + (width - 1) * stride + 1],
      [1, 2],
      [stride, stride],
    ].map(values => out.integers(`at_${values.join('_')}`, values));
    const source = this.#lastOf(x);
    const whole = x.shape[2] === height && x.shape[3] === width;
    const piece = whole ? source : out.node('Slice', [source, ...ends]);
    const shape = [n * height * width, channels];
    out.node('Reshape', [piece, out.integers(`shape_${shape.join('_')}`, shape)], {}, output);
  }

  /** Name of an image laid out [N, H, W, C], which several windows share; padding is done on that. */
  #lastOf(x: Term): string {
    const known = this.#channelsLast.get(x.id);
    if (known) return known;
    const word = this.#program.words[x.id]!;
    const made =
      word.op === 'pad'
        ? this.#padded(this.#lastOf(word.x), word.padding)
        : this.#out.node('Transpose', [this.#names[x.id]!], { perm: [0, 2, 3, 1] });
    this.#channelsLast.set(x.id, made);
    return made;
  }

  #padded(last: string, padding: Padding): string {
    const [top, left, bottom, right] = sidesOf(padding);
    const around = [0, top, left, 0, 0, bottom, right, 0];
    return this.#out.node('Pad', [last, this.#out.integers(`pads_${around.join('_')}`, around)]);
  }
}
