import { tap } from 'rxjs';
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
import { loadBundle, type ModelBundle, normModeOf } from '../model/bundle.js';
import type { NormMode } from '../model/norm/statistics.js';
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
  bundle: ModelBundle,
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
  const seen = await readSeen(bundle.path);
  let seconds = 0;
  let facts: ModelFacts = { ...factsOf(bundle), name };
  const status = await runGraph(
    { ...context, config: { ...context.config, model: bundle.path, norm: normModeOf(bundle) } },
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
 * A bundle of a list of models; `#patch` or `#frozen` behind its path says how its norms are run, so that both ways can be
 * compared. Throws what loadBundle throws.
 */
export function loadNamed(model: string, norm: NormMode | undefined, signal: AbortSignal): Promise<ModelBundle> {
  const [, path = model, own] = /^(.*)#(patch|frozen)$/.exec(model) ?? [];
  return loadBundle(path, signal, { norm: (own as NormMode | undefined) ?? norm });
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

function factsOf({ name, version, network, threshold, provenance }: ModelBundle): ModelFacts {
  const known = network.kind === 'smp' ? network.architecture : undefined;
  return {
    name,
    version,
    architecture: known?.decoder.type ?? '',
    encoder: known?.encoder ?? '',
    threshold,
    provenance,
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
export function reportNames(bundles: readonly Pick<ModelBundle, 'name' | 'version'>[]): string[] {
  const unique = (names: readonly string[]) => new Set(names).size === names.length;
  const names = bundles.map(({ name }) => name);
  if (unique(names)) return names;
  const versioned = bundles.map(({ name, version }) => `${name} ${version}`);
  return unique(versioned) ? versioned : versioned.map((name, index) => `${name} (${index + 1})`);
}

/**
 * The configuration all models share: the first one's patches. Models made for another spacing cannot be compared unless
 * somebody says at which. Without a margin unless one is stated: a split by patch is of patches side by side, as the study's were.
 * @throws USAGE
 */
export function sharedPatches(config: Config, bundles: readonly ModelBundle[]): Config {
  const spacing = config.spacing ?? bundles[0]!.spacing;
  const other = bundles.find(bundle => Math.abs(bundle.spacing / spacing - 1) > SPACING_TOLERANCE);
  if (other && config.spacing === undefined) {
    throw new StromaflowError('USAGE', `${other.name} is made for ${other.spacing} µm/px, the others for ${spacing}`, {
      fix: 'state with --spacing at which one all of them are to be compared',
    });
  }
  const patchSize = config['patch-size'] ?? bundles[0]!.patchSize;
  return { ...config, spacing, 'patch-size': patchSize, margin: config.margin ?? 0 };
}
