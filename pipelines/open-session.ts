import type { ServingModel } from '../src/engine/model-switch.js';
import { traced } from '../src/event/bus.js';
import { modelTag, runToken } from '../src/event/contract.js';
import type { TileCounts } from '../src/event/payloads.js';
import { growthOf } from '../src/live/growth-of.js';
import type { Growth, LiveSlide } from '../src/live/live-slide.js';
import type { PatchPlan } from '../src/read/patch.js';
import type { RunKey } from '../src/run-key.js';
import { DICOM_KIND } from '../src/slide/dicom/description.js';
import type { SlideNote } from '../src/slide/note.js';
import type { OpenedSlide, SlideInfo } from '../src/slide/slide.js';
import { kept } from '../src/stage/announce.js';
import { SlideSession } from '../src/stage/session.js';
import type { SessionParts } from '../src/stage/session-parts.js';
import type { SlideTrace } from '../src/stage/slide-trace.js';
import { deferredOutput } from '../src/store/deferred-output.js';
import { readSummary } from '../src/store/finished-slides.js';
import type { Ledger, RunGrowth, RunLedger } from '../src/store/ledger.js';
import type { Outlines } from '../src/store/slide-polygons.js';
import type { Parts } from './parts.js';
import { planOf } from './plan-of.js';
import { recallRevision } from './recall-revision.js';
import type { SlideTask } from './slide-task.js';
import { folderOf } from './source-folder.js';
import type { TakenModel } from './taken-model.js';

/**
 * Plans a slide, finds its run in the ledger, opens its reader and outputs, and tells subscribers. Undefined when an
 * earlier start completed this very run. What was opened before a failure is closed again.
 *
 * @param taken the model; whoever took it releases it.
 */
export async function openSession(
  slide: OpenedSlide,
  folder: string,
  task: SlideTask,
  parts: Parts,
  { model, notes }: Pick<TakenModel, 'model' | 'notes'>,
  giveUp: AbortSignal,
  trace?: SlideTrace,
): Promise<SlideSession | undefined> {
  const { bus, events, readers, tissueRule } = parts;
  const info = notes.length > 0 ? withNotes(slide.info, notes) : slide.info;
  const opened: { close(): Promise<void> }[] = [];
  const letGo = async (): Promise<void> => {
    for (const part of opened.reverse()) await part.close().catch(() => undefined);
  };
  try {
    const plan = planOf(info, parts.config, model.model);
    const key = runKey(info, plan, model, parts);
    const growth = growthAt(slide, plan.level, task);
    if (task.wasCompleted && isDone(key, growth, parts.ledger)) {
      await letGo();
      return undefined;
    }
    let run = await openRun(key, growth, parts);
    if (run.state.state === 'completed' && task.wantsResults && !(await readSummary(folder))) {
      parts.say(`${info.id}: was done before, but its results are gone from ${folder}: it is done again`);
      run = await openAnew(key, growth, parts.ledger);
    }
    if (run.state.state === 'completed') {
      await letGo();
      return undefined;
    }
    const source = task.live?.sourceFor(plan.level) ?? slide.source;
    const remote = slide.remote && { remote: slide.remote };
    const reader = await readers.open({ info, source, ...remote }, plan, tissueRule);
    opened.push(reader);
    const fresh = [...run.records()].length === 0;
    const token = runToken({ ...key, fingerprint: run.fingerprint });
    if (fresh) await recallRevision(info.id, token, run, parts, giveUp);
    const keptThreshold = parts.config.probabilities ? model.segmenter.info.threshold : undefined;
    const opening = parts.openOutput({
      folder,
      slide: info,
      plan,
      overview: reader.overview,
      fresh,
      maskTiff: parts.config['mask-tiff'],
      threshold: keptThreshold,
      omeZarr: parts.config.zarr === 'v3' ? '0.5' : '0.4',
      minArea: parts.config['min-area'],
      minHole: parts.config['min-hole'],
      outlines: parts.config.outlines as Outlines,
    });
    const output = deferredOutput(folder, opening);
    opened.push(output);
    const lost = fresh ? [] : await output.resume(run.records());
    const labels = await (task.openLabels ?? parts.openLabels)?.(info, plan);
    const session = new SlideSession({
      slide: info,
      plan,
      reader,
      source,
      viewed: { levels: task.live ? plan.level + 1 : info.levels.length, overview: reader.overview },
      grows: task.live !== undefined,
      output,
      run,
      runToken: token,
      events,
      model,
      lost,
      ...(slide.remote ? { traffic: () => slide.remote!.traffic } : {}),
      keptThreshold,
      trace,
      ...tilesOf(slide, plan.level, task, run),
      ...folderOf(task),
      ...(labels ? { labels } : {}),
    });
    const event = traced(events.slide('opened', describe(session)), trace?.traceparent);
    const { model: name, modelVersion } = session.engine;
    const { said: before } = run.state;
    const said = { ...before, plan, model: name, modelVersion, run: session.runToken, opened: kept(event) };
    await run.update({ ...run.state, said });
    await bus.publish(event, giveUp);
    return session;
  } catch (error) {
    await letGo();
    throw error;
  }
}

