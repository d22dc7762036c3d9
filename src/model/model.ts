import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { StromaflowError } from '../errors.js';
import type { LabelClass } from '../evaluate/labels.js';
import { loadBundle, type ModelBundle, normModeOf } from './bundle.js';
import type { NormMode } from './norm/statistics.js';
import type { Tta } from './views.js';

/**
 * What segments: a bundle, or several of which the mean of their probabilities decides, each run on a patch as it is or in several views.
 * Plain data, safe to send to another thread.
 */
export interface Model {
  /** Loads it again: see loadModel. */
  readonly source: string;
  /** The bundle's; of an ensemble those of its members, with ` + ` between. */
  readonly name: string;
  /** The bundle's, or `ensemble-of-<members>+<first 8 hex digits of a hash over theirs>`, whatever their order; `.flips` or `.d4` behind it. */
  readonly version: string;
  /** µm per pixel, of the first member. */
  readonly spacing: number;
  /** Pixels, of the first member. */
  readonly patchSize: number;
  /** A pixel is positive when the mean probability is above this: the mean of the members' thresholds. */
  readonly threshold: number;
  readonly licence: string;
  readonly provenance: string;
  readonly notice?: string;
  /** Where all members that state any state the same. */
  readonly labels?: readonly LabelClass[];
  /** At least one, in an order that does not depend on how they were named. */
  readonly members: readonly ModelBundle[];
  /** Views that are run of each patch; absent: the patch alone. */
  readonly tta?: Tta;
}

export interface LoadModelOptions {
  /** How group and instance norms are run where the source does not say. */
  readonly norm?: NormMode | undefined;
  /** Statistics that norms are frozen by instead of the bundle's own; see LoadOptions. */
  readonly fitted?: string | undefined;
  readonly tta?: Tta | undefined;
}

/** So many that all of them fit into memory, each with the weights it was trained to. */
export const MOST_MEMBERS = 8;

/**
 * Loads a bundle, or with commas between them the members of an ensemble; `#patch` or `#frozen` behind a path says how the norms of that
 * member are run. A path that exists as a whole is one bundle, whatever is in its name.
 *
 * @throws what loadBundle throws; CONFIG_INVALID for an ensemble of more than MOST_MEMBERS, or in which one model is twice
 */
export async function loadModel(
  source: string,
  signal?: AbortSignal,
  { norm, fitted, tta }: LoadModelOptions = {},
): Promise<Model> {
  const names = membersOf(source);
  if (names.length > MOST_MEMBERS)
    throw new StromaflowError('CONFIG_INVALID', `an ensemble of ${names.length} models: ${MOST_MEMBERS} at most`, {
      fix: 'leave out those that add least; stromaflow replay --compare says which',
    });
  const bundles: ModelBundle[] = [];
  for (const { path, norm: own } of names) bundles.push(await loadBundle(path, signal, { norm: own ?? norm, fitted }));
  return composeModel(bundles, tta);
}

/** The model that these bundles make. Throws CONFIG_INVALID where one is there twice. */
export function composeModel(bundles: readonly ModelBundle[], tta?: Tta): Model {
  const members = bundles.toSorted((a, b) => compare(stampOf(a), stampOf(b)));
  const twice = members.find((bundle, i) => i > 0 && stampOf(bundle) === stampOf(members[i - 1]!));
  if (twice)
    throw new StromaflowError('CONFIG_INVALID', `${twice.name} ${twice.version} is in the ensemble twice`, {
      fix: 'name each model once: the mean would count it double',
    });
  const [first] = members as [ModelBundle];
  const several = members.length > 1;
  const hash = createHash('sha256')
    .update(JSON.stringify(members.map(stampOf)))
    .digest('hex');
  const version = several ? `ensemble-of-${members.length}+${hash.slice(0, 8)}` : first.version;
  const notices = unique(members.flatMap(({ notice }) => notice ?? []));
  const labels = unique(members.flatMap(member => (member.labels ? [JSON.stringify(member.labels)] : [])));
  return {
    source: members.map(bundle => `${bundle.path}#${normModeOf(bundle)}`).join(','),
    name: members.map(({ name }) => name).join(' + '),
    version: tta === undefined ? version : `${version}.${tta}`,
    spacing: first.spacing,
    patchSize: first.patchSize,
    threshold: members.reduce((sum, { threshold }) => sum + threshold, 0) / members.length,
    licence: unique(members.map(({ licence }) => licence)).join('; '),
    provenance: unique(members.map(({ provenance }) => provenance)).join('; '),
    ...(notices.length > 0 && { notice: notices.join(' ') }),
    ...(labels.length === 1 && { labels: JSON.parse(labels[0]!) as LabelClass[] }),
    members,
    ...(tta !== undefined && { tta }),
  };
}

/** Paths of the members that a source names. */
export const memberPaths = (source: string): string[] => membersOf(source).map(({ path }) => path);

function membersOf(source: string): { readonly path: string; readonly norm: NormMode | undefined }[] {
  const whole = withNorm(source);
  if (existsSync(source)) return [{ path: source, norm: undefined }];
  if (existsSync(whole.path)) return [whole];
  const names = source.split(',').map(name => name.trim());
  if (names.some(name => name === ''))
    throw new StromaflowError('CONFIG_INVALID', `model: ${JSON.stringify(source)} has a name that is empty`, {
      fix: 'give paths of bundles with one comma between',
    });
  return names.map(withNorm);
}

function withNorm(name: string) {
  const [, path = name, norm] = /^(.*)#(patch|frozen)$/.exec(name) ?? [];
  return { path, norm: norm as NormMode | undefined };
}

/** Two bundles of one stamp give the same masks. */
const stampOf = ({ name, version, contentHash }: ModelBundle): string => JSON.stringify([name, version, contentHash]);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const unique = (texts: readonly string[]): string[] => [...new Set(texts)];
