import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckPolicy,
  type Consumer,
  type ConsumerMessages,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { Observable, type OperatorFunction } from 'rxjs';
import { StromaflowError, toStromaflowError } from '../errors.js';
import type { EventBus } from '../event/bus.js';
import { workLayouts } from '../event/stream/layout.js';
import { decodeMaskPng } from '../mask/png.js';
import type { CreditedPatch, SettledPatch } from '../stage/item.js';
import type { SlideSession } from '../stage/session.js';
import { type Brief, briefEvents, packBrief } from './brief.js';
import { type BriefName, type PatchResult, readOutcome, taskEvent, type WorkSubjects } from './task.js';
import type { Workers } from './workers.js';

export interface HandOutOptions {
  readonly bus: EventBus;
  readonly connection: NatsConnection;
  readonly prefix: string;
  readonly subjects: WorkSubjects;
  /** Patches of a task. */
  readonly patches: number;
  /** Milliseconds that a task that is not full waits for more. */
  readonly delayMs: number;
  /** Of a session: what workers must know to read it. */
  readonly briefOf: (session: SlideSession) => Brief;
  /** Told when tasks that got lost were handed out again. */
  readonly onAgain?: (tasks: number) => void;
}

interface Handed {
  readonly session: SlideSession;
  /** As it was published last. */
  packed: Buffer | undefined;
  brief: Promise<BriefName>;
  open: CreditedPatch[];
  timer: NodeJS.Timeout | undefined;
}

