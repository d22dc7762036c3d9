import { StromaflowError } from '../errors.js';
import { OPTIONS, type OptionName, type OptionSpec } from './options.js';

export type OptionValue = string | number | boolean;

/**
 * Reads one option's value as a flag, the environment or a config file gives it.
 * @param origin where it was found, named in the error: '--batch', 'STROMAFLOW_BATCH', 'lab.yaml: batch'
 * @throws StromaflowError USAGE for a flag, CONFIG_INVALID otherwise
 */
export function parseValue(name: OptionName, raw: unknown, origin: string): OptionValue {
  const spec: OptionSpec = OPTIONS[name];
  const refuse = (expected: string): never => {
    const code = origin.startsWith('--') ? 'USAGE' : 'CONFIG_INVALID';
    throw new StromaflowError(code, `${origin}: expected ${expected}, got ${JSON.stringify(raw)}`);
  };
  switch (spec.type) {
    case 'boolean':
      if (raw === true || raw === 'true' || raw === '1') return true;
      if (raw === false || raw === 'false' || raw === '0') return false;
      return refuse('true or false');
    case 'integer':
    case 'number': {
      const value =
        typeof raw === 'number' ? raw : typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : Number.NaN;
      if (!Number.isFinite(value) || !inRange(value, spec)) return refuse(describeNumber(spec));
      return value;
    }
    case 'choice':
      return spec.choices?.includes(String(raw)) ? String(raw) : refuse(`one of ${spec.choices?.join(', ')}`);
    default:
      return typeof raw === 'string' && raw.trim() !== '' ? raw : refuse('text');
  }
}

function inRange(value: number, { type, min, max, multipleOf }: OptionSpec): boolean {
  if (type === 'integer' && !Number.isInteger(value)) return false;
  if (multipleOf !== undefined && value % multipleOf !== 0) return false;
  return value >= (min ?? -Infinity) && value <= (max ?? Infinity);
}

function describeNumber({ type, unit, min, max, multipleOf }: OptionSpec): string {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  const range =
    min !== undefined && max !== undefined ? ` from ${min} to ${max}` : min !== undefined ? ` ≥ ${min}` : '';
  const step = multipleOf === undefined ? '' : `, a multiple of ${multipleOf}`;
  return `${kind}${unit ? ` of ${unit}` : ''}${range}${step}`;
}
