import { StromaflowError } from '../../errors.js';
import type { Graph, Value } from '../graph/graph.js';
import { type Affine, affineOf, type Range } from './affine.js';
import { type BytePlace, bytePlaces } from './places.js';

/** quantisation.json: what makes a bundle an int8 one. The weights beside it stay as they are. */
export interface Quantisation {
  /** Patches the ranges were measured on. */
  readonly patches: number;
  /** Lowest and highest value of each tensor that becomes bytes, by the place's name. */
  readonly ranges: Readonly<Record<string, Range>>;
}

/** Places whose range has to be measured. */
export const measuredPlaces = (graph: Graph): BytePlace[] => bytePlaces(graph).filter(({ like }) => !like);

/** Checks quantisation.json against the (simplified) network. Throws MODEL_INVALID, naming what is wrong. */
export function parseQuantisation(json: unknown, graph: Graph, path: string): Quantisation {
  const invalid = (message: string) =>
    new StromaflowError('MODEL_INVALID', `${path}: ${message}`, {
      fix: 'make the bundle again with stromaflow model quantise',
    });
  const { patches, ranges } = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  if (!Number.isInteger(patches) || (patches as number) < 1) throw invalid('patches is no number above 0');
  if (typeof ranges !== 'object' || ranges === null) throw invalid('ranges is no object');
  const given = new Map<string, unknown>(Object.entries(ranges));
  for (const { name } of measuredPlaces(graph)) {
    const range = given.get(name);
    if (range === undefined) throw invalid(`the range of ${name} is missing`);
    if (!isRange(range)) throw invalid(`the range of ${name} is ${JSON.stringify(range)}, not [lowest, highest]`);
    given.delete(name);
  }
  for (const name of given.keys()) throw invalid(`the network has no ${name}`);
  return { patches: patches as number, ranges: ranges as Quantisation['ranges'] };
}

function isRange(value: unknown): value is Range {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[0] <= value[1];
}

/** How each tensor that becomes bytes is written in bytes. */
export function affines(graph: Graph, { ranges }: Quantisation): Map<Value, Affine> {
  const found = new Map<Value, Affine>();
  for (const { value, name, like } of bytePlaces(graph))
    found.set(value, (like && found.get(like)) ?? affineOf(ranges[name]!));
  return found;
}
