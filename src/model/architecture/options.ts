import { StromaflowError, shown } from '../../errors.js';
import type { Interpolation } from '../graph/graph.js';

/** The options of a config.json that are still unread, and how to complain about one. */
export class Options {
  readonly #values: Map<string, unknown>;
  readonly #path: string;

  constructor(json: Record<string, unknown>, path: string) {
    this.#values = new Map(Object.entries(json));
    this.#path = path;
  }

  take(name: string, otherwise: unknown): unknown {
    const value = this.#values.has(name) ? this.#values.get(name) : otherwise;
    this.#values.delete(name);
    return value;
  }

  /** For an option that says null where it means its default. */
  nullAsAbsent(name: string): this {
    if (this.#values.get(name) === null) this.#values.delete(name);
    return this;
  }

  integer(name: string, otherwise: number, min: number, max: number): number {
    const value = this.take(name, otherwise);
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max)
      throw this.invalid(name, value, `a whole number from ${min} to ${max} is needed`);
    return value as number;
  }

  oneOf(name: string, otherwise: unknown, allowed: readonly unknown[]): unknown {
    const value = this.take(name, otherwise);
    if (!allowed.includes(value)) throw this.unsupported(name, value, `known: ${allowed.map(String).join(', ')}`);
    return value;
  }

  refuseTheRest(): void {
    for (const [name, value] of this.#values) if (!name.startsWith('_')) throw this.unsupported(name, value);
  }

  unsupported(name: string, value: unknown, reason?: string, how: { readonly fix?: string } = {}): StromaflowError {
    return new StromaflowError('MODEL_UNSUPPORTED', this.#line(name, value, 'is not supported', reason), how);
  }

  invalid(name: string, value: unknown, reason: string): StromaflowError {
    return new StromaflowError('MODEL_INVALID', this.#line(name, value, 'is wrong', reason));
  }

  #line(name: string, value: unknown, verdict: string, reason?: string): string {
    return `${this.#path}: ${name} ${value === undefined ? '(absent)' : shown(value)} ${verdict}${reason ? ` (${reason})` : ''}`;
  }
}

/** An interpolation, in the words of PyTorch's interpolate. */
export function interpolationOf(
  options: Options,
  name = 'decoder_interpolation',
  otherwise: Interpolation = 'nearest',
): Interpolation {
  const known = ['nearest', 'nearest-exact', 'area', 'bilinear', 'bicubic'];
  const given = options.oneOf(name, otherwise, known);
  return given === 'bilinear' || given === 'bicubic' ? given : 'nearest';
}
