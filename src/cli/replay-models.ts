import { existsSync } from 'node:fs';
import { tap } from 'rxjs';
import { overlapOf } from '../../pipelines/plan-of.js';
import { replaySet } from '../../pipelines/replay.js';
import type { SlideResult } from '../../pipelines/slide-result.js';
import type { Config } from '../config/options.js';
import { type ErrorCode, isErrorCode, StromaflowError } from '../errors.js';
import { Evaluation } from '../evaluate/evaluation.js';
import type { LabelledSet } from '../evaluate/labelled-set.js';
import type { ModelFacts } from '../evaluate/metrics.js';
import { PatchSpool } from '../evaluate/patch-spool.js';
import { readSeen } from '../evaluate/seen.js';
import type { Split } from '../evaluate/split.js';
import type { EvaluatedModel } from '../evaluate/write-report.js';
import { type LoadModelOptions, loadModel, type Model } from '../model/model.js';
import type { Tta } from '../model/views.js';
import { SPACING_TOLERANCE } from '../slide/image/image-source.js';
import { createMemoryLedger } from '../store/memory-ledger.js';
import { openNoOutput } from '../store/no-output.js';
import type { CommandContext } from './command.js';
import type { Faults } from './faults.js';
import { runGraph } from './run-graph.js';

export interface Replay {
  readonly set: LabelledSet;
  readonly split: Split | undefined;
  readonly faults: Faults;
}

/** Runs one model over the set, through the graph every command shares, and gives the exit status with its counts. */
export async function replayModel(
  context: CommandContext,
  model: Model,
  name: string,
  spoolFolder: string,
  { set, split, faults }: Replay,
): Promise<{ status: number; model: EvaluatedModel }> {
  const spool = new PatchSpool(spoolFolder);
  const evaluation = new Evaluation({
    map: set.map,
    split,
    probabilities: true,
    sink: spool,
    onUnknown: (image, value) =>
      faults.add(
        new StromaflowError(
          'LABELS_INVALID',
          `${image}: label value ${value} is not declared, its pixels are left out`,
        ),
      ),
    onFacts: ({ maskPath }, { classes }) => {
      for (const { name, areas } of classes.filter(({ meaning }) => meaning === 'unknown')) {
        const message = `${maskPath}: class '${name}' is not declared, ${areas} of its annotations are left out`;
        faults.add(new StromaflowError('LABELS_INVALID', message, { fix: DECLARE }));
      }
    },
  });
  const seen = await seenBy(model);
  let seconds = 0;
  let facts: ModelFacts = { ...factsOf(model), name };
  const status = await runGraph(
    { ...context, config: { ...context.config, model: model.source, tta: model.tta } },
    (parts, signal) => {
      if (parts.models.current.segmenter.info.engine === 'null') facts = NO_MODEL;
      const startedAt = performance.now();
      return replaySet(set, evaluation, { ...parts, openOutput: openNoOutput }, signal).pipe(
        tap({
          next: result => noteFailure(result, faults),
          complete: () => {
            seconds = (performance.now() - startedAt) / 1000;
          },
        }),
      );
    },
    { ledger: createMemoryLedger(), quiet: true, probabilities: true },
  );
  return { status, model: { facts, evaluation, spool, seconds, ...(facts !== NO_MODEL && { seen }) } };
}

const DECLARE = 'declare it with --positive, --negative or --ignore';

/**
 * A model of a list: a bundle, or with `+` between them the members of an ensemble; `#patch` or `#frozen` behind a path says how its norms are
 * run, `#flips`, `#d4` or `#plain` at the end what views, so that all ways can be compared. Throws what loadModel throws.
 */
