/** The part of JSON Schema 2020-12 the contract uses, and short ways to write it. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | readonly ['number', 'null'];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly format?: 'date-time';
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

/** `?` at the end of a name makes the property optional. Unknown properties are allowed: later versions may add some. */
export function object(description: string, properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const entries = Object.entries(properties);
  return {
    type: 'object',
    description,
    properties: Object.fromEntries(entries.map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
    required: entries.map(([name]) => name).filter(name => !name.endsWith('?')),
  };
}

export const list = (description: string, items: JsonSchema): JsonSchema => ({ type: 'array', description, items });
export const text = (description: string): JsonSchema => ({ type: 'string', description });
export const oneOf = (description: string, values: readonly string[]): JsonSchema => ({
  type: 'string',
  description,
  enum: values,
});
export const token = (description: string): JsonSchema => ({
  type: 'string',
  description,
  pattern: '^[A-Za-z0-9_-]+$',
});
export const dateTime = (description: string): JsonSchema => ({ type: 'string', description, format: 'date-time' });
export const flag = (description: string): JsonSchema => ({ type: 'boolean', description });
export const count = (description: string, minimum = 0): JsonSchema => ({ type: 'integer', description, minimum });
export const amount = (description: string): JsonSchema => ({ type: 'number', description, minimum: 0 });
export const positive = (description: string): JsonSchema => ({ type: 'number', description, exclusiveMinimum: 0 });
export const ratio = (description: string): JsonSchema => ({ type: 'number', description, minimum: 0, maximum: 1 });
export const orNull = (schema: JsonSchema): JsonSchema => ({ ...schema, type: ['number', 'null'] });

/** A top-level schema: what a data schema URI of the contract names. */
export const document = (name: string, title: string, schema: JsonSchema): JsonSchema & { readonly $id: string } => ({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: `urn:stromaflow:schema:${name}:v1`,
  title,
  ...schema,
});
