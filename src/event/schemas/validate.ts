import type { JsonSchema } from './schema.js';

/**
 * Checks a value against a schema of the contract: the subset of JSON Schema that schema.ts can write, so that the
 * client needs no validator library. Returns the first thing that is wrong, as `path: why`, or undefined.
 */
export function firstProblem(schema: JsonSchema, value: unknown, path = ''): string | undefined {
  const at = path || 'value';
  const types: readonly string[] = typeof schema.type === 'string' ? [schema.type] : schema.type;
  if (!types.some(type => hasType(type, value))) return `${at}: is not ${types.join(' or ')}`;
  if (typeof value === 'number') return checkNumber(schema, value, at);
  if (typeof value === 'string') return checkString(schema, value, at);
  if (Array.isArray(value)) return firstOf(schema.items, value, path);
  if (schema.type !== 'object') return undefined;
  const record = value as Readonly<Record<string, unknown>>;
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(record, name)) return `${path ? `${path}.` : ''}${name}: is missing`;
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const problem = Object.hasOwn(record, name)
      ? firstProblem(property, record[name], path ? `${path}.${name}` : name)
      : undefined;
    if (problem) return problem;
  }
  return undefined;
}

function firstOf(items: JsonSchema | undefined, values: readonly unknown[], path: string): string | undefined {
  if (!items) return undefined;
  for (const [index, value] of values.entries()) {
    const problem = firstProblem(items, value, `${path}[${index}]`);
    if (problem) return problem;
  }
  return undefined;
}

function hasType(type: string, value: unknown): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'number') return Number.isFinite(value);
  return typeof value === type;
}

function checkNumber(schema: JsonSchema, value: number, at: string): string | undefined {
  const { minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity } = schema;
  if (value < minimum || value <= exclusiveMinimum || value > maximum) return `${at}: ${value} is out of range`;
  return undefined;
}

function checkString(schema: JsonSchema, value: string, at: string): string | undefined {
  if (schema.enum && !schema.enum.includes(value)) return `${at}: is not one of ${schema.enum.join(', ')}`;
  if (schema.pattern && !compiled(schema.pattern).test(value)) return `${at}: does not match ${schema.pattern}`;
  if (schema.format === 'date-time' && !DATE_TIME.test(value)) return `${at}: is not an RFC 3339 time`;
  return undefined;
}

const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern) ?? new RegExp(pattern, 'u');
  patterns.set(pattern, known);
  return known;
}

/** RFC 3339 §5.6. */
const DATE_TIME =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
