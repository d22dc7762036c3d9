import { connect, filter, ignoreElements, map, merge, Observable, tap } from 'rxjs';
import { StromaflowError, toStromaflowError } from '../src/errors.js';
import { traced } from '../src/event/bus.js';
import { encodeMaskPng } from '../src/mask/png.js';
import type { PatchRef } from '../src/read/patch.js';
import { patchRef } from '../src/read/plan.js';
import { endsSlide } from '../src/slide/ends-slide.js';
import { credit } from '../src/stage/credit.js';
import { FairQueue } from '../src/stage/fair-queue.js';
import { infer } from '../src/stage/infer.js';
import { hasTissue, type ReadPatch, type SettledPatch } from '../src/stage/item.js';
import { outcome } from '../src/stage/outcome.js';
import { PatchTraces } from '../src/stage/patch-traces.js';
import { read } from '../src/stage/read.js';
import type { DuePatch, SlideSession } from '../src/stage/session.js';
import { SlideTrace } from '../src/stage/slide-trace.js';
import type { Reach } from '../src/tasks/reach-slide.js';
import { outcomeEvents, type PatchResult } from '../src/tasks/task.js';
import type { TakenTask, TaskQueue } from '../src/tasks/task-queue.js';
import type { Parts } from './parts.js';
import { WorkerSlides } from './worker-slides.js';

export interface WorkOptions extends Reach {
  readonly queue: TaskQueue;
  /** Tasks in hand at a time: one is read while another is segmented. */
  readonly lanes: number;
  /** Times that a task is begun. */
  readonly tries: number;
}

/** What became of a task. */
export interface TaskResult {
  readonly slide: string;
  readonly patches: number;
  /** 'void': nobody waits for it any more. */
  readonly state: 'done' | 'put-back' | 'given-up' | 'void';
  readonly error?: StromaflowError;
}

const PUT_BACK_MS = 2000;

/**
 * A worker: tasks in, outcomes out, on any number of machines.
 *
 *     queue ─pull→ tasks → patches ─credit→ read → tissue? ─yes→ infer ─┐
 *                                                   └──────no──────────┴→ outcome → of a task all? → publish → double ack
 *
 * Goes on until the signal aborts, and then finishes what is in hand. Rejects when the engine is gone for good.
 */
