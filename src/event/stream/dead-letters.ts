import { type JetStreamManager, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { decodePercent } from '../../text.js';
import type { BusEvent, EventBus } from '../bus.js';
import { type DeathKind, deathKind } from '../dead-letter-kind.js';
import { type DeadLetterEvent, decodeEvent } from '../decode.js';
import type { Aggregate } from '../payloads.js';
import { retryEvent } from '../retry.js';
import { checkPrefix } from '../subjects.js';
import { streamLayouts } from './layout.js';
import { toEvent } from './stream-reader.js';

export interface LetterFilter {
  readonly slide?: string | undefined;
  readonly kind?: DeathKind | undefined;
}

/**
 * What became of the run since: 'open', it has patches that failed; 'whole', it has none any more; 'replaced', the slide has another run.
 * Unless it is 'open', there is nothing to try again.
 */
export type Standing = 'open' | 'whole' | 'replaced';

export interface StoredLetter extends DeadLetterEvent {
  /** Of the stream. */
  readonly seq: number;
  readonly death: DeathKind;
  readonly standing: Standing;
}

const NO_MESSAGE = 10037;

/** The dead letters that the streams below a prefix keep. */
export class DeadLetters {
  readonly #nc: NatsConnection;
  readonly #publish: (event: BusEvent) => Promise<void>;
  readonly #manager: JetStreamManager;
  readonly #prefix: string;
  readonly #streams: ReturnType<typeof streamLayouts>;

  /** @param bus publishes to the streams. */
  constructor(
    bus: Pick<EventBus, 'publish'> & { connection: NatsConnection },
    manager: JetStreamManager,
    prefix: string,
  ) {
    this.#nc = bus.connection;
    this.#publish = event => bus.publish(event);
    this.#manager = manager;
    this.#prefix = checkPrefix(prefix);
    this.#streams = streamLayouts(prefix);
  }

  /** All that are kept now, the oldest first. */
  async list({ slide, kind }: LetterFilter = {}): Promise<readonly StoredLetter[]> {
    const { name } = this.#streams.slides;
    const filter = `${this.#prefix}.*.*.dlq.*.${slide ?? '*'}`;
    const consumers = jetstream(this.#nc, { checkAPI: false } as object).consumers;
    const consumer = await consumers.get(name, { filter_subjects: filter });
    const found: Omit<StoredLetter, 'standing'>[] = [];
    if ((await consumer.info(true)).num_pending > 0)
      for await (const message of await consumer.consume({ max_messages: 256 })) {
        const event = toEvent(message);
        const letter = event && decodeEvent(event);
        if (letter?.kind === 'dlq') {
          const death = letter.letter.kind ?? deathKind(letter.letter.error.code);
          if (kind === undefined || kind === death) found.push({ ...letter, seq: message.seq, death });
        }
        if (message.info.pending === 0) break;
      }
    await consumer.delete().catch(() => undefined);
    const standings = new Map<string, Promise<Standing>>();
    return Promise.all(
      found.map(async letter => {
        const key = `${baseOf(letter)} ${letter.letter.slide} ${letter.letter.run}`;
        const standing = standings.get(key) ?? this.#standing(letter);
        standings.set(key, standing);
        return { ...letter, standing: await standing };
      }),
    );
  }

  /**
   * Asks whoever published them to try again what failed, a request a run, and takes the letters away once the server has the requests.
   *
   * @returns the runs.
   */
  async retry(letters: readonly StoredLetter[]): Promise<readonly StoredLetter[]> {
    const runs = new Map<string, StoredLetter>();
    for (const letter of letters) runs.set(`${baseOf(letter)} ${letter.letter.slide} ${letter.letter.run}`, letter);
    for (const letter of runs.values()) await this.#publish(retryEvent(letter.subject, letter.letter, letter.seq));
    await this.drop(letters);
    return [...runs.values()];
  }

  async drop(letters: readonly StoredLetter[]): Promise<void> {
    for (const { seq } of letters)
      await this.#manager.streams.deleteMessage(this.#streams.slides.name, seq, false).catch(error => {
        // Somebody else was quicker.
        if (!/not found|no message/i.test((error as Error).message)) throw error;
      });
  }

  async #standing(letter: StoredLetter | Omit<StoredLetter, 'standing'>): Promise<Standing> {
    const { slide, run } = letter.letter;
    const base = baseOf(letter);
    const [opened, aggregate] = await Promise.all([
      this.#newest(this.#streams.slides.name, `${base}.slide.opened.${slide}`),
      this.#newest(this.#streams.latest.name, `${base}.aggregate.${slide}`),
    ]);
    if (opened && opened.run !== run) return 'replaced';
    if (!aggregate || aggregate.run !== run) return 'open';
    const { patches, provisional } = JSON.parse(new TextDecoder().decode(aggregate.data)) as Aggregate;
    return !provisional && patches.failed === 0 ? 'whole' : 'open';
  }

  async #newest(stream: string, subject: string): Promise<{ run: string; data: Uint8Array } | undefined> {
    try {
      const message = await this.#manager.streams.getMessage(stream, { last_by_subj: subject });
      return message ? { run: decodePercent(message.header.get('ce-run')), data: message.data } : undefined;
    } catch (error) {
      if ((error as { code?: unknown }).code === NO_MESSAGE) return undefined;
      throw error;
    }
  }
}

/** `<prefix>.<site>.<scanner>` of `….dlq.<stage>.<slide>`. */
const baseOf = ({ subject }: Pick<StoredLetter, 'subject'>): string => subject.split('.').slice(0, -3).join('.');