export function loadNamed(text: string, options: LoadModelOptions, signal: AbortSignal): Promise<Model> {
  const [, named = text, own] = /^(.*)#(flips|d4|plain)$/.exec(text) ?? [];
  const tta = own === undefined ? options.tta : own === 'plain' ? undefined : (own as Tta);
  const source = existsSync(named.replace(/#(patch|frozen)$/, '')) ? named : named.replaceAll('+', ',');
  return loadModel(source, signal, { ...options, tta });
}

/** Images that a member was trained on, the whole ensemble saw. */
async function seenBy({ members }: Model): Promise<ReadonlySet<string> | undefined> {
  const lists = await Promise.all(members.map(({ path }) => readSeen(path)));
  const known = lists.flatMap(list => (list ? [...list] : []));
  return lists.some(list => list !== undefined) ? new Set(known) : undefined;
}

/** An image that is not, or not wholly, in the scores is named in the report too. */
function noteFailure(result: SlideResult, faults: Faults): void {
  if (result.state === 'failed') faults.add(result.error);
  if (result.state !== 'completed' && result.state !== 'incomplete') return;
  const { summary } = result;
  if (!summary) return;
  const { failed, missing, expected } = summary.patches;
  const left = (what: string, code: ErrorCode = 'SLIDE_UNREADABLE') =>
    faults.add(new StromaflowError(code, `${result.path}: ${what}`));
  if (failed > 0) {
    const [first] = summary.errors;
    const code = first && isErrorCode(first.code) ? first.code : undefined;
    left(`${failed} of ${expected} patches could not be segmented (${first?.code})`, code);
  }
  if (missing > 0) left(`${missing} of ${expected} patches are not stored, and in no score`);
}

function factsOf({ name, version, members, threshold, provenance, tta }: Model): ModelFacts {
  const known = members.map(({ network }) => (network.kind === 'smp' ? network.architecture : undefined));
  const several = members.map(member => ({ name: member.name, version: member.version, threshold: member.threshold }));
  return {
    name,
    version,
    architecture: known.map(architecture => architecture?.decoder.type ?? '').join(' + '),
    encoder: known.map(architecture => architecture?.encoder ?? '').join(' + '),
    threshold,
    provenance,
    ...(several.length > 1 && { members: several }),
    ...(tta !== undefined && { tta }),
  };
}

/** What the null engine is, so that no report gives its scores to the bundle it left aside. */
const NO_MODEL: ModelFacts = {
  name: 'null engine (dark pixels)',
  version: '1',
  architecture: '',
  encoder: '',
  threshold: 0.5,
};

/** Names under which models stand in one report: with the version where two have one name, numbered where that is no help. */
export function reportNames(bundles: readonly Pick<Model, 'name' | 'version' | 'tta'>[]): string[] {
  const unique = (names: readonly string[]) => new Set(names).size === names.length;
  const names = bundles.map(({ name, tta }) => (tta === undefined ? name : `${name}, ${tta}`));
  if (unique(names)) return names;
  const versioned = bundles.map(({ name, version }) => `${name} ${version}`);
  return unique(versioned) ? versioned : versioned.map((name, index) => `${name} (${index + 1})`);
}

/**
 * The configuration all models share: the first one's patches. Models made for another spacing cannot be compared unless
 * somebody says at which. Without a margin unless one is stated: a split by patch is of patches side by side, as the study's were.
 * @throws USAGE
 */
export function sharedPatches(
  config: Config,
  bundles: readonly Pick<Model, 'name' | 'spacing' | 'patchSize'>[],
): Config {
  const spacing = config.spacing ?? bundles[0]!.spacing;
  const other = bundles.find(bundle => Math.abs(bundle.spacing / spacing - 1) > SPACING_TOLERANCE);
  if (other && config.spacing === undefined) {
    throw new StromaflowError('USAGE', `${other.name} is made for ${other.spacing} µm/px, the others for ${spacing}`, {
      fix: 'state with --spacing at which one all of them are to be compared',
    });
  }
  const patchSize = config['patch-size'] ?? bundles[0]!.patchSize;
  const overlap = overlapOf(config, patchSize);
  const margin = overlap === undefined ? (config.margin ?? 0) : overlap / 2;
  return { ...config, spacing, 'patch-size': patchSize, margin };
}
