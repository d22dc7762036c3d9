/**
 * What `stromaflow/pipeline` exports: the graphs, what they are opened from, and their operators, for programs that put one together
 * themselves. docs/library.md has examples.
 */

export type { Config, OptionName } from '../src/config/options.js';
export { ERRORS, type ErrorCode, StromaflowError } from '../src/errors.js';
export type { BusEvent, EventBus } from '../src/event/bus.js';
export { createMemoryBus } from '../src/event/memory-bus.js';
export type { PatchMask, PatchPlan, PatchRecord, PatchRef } from '../src/read/patch.js';
export { openSlide } from '../src/slide/open.js';
export type { OpenedSlide, SlideInfo } from '../src/slide/slide.js';
export { acknowledge } from '../src/stage/acknowledge.js';
export { announce } from '../src/stage/announce.js';
export { batch, EngineGate } from '../src/stage/batch.js';
export { CreditPool, credit } from '../src/stage/credit.js';
export { FairQueue } from '../src/stage/fair-queue.js';
export { infer } from '../src/stage/infer.js';
export {
  type CreditedPatch,
  hasTissue,
  type InferredPatch,
  type ReadPatch,
  type SettledPatch,
} from '../src/stage/item.js';
export { combineObservers, type PipelineObserver } from '../src/stage/observer.js';
export { outcome } from '../src/stage/outcome.js';
export { publish } from '../src/stage/publish.js';
export { read } from '../src/stage/read.js';
export { type Objection, reject } from '../src/stage/reject.js';
export { score } from '../src/stage/score.js';
export { segment } from '../src/stage/segment.js';
export type { DuePatch, SlideSession } from '../src/stage/session.js';
export { store } from '../src/stage/store.js';
export type { SlideSummary } from '../src/store/summary.js';
export { VERSION } from '../src/version.js';
export { openBus } from './buses.js';
export { configure } from './configure.js';
export { type LiveOptions, segmentLive } from './live.js';
export { openParts, type Parts } from './parts.js';
export { segmentPatches, segmentSlides } from './segment.js';
export type { SlideResult } from './slide-result.js';
export type { SlideTask } from './slide-task.js';
export { slideTasks } from './slide-tasks.js';