/** A slide that grows gets notes until it is over. */
const withNotes = (info: SlideInfo, notes: readonly SlideNote[]): SlideInfo => ({
  ...info,
  get notes() {
    return [...(info.notes ?? []), ...notes];
  },
});

/** How masks are cut: another way makes other masks, and so another run. */
const MASKED_BY = 'tissue blocks';

/** Everything that changes a mask, and nothing else. */
function runKey(info: SlideInfo, plan: PatchPlan, { segmenter }: ServingModel, { tissueRule }: Parts): RunKey {
  const grid = [plan.level, plan.mpp, plan.patchSize, plan.margin, ...(plan.blended ? ['blended, sin²'] : [])];
  const areas = [plan.openBelow, plan.closeBelow].map(pixels => pixels ?? 0);
  return {
    slide: info.id,
    fingerprint: info.fingerprint,
    modelVersion: segmenter.info.modelVersion,
    plan: JSON.stringify([
      ...grid,
      tissueRule,
      MASKED_BY,
      ...(plan.padding === 'zero' ? [] : [plan.padding]),
      ...(areas.some(pixels => pixels > 0) ? ['areas', ...areas] : []),
    ]),
  };
}

/** True of a slide that was completed by this plan, by whichever model, and holds the same now. */
function isDone({ slide, fingerprint, plan }: RunKey, growth: RunGrowth | undefined, ledger: Ledger): boolean {
  const known = ledger.find(slide);
  if (known?.state !== 'completed' || known.plan !== plan) return false;
  if (known.fingerprint === fingerprint) return true;
  return growth !== undefined && known.growth === growth.identity && known.finished === growth.content();
}

/** A slide has one run in the ledger: opening it under another key forgets what was done. */
async function openRun(key: RunKey, growth: RunGrowth | undefined, { config, ledger }: Parts): Promise<RunLedger> {
  return config.fresh ? openAnew(key, growth, ledger) : ledger.run(key, growth);
}

async function openAnew(key: RunKey, growth: RunGrowth | undefined, ledger: Ledger): Promise<RunLedger> {
  await ledger.run({ ...key, plan: 'forgotten' });
  return ledger.run(key, growth);
}

/** How the tiles of the level that is read stand, where the slide can tell. */
function tilesOf(
  { stored }: OpenedSlide,
  level: number,
  { live }: SlideTask,
  run: RunLedger,
): Pick<SessionParts, 'tiles' | 'sparse'> {
  if (live) return { tiles: tileCounts(live, run), sparse: () => live.sparse ?? false };
  if (!stored) return {};
  const { expected, seen, drawn, sparse } = stored(level);
  const missing = Math.max(0, expected - seen - drawn);
  return {
    tiles: () => ({ expected, seen, ...(drawn > 0 ? { drawn } : {}), missing, late: 0, overwritten: 0 }),
    sparse: () => sparse ?? false,
  };
}

function tileCounts(live: LiveSlide, { state }: RunLedger): () => TileCounts {
  const { tilesSeen } = state;
  return () => {
    const { tiles } = live;
    return { ...tiles, late: tilesSeen === undefined ? 0 : Math.max(0, tiles.seen - tilesSeen) };
  };
}

function growthAt(slide: OpenedSlide, level: number, task: SlideTask): RunGrowth | undefined {
  const growth = task.live?.growth ?? growthOf(slide);
  const growing = growingOf(task) !== undefined;
  return growth && { identity: growth.identity, growing, content: () => growth.content(level) };
}

/** The growth of a slide to which more may come while it is watched: to a DICOM slide levels, each a file of its own. */
export function growingOf({ live, whole }: SlideTask): Growth | undefined {
  if (live) return live.growth;
  return whole?.opened.source.kind === DICOM_KIND ? growthOf(whole.opened) : undefined;
}

function describe(session: SlideSession) {
  const { slide, plan } = session;
  const { members, tta } = session.model.model;
  const { width, height } = slide.levels[0]!;
  const { axes, bounds, notes } = slide;
  const { cols, rows, core: side, mpp, downsample } = plan;
  return {
    slide: slide.id,
    run: session.runToken,
    revision: session.revision,
    resumed: session.resumedPatches > 0,
    format: slide.format,
    width,
    height,
    mpp: slide.mpp,
    grid: { cols, rows, side, mpp, downsample, width: plan.width, height: plan.height },
    model: modelTag(session.engine),
    ...(members.length > 1
      ? { members: members.map(({ name, version }) => modelTag({ model: name, modelVersion: version })) }
      : {}),
    ...(tta === undefined ? {} : { tta }),
    ...(axes ? { axes } : {}),
    ...(bounds ? { bounds } : {}),
    ...(notes ? { notes } : {}),
  };
}