/** Milliseconds after which an outcome of a slide that is not open yet is looked at again, and between looks at the queues. */
const LATER_MS = 2000;
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
  readonly #stop = new AbortController();
  readonly #handed = new Map<string, Handed>();
  readonly #waiting = new Map<string, CreditedPatch>();
  /** Runs whose every patch has an outcome. */
  readonly #over = new Set<string>();
  /** Outcomes in the graph: patches of each that have not left it. */
  readonly #inGraph = new Map<CreditedPatch, { left: number; readonly message: JsMsg }>();
  #briefs = 0;
  #isInterrupted = false;
  #settledAt = performance.now();
  #emit: (patch: SettledPatch) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #ended: () => void = () => undefined;

  constructor(options: HandOutOptions) {
    this.#options = options;
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
        const receiving = this.#receive().catch(error => {
          if (!this.#stop.signal.aborted) this.#fail(error);
        });
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
    const outcome = this.#inGraph.get(patch);
    if (!outcome) return;
    this.#inGraph.delete(patch);
    outcome.left -= 1;
    if (outcome.left === 0) outcome.message.ack();
    this.#abandonRest();
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
    const brief = Promise.resolve({ version: 0, parts: 0 });
    const handed: Handed = { session, packed: undefined, brief, open: [], timer: undefined };
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
    if (patches.length > 0) void this.#publish(handed, patches);
  }

  /**
   * The brief that a task which is handed out now needs. Where the tiles of a slide that grows lie is in memory that reader threads
   * share with this one; workers get it as it is, and it has the tiles of every patch that is due.
   */
  #briefFor(handed: Handed): Promise<BriefName> {
    const { session } = handed;
    if (handed.packed && !session.grows) return handed.brief;
    const { bus, subjects, briefOf } = this.#options;
    const packed = packBrief(briefOf(session));
    if (handed.packed?.equals(packed)) return handed.brief;
    handed.packed = packed;
    // Greater than that of any earlier start: an old task keeps the brief that it was given.
    this.#briefs = Math.max(this.#briefs + 1, Date.now());
    const version = this.#briefs;
    handed.brief = (async () => {
      const events = briefEvents(subjects, { slide: session.slide.id, run: session.runToken, version }, packed);
      for (const event of events) await bus.publish(event, session.failed);
      return { version, parts: events.length };
    })();
    return handed.brief;
  }

  async #publish(handed: Handed, patches: readonly CreditedPatch[]): Promise<void> {
    const { session } = handed;
    const { bus, subjects } = this.#options;
    const { slide, runToken: run, engine } = session;
    try {
      const places = patches.map(({ ref: { col, row } }) => [col, row] as const);
      const task = { slide: slide.id, run, brief: await this.#briefFor(handed), patches: places };
      await bus.publish(taskEvent(subjects, engine.modelVersion, task), session.failed);
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
    if (!this.#waiting.delete(keyOf(patch))) return;
    const { level, col, row } = ref;
    const none = { validPixels: 0, tissuePixels: 0, stromaPixels: 0 };
    // Of a slide that failed nothing is kept: it leaves the graph to give its credit back.
    this.#emit({ ...patch, record: { level, col, row, outcome: 'failed', ...none } });
    this.#ended();
  }

  async #receive(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let messages: ConsumerMessages | undefined;
      try {
        const consumer = await this.#consumer();
        messages = await consumer.consume({ max_messages: 64, abort_on_missing_resource: true });
        const close = (): void => void messages?.close();
        signal.addEventListener('abort', close, { once: true });
        // What the client asked for before an outage is not always answered after it.
        const forget = this.#options.bus.kept?.onRestored(close);
        try {
          for await (const message of messages) this.#onOutcome(message);
        } finally {
          forget?.();
          signal.removeEventListener('abort', close);
        }
      } catch {
        // The server is away, or the stream: both come back, or the bus says otherwise.
      } finally {
        await messages?.close().catch(() => undefined);
      }
      await sleep(LATER_MS / 10, undefined, { signal }).catch(() => undefined);
    }
  }

  async #consumer(): Promise<Consumer> {
    const { connection, prefix, subjects } = this.#options;
    const { name } = workLayouts(prefix).outcomes;
    const manager = await jetstreamManager(connection, { checkAPI: false });
    const durable = `ingest_${subjects.outcomes.split('.').slice(-4, -2).join('_')}`;
    await manager.consumers.add(name, {
      durable_name: durable,
      filter_subject: subjects.outcomes,
      ack_policy: AckPolicy.Explicit,
      ack_wait: 60e9,
      max_ack_pending: 1000,
    });
    return jetstream(connection, { checkAPI: false } as object).consumers.get(name, durable);
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
    const found = results.flatMap(result => {
      const patch = this.#waiting.get(`${run} ${result.record.col} ${result.record.row}`);
      return patch ? [{ patch, result }] : [];
    });
    if (found.length === 0) {
      // Done before, or of a slide that is not open again yet.
      if (this.#handed.has(run) || this.#over.has(run) || message.info.deliveryCount > PATIENCE) message.ack();
      else message.nak(LATER_MS);
      return;
    }
    const inGraph = { left: found.length, message };
    this.#settledAt = performance.now();
    for (const { patch, result } of found) {
      this.#waiting.delete(keyOf(patch));
      let settled: SettledPatch;
      try {
        settled = settle(patch, result);
      } catch (error) {
        patch.session.failure ??= toStromaflowError(error, 'EVENT_INVALID', patch.session.slide.id);
        settled = { ...patch, record: result.record };
      }
      this.#inGraph.set(settled, inGraph);
      this.#emit(settled);
    }
    this.#ended();
  }

  #tasksMade = '';

  /** The streams are there again; where that of the tasks is another one, they are handed out again. */
  #restored(): void {
    const created = this.#options.bus.kept?.createdOf('tasks') ?? '';
    if (this.#tasksMade !== '' && this.#tasksMade !== created) this.#again();
    this.#tasksMade = created;
  }

  /** Nothing comes back although something is out: where the queues are empty it is lost. */
  async #look(): Promise<void> {
    if (this.#tasksMade === '') this.#restored();
    if (this.#waiting.size === 0 || performance.now() - this.#settledAt < LOOK_MS) return;
    try {
      const manager = await jetstreamManager(this.#options.connection, { checkAPI: false });
      const { tasks, outcomes } = workLayouts(this.#options.prefix);
      const isEmpty = async (name: string) => (await manager.streams.info(name)).state.messages === 0;
      if ((await isEmpty(tasks.name)) && (await isEmpty(outcomes.name)) && this.#waiting.size > 0) this.#again();
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
      this.#handed.delete(session.runToken);
      const handed = this.#begin(session);
      for (let from = 0; from < patches.length; from += this.#options.patches) {
        tasks += 1;
        void this.#publish(handed, patches.slice(from, from + this.#options.patches));
      }
    }
    this.#options.onAgain?.(tasks);
  }
}

const keyOf = ({ session, ref: { col, row } }: CreditedPatch): string => `${session.runToken} ${col} ${row}`;

function settle(patch: CreditedPatch, { record, png, failure }: PatchResult): SettledPatch {
  if (!png) return { ...patch, record, ...(failure ? { failure } : {}) };
  const { bits, width } = decodeMaskPng(png);
  return { ...patch, record, mask: { side: width, bits, stromaPixels: record.stromaPixels } };
}
