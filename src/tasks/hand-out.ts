import { setMaxListeners } from 'node:events';
import type { JsMsg } from '@nats-io/jetstream';
import { Observable, type OperatorFunction } from 'rxjs';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { CreditedPatch, SettledPatch } from '../stage/item.js';
import type { SlideSession } from '../stage/session.js';
import { areQueuesEmpty, type OutcomeQueue, readOutcomes } from './outcomes.js';
import { LATER_MS, Postponed } from './postponed.js';
import { settle } from './settle.js';
import { readOutcome } from './task.js';
import { TaskDesk, type TaskDeskOptions } from './task-desk.js';
import type { Workers } from './workers.js';

export interface HandOutOptions extends OutcomeQueue, TaskDeskOptions {
  /** Patches of a task. */
  readonly patches: number;
  /** Milliseconds that a task that is not full waits for more. */
  readonly delayMs: number;
}

interface Handed {
  readonly session: SlideSession;
  open: CreditedPatch[];
  timer: NodeJS.Timeout | undefined;
}

/** Milliseconds between looks at the queues. */
const LOOK_MS = 15_000;
/** Times that an outcome nobody waits for is put back: an hour. */
const PATIENCE = 1800;

/**
 * The place of reading and inference in a graph whose work is done by others: patches go out as tasks, outcomes come back as settled
 * patches. An outcome is acknowledged when its patches have left the graph, so that one that dies meanwhile gets it again.
 * Tasks that the server lost are handed out again; done twice, a patch replaces itself.
 */
export class HandOut implements Workers {
  readonly #options: HandOutOptions;
  readonly #desk: TaskDesk;
  readonly #stop = new AbortController();
  readonly #handed = new Map<string, Handed>();
  readonly #waiting = new Map<string, CreditedPatch>();
  /** Runs whose every patch has an outcome. */
  readonly #over = new Set<string>();
  /** Outcomes in the graph: patches of each that have not left it, by place: stages hand on other objects. */
  readonly #inGraph = new Map<string, { left: number; readonly message: JsMsg }>();
  readonly #postponed = new Postponed();
  #isInterrupted = false;
  #settledAt = performance.now();
  #emit: (patch: SettledPatch) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #ended: () => void = () => undefined;

  constructor(options: HandOutOptions) {
    this.#options = options;
    this.#desk = new TaskDesk(options);
  }

  onAgain: (tasks: number) => void = () => undefined;
  onTask: (patches: readonly CreditedPatch[]) => void = () => undefined;

  /** Bytes of tiles that were shipped since the start. */
  get shippedBytes(): number {
    return this.#desk.shippedBytes;
  }

  /** Patches that are out. */
  get backlog(): number {
    return this.#waiting.size;
  }

  /** The operator; of one object one may be in use. `signal`: what is out is waited for no longer. */
  stage(signal: AbortSignal): OperatorFunction<CreditedPatch, SettledPatch> {
    return source =>
      new Observable(subscriber => {
        let isComplete = false;
        this.#emit = patch => subscriber.next(patch);
        this.#fail = error => subscriber.error(error);
        this.#ended = () => {
          if (isComplete && this.#waiting.size === 0) subscriber.complete();
        };
        const giveUp = (): void => {
          this.#isInterrupted = true;
          this.#abandonRest();
        };
        signal.addEventListener('abort', giveUp, { once: true });
        const { signal: stopped } = this.#stop;
        const receiving = readOutcomes(this.#options, message => this.#onOutcome(message), stopped).catch(error => {
          if (!stopped.aborted) this.#fail(error);
        });
        this.#tasksMade = this.#options.bus.kept?.createdOf('tasks') ?? '';
        const watch = setInterval(() => void this.#look(), LOOK_MS);
        const forget = this.#options.bus.kept?.onRestored(() => this.#restored());
        const subscription = source.subscribe({
          next: patch => this.#add(patch),
          error: error => subscriber.error(error),
          complete: () => {
            isComplete = true;
            this.#ended();
          },
        });
        return () => {
          signal.removeEventListener('abort', giveUp);
          clearInterval(watch);
          forget?.();
          subscription.unsubscribe();
          this.#stop.abort();
          void receiving;
        };
      });
  }

  /** The patch has left the graph, on record or not. */
  left(patch: SettledPatch): void {
    const outcome = this.#inGraph.get(keyOf(patch));
    if (!outcome) return;
    this.#inGraph.delete(keyOf(patch));
    outcome.left -= 1;
    if (outcome.left === 0) outcome.message.ack();
    this.#abandonRest();
  }

  async over(session: SlideSession): Promise<void> {
    // An open run goes on with the next start, and what workers do meanwhile counts.
    if (session.run.state.state === 'open') return;
    this.#over.add(session.runToken);
    await this.#postponed.of(session.runToken, this.#stop.signal);
    await this.#desk.over(session);
  }

  /** See TaskDesk. */
  sweep(isOpen: (slide: string, run: string) => boolean): Promise<void> {
    return this.#desk.sweep(isOpen);
  }

