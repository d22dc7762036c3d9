import { AckPolicy, type JetStreamManager, type JsMsg, jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { StromaflowError } from '../errors.js';
import { workLayouts } from '../event/stream/layout.js';
import { pullEach } from '../event/stream/process-stream.js';
import { escapeToken } from '../event/subjects.js';
import { joinPiece, type PieceBytes } from './pieces.js';
import { besides, readTask, type Task, tasksFor } from './task.js';

export interface TaskQueueOptions {
  readonly connection: NatsConnection;
  readonly prefix: string;
  /** Tasks for this model are taken, and no others. */
  readonly modelVersion: string;
  /** Seconds without a sign of life after which a task is given to another. */
  readonly timeoutSeconds: number;
  /** Seconds of a queue that has tasks and hands out none. @default 60 */
  readonly standstillSeconds?: number;
}

const STANDSTILL_SECONDS = 60;
const NO_MESSAGE = 10037;

function noMessage(error: unknown): undefined {
  if ((error as { code?: unknown }).code !== NO_MESSAGE) throw error;
}

/** A task in hand. */
export interface TakenTask {
  readonly task: Task;
  readonly source: string;
  /** Of the slide, where whoever hands out traces. */
  readonly traceparent: string | undefined;
  /** How often it was begun, this time included. */
  readonly tries: number;
  readonly outcomeSubject: string;
  /** Messages of its slide's brief; undefined where they are gone, and with them whoever wanted the task done. */
  brief(): Promise<readonly Uint8Array[] | undefined>;
  /** A piece of its slide that was shipped; undefined where it is in the stream no more. */
  piece(name: string): Promise<PieceBytes | undefined>;
  /** Done for good, and the server knows. */
  done(): Promise<void>;
  /** Puts it back, for after so many milliseconds. */
  putBack(milliseconds: number): void;
}

/** The queue that workers of one model take from. Signs of life are given for as long as a task is in hand. */
export class TaskQueue {
  readonly #options: TaskQueueOptions;
  readonly #names: ReturnType<typeof workLayouts>;
  readonly #durable: string;
  #manager: JetStreamManager | undefined;
  #idleSince: number | undefined;
  #standstills = 0;

  constructor(options: TaskQueueOptions) {
    this.#options = options;
    this.#names = workLayouts(options.prefix);
    this.#durable = `workers_${escapeToken(options.modelVersion)}`;
  }

  /** Rejects with EVENTS_STREAM where there are no streams of work. */
  async open(): Promise<void> {
    this.#manager = await jetstreamManager(this.#options.connection, { checkAPI: false });
    await this.#mend().catch(cause => {
      const message = `${this.#options.connection.getServer()}: ${(cause as Error).message}`;
      throw new StromaflowError('EVENTS_STREAM', message, { cause, fix: 'run stromaflow events setup --for-workers' });
    });
  }

  /** One task at a time, until the signal aborts. */
  async *take(signal: AbortSignal): AsyncGenerator<TakenTask, void, void> {
    const { connection } = this.#options;
    const mend = () => this.#mend().catch(() => undefined);
    const onIdle = () => this.#lookForStandstill().catch(() => undefined);
    for await (const message of pullEach(connection, this.#names.tasks.name, this.#durable, signal, mend, onIdle)) {
      this.#idleSince = undefined;
      const taken = this.#taken(message);
      if (taken) yield taken;
    }
  }

  /** Tasks that wait, and that are in hand. */
  async backlog(): Promise<{ readonly waiting: number; readonly inHand: number }> {
    const info = await this.#manager!.consumers.info(this.#names.tasks.name, this.#durable);
    return { waiting: info.num_pending, inHand: info.num_ack_pending };
  }

  /** Times that the consumer was made anew because the server had tasks and handed out none. */
  get standstills(): number {
    return this.#standstills;
  }

  /** Work queues stand still now and then: tasks wait, nobody has one in hand, and nothing comes. */
  async #lookForStandstill(): Promise<void> {
    const { waiting, inHand } = await this.backlog();
    if (waiting === 0 || inHand > 0) {
      this.#idleSince = undefined;
      return;
    }
    this.#idleSince ??= performance.now();
    const { standstillSeconds = STANDSTILL_SECONDS } = this.#options;
    if (performance.now() - this.#idleSince < standstillSeconds * 1000) return;
    this.#idleSince = undefined;
    this.#standstills += 1;
    await this.#manager!.consumers.delete(this.#names.tasks.name, this.#durable);
    await this.#mend();
  }

  async #mend(): Promise<void> {
    const { prefix, modelVersion, timeoutSeconds } = this.#options;
    await this.#manager!.consumers.add(this.#names.tasks.name, {
      durable_name: this.#durable,
      filter_subject: tasksFor(prefix, modelVersion),
      ack_policy: AckPolicy.Explicit,
      ack_wait: timeoutSeconds * 1e9,
      // Whoever gets it too often says so: nothing ends without a word.
      max_deliver: -1,
      max_ack_pending: 10_000,
    });
  }

  #taken(message: JsMsg): TakenTask | undefined {
    let task: Task;
    try {
      task = readTask(message.data);
    } catch {
      message.term('no task');
      return undefined;
    }
    const alive = setInterval(() => message.working(), (this.#options.timeoutSeconds * 1000) / 3);
    const { brief, outcome, tile } = besides(message.subject, task);
    return {
      task,
      source: message.headers?.get('ce-source') ?? '',
      traceparent: message.headers?.get('ce-traceparent') || undefined,
      tries: message.info.deliveryCount,
      outcomeSubject: outcome,
      brief: () => this.#brief(task, brief),
      piece: name => joinPiece(part => this.#part(tile(name, part))),
      async done() {
        clearInterval(alive);
        // Without an answer it comes again, and is done again: its patches replace themselves.
        await message.ackAck().catch(() => undefined);
      },
      putBack(milliseconds) {
        clearInterval(alive);
        message.nak(milliseconds);
      },
    };
  }

  async #part(subject: string): Promise<{ size: string; data: Uint8Array } | undefined> {
    const { direct, streams } = this.#manager!;
    const { name } = this.#names.tiles;
    const query = { last_by_subj: subject };
    // A copy of the stream may lag behind: the one that leads it knows.
    const message = (await direct.getMessage(name, query)) ?? (await streams.getMessage(name, query).catch(noMessage));
    return message ? { size: message.header.get('ce-size'), data: message.data } : undefined;
  }

  async #brief({ brief }: Task, subject: (part: number) => string): Promise<Uint8Array[] | undefined> {
    const parts: Uint8Array[] = [];
    for (let part = 0; part < brief.parts; part++) {
      const query = { last_by_subj: subject(part) };
      const message = await this.#manager!.streams.getMessage(this.#names.briefs.name, query).catch(noMessage);
      if (!message) return undefined;
      parts.push(message.data);
    }
    return parts;
  }
}