export function work(parts: Parts, options: WorkOptions, signal: AbortSignal): Observable<TaskResult> {
  const { credits, observer, config, tracer } = parts;
  const traces = new PatchTraces(tracer);
  const due = new FairQueue<DuePatch>();
  const slides = new WorkerSlides(parts, options);
  const collected = new Map<PatchRef, (patch: SettledPatch) => void>();
  const whole = new AbortController();
  const lacksTissue = (patch: ReadPatch): boolean => !hasTissue(patch);

  const graph = credit(due, credits, observer, whole.signal).pipe(
    map(({ item, slot }) => ({ ...item, slot })),
    traces.stage('read', read(observer)),
    connect(patch$ =>
      merge(
        patch$.pipe(
          filter(hasTissue),
          traces.stage('segment', infer({ delayMs: config['batch-delay'], observer, traces })),
        ),
        patch$.pipe(filter(lacksTissue)),
      ),
    ),
    traces.lastStage('outcome', outcome()),
    tap(patch => {
      credits.release(patch.slot);
      patch.session.leave();
      collected.get(patch.ref)?.(patch);
      collected.delete(patch.ref);
    }),
  );

  /** Sends the patches of a task through the graph. */
  const segment = (session: SlideSession, { task }: TakenTask): Promise<SettledPatch[]> => {
    const patches = session.dueAt(task.patches.map(([col, row]) => patchRef(session.plan, col, row)));
    const done = patches.map(({ ref }) => new Promise<SettledPatch>(resolve => collected.set(ref, resolve)));
    due.add(patches);
    return Promise.all(done);
  };

  const doOne = async (taken: TakenTask): Promise<TaskResult> => {
    const { task, tries } = taken;
    const about = { slide: task.slide, patches: task.patches.length };
    const isVoid = (await slides.briefOf(taken).catch(() => null)) === undefined;
    if (isVoid) return giveBack(taken);
    if (tries > options.tries) {
      const message = `${task.slide}: a task of ${about.patches} patches was begun ${tries - 1} times and never finished`;
      const error = new StromaflowError('ENGINE_FAILED', message, {
        fix: 'see what ended the workers, then segment the slide again',
      });
      return giveUp(taken, 'infer', error);
    }
    let session: SlideSession | undefined;
    try {
      session = await slides.open(taken);
    } catch (cause) {
      const error = toStromaflowError(cause, 'SLIDE_UNREADABLE', task.slide);
      if (tries === options.tries || error.code === 'SLIDE_CHANGED') return giveUp(taken, 'read', error);
      taken.putBack(PUT_BACK_MS * tries);
      return { ...about, state: 'put-back', error };
    }
    if (!session) return giveBack(taken);
    if (tracer && session.trace?.traceparent !== taken.traceparent)
      session.trace = taken.traceparent === undefined ? undefined : SlideTrace.below(tracer, taken.traceparent);
    const settled = await segment(session, taken);
    if (session.failure) {
      const error = toStromaflowError(session.failure, 'ENGINE_FAILED', task.slide);
      slides.forget(taken);
      // Nobody can read what is not there any more.
      const isFinal = error.code === 'SLIDE_CHANGED' || (endsSlide(error) && tries === options.tries);
      if (isFinal) return giveUp(taken, 'read', error);
      taken.putBack(PUT_BACK_MS * tries);
      // An engine that is gone takes no other task either.
      if (error.code === 'ENGINE_FAILED') throw error;
      return { ...about, state: 'put-back', error };
    }
    await say(taken, settled.map(resultOf));
    await taken.done();
    return { ...about, state: 'done' };
  };

  /** Whoever wanted it wants it no more, or hands it out again. */
  const giveBack = async (taken: TakenTask): Promise<TaskResult> => {
    const { slide, patches } = taken.task;
    slides.forget(taken);
    await taken.done();
    return { slide, patches: patches.length, state: 'void' };
  };

  /** The dead letter of each patch is on its way before the task is gone. */
  const giveUp = async (taken: TakenTask, stage: 'read' | 'infer', error: StromaflowError): Promise<TaskResult> => {
    const { task, tries } = taken;
    const { level } = (await slides.briefOf(taken).catch(() => undefined))?.plan ?? { level: 0 };
    const none = { validPixels: 0, tissuePixels: 0, stromaPixels: 0 };
    const results = task.patches.map(([col, row]): PatchResult => {
      const record = { level, col, row, outcome: 'failed' as const, ...none, code: error.code };
      return { record, failure: { stage, attempts: tries, error } };
    });
    await say(taken, results);
    await taken.done();
    return { slide: task.slide, patches: task.patches.length, state: 'given-up', error };
  };

  const say = async (
    { task, outcomeSubject, source, traceparent }: TakenTask,
    results: readonly PatchResult[],
  ): Promise<void> => {
    const events = outcomeEvents(outcomeSubject, source, { slide: task.slide, run: task.run, results });
    await Promise.all(events.map(event => parts.bus.publish(traced(event, traceparent))));
  };

  const done$ = new Observable<TaskResult>(subscriber => {
    const lane = async (): Promise<void> => {
      for await (const taken of options.queue.take(signal)) subscriber.next(await doOne(taken));
    };
    void Promise.all(Array.from({ length: options.lanes }, lane))
      .finally(async () => {
        due.close();
        whole.abort();
        await slides.close();
      })
      .then(
        () => subscriber.complete(),
        error => subscriber.error(error),
      );
  });
  return merge(graph.pipe(ignoreElements()), done$);
}

function resultOf({ record, mask, failure }: SettledPatch): PatchResult {
  if (mask) return { record, png: encodeMaskPng({ width: mask.side, height: mask.side, bits: mask.bits }) };
  return { record, ...(failure ? { failure } : {}) };
}