  #add(patch: CreditedPatch): void {
    const { session } = patch;
    this.#waiting.set(keyOf(patch), patch);
    if (this.#isInterrupted) {
      this.#abandonRest();
      return;
    }
    const handed = this.#handed.get(session.runToken) ?? this.#begin(session);
    handed.open.push(patch);
    if (handed.open.length >= this.#options.patches) this.#seal(handed);
    else handed.timer ??= setTimeout(() => this.#seal(handed), this.#options.delayMs);
  }

  #begin(session: SlideSession): Handed {
    setMaxListeners(0, session.failed);
    const handed: Handed = { session, open: [], timer: undefined };
    this.#handed.set(session.runToken, handed);
    session.failed.addEventListener('abort', () => this.#failSession(session, session.failure), { once: true });
    void session.drained.then(() => {
      this.#handed.delete(session.runToken);
      if (session.aggregate.complete) this.#over.add(session.runToken);
    });
    return handed;
  }

  #seal(handed: Handed): void {
    clearTimeout(handed.timer);
    handed.timer = undefined;
    const patches = handed.open;
    handed.open = [];
    if (patches.length === 0) return;
    this.onTask(patches);
    void this.#publish(handed, patches);
  }

  async #publish({ session }: Handed, patches: readonly CreditedPatch[]): Promise<void> {
    try {
      await this.#desk.publish(session, patches);
    } catch (error) {
      this.#failSession(session, error);
    }
  }

  /** What is out of a slide that failed comes back without an outcome. */
  #failSession(session: SlideSession, error: unknown): void {
    session.failure ??= toStromaflowError(error, 'BUS_PUBLISH', session.slide.id);
    for (const patch of [...this.#waiting.values()])
      if (patch.session === session) this.#abandon(patch, session.failure);
  }

  /**
   * After an interruption what is out comes back without an outcome, which ends its session: not before what is in the graph has left it, since
   * of a session that is over nothing is recorded, and what was published would be published again.
   */
  #abandonRest(): void {
    if (!this.#isInterrupted || this.#inGraph.size > 0) return;
    for (const patch of [...this.#waiting.values()])
      this.#abandon(patch, new StromaflowError('INTERRUPTED', `${patch.session.slide.id}: interrupted`));
  }

  #abandon(patch: CreditedPatch, failure: Error): void {
    const { session, ref } = patch;
    if (!this.#waiting.has(keyOf(patch))) return;
    // Whoever hears of it abandons all that is out of this slide, this patch too.
    session.failure ??= failure;
    if (!this.#noLongerWaits(patch)) return;
    const { level, col, row } = ref;
    const none = { validPixels: 0, tissuePixels: 0, stromaPixels: 0 };
    // Of a slide that failed nothing is kept: it leaves the graph to give its credit back.
    this.#emit({ ...patch, record: { level, col, row, outcome: 'failed', ...none } });
    this.#ended();
  }

  #noLongerWaits(patch: CreditedPatch): boolean {
    this.#desk.settled(patch);
    return this.#waiting.delete(keyOf(patch));
  }

  #onOutcome(message: JsMsg): void {
    let outcome: ReturnType<typeof readOutcome>;
    try {
      outcome = readOutcome(message.data);
    } catch {
      message.term('no outcome');
      return;
    }
    if (this.#isInterrupted) {
      message.nak(LATER_MS);
      return;
    }
    const { run, results } = outcome;
    this.#postponed.meet(run, message.seq);
    const found = results.flatMap(result => {
      const patch = this.#waiting.get(`${run} ${result.record.col} ${result.record.row}`);
      return patch ? [{ patch, result }] : [];
    });
    if (found.length === 0) {
      // Done before, or of a slide that is not open again yet.
      if (this.#handed.has(run) || this.#over.has(run) || message.info.deliveryCount > PATIENCE) message.ack();
      else this.#postponed.add(run, message);
      return;
    }
    const inGraph = { left: found.length, message };
    this.#settledAt = performance.now();
    // All of them before any fails its session, which abandons what is waited for.
    for (const { patch } of found) this.#noLongerWaits(patch);
    for (const { patch, result } of found) {
      let settled: SettledPatch;
      try {
        settled = settle(patch, result);
        // What was done before and what comes now would be of two files.
        const { error } = result.failure ?? {};
        if (error?.code === 'SLIDE_CHANGED') patch.session.failure ??= error;
      } catch (error) {
        patch.session.failure ??= toStromaflowError(error, 'EVENT_INVALID', patch.session.slide.id);
        settled = { ...patch, record: result.record };
      }
      this.#inGraph.set(keyOf(settled), inGraph);
      this.#emit(settled);
    }
    this.#ended();
  }

  #tasksMade = '';

  /** The streams are there again; where that of the tasks is another one, they are handed out again. */
  #restored(): void {
    const created = this.#options.bus.kept?.createdOf('tasks') ?? '';
    if (this.#tasksMade !== created) this.#again();
    this.#tasksMade = created;
  }

  /** Nothing comes back although something is out: where the queues are empty it is lost. */
  async #look(): Promise<void> {
    if (this.#waiting.size === 0 || performance.now() - this.#settledAt < LOOK_MS) return;
    try {
      if ((await areQueuesEmpty(this.#options)) && this.#waiting.size > 0) this.#again();
    } catch {
      // Asked again later.
    }
  }

  #again(): void {
    let tasks = 0;
    this.#settledAt = performance.now();
    const bySession = new Map<SlideSession, CreditedPatch[]>();
    for (const patch of this.#waiting.values()) {
      const { session } = patch;
      bySession.set(session, [...(bySession.get(session) ?? []), patch]);
    }
    for (const [session, patches] of bySession) {
      this.#desk.lost(session);
      this.#handed.delete(session.runToken);
      const handed = this.#begin(session);
      for (let from = 0; from < patches.length; from += this.#options.patches) {
        tasks += 1;
        void this.#publish(handed, patches.slice(from, from + this.#options.patches));
      }
    }
    this.onAgain(tasks);
  }
}

const keyOf = ({ session, ref: { col, row } }: CreditedPatch): string => `${session.runToken} ${col} ${row}`;
