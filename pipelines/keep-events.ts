import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { StromaflowError, toStromaflowError } from '../src/errors.js';
import type { BusEvent } from '../src/event/bus.js';
import { createEvents, maskId } from '../src/event/contract.js';
import type { KeptEvents, StreamMark } from '../src/event/stream/kept-events.js';
import { streamLayouts } from '../src/event/stream/layout.js';
import { unescapeToken } from '../src/event/subjects.js';
import { encodeMaskPng } from '../src/mask/png.js';
import type { PatchRecord } from '../src/read/patch.js';
import { patchRef } from '../src/read/plan.js';
import type { RunLedger, Said, SaidEvent } from '../src/store/ledger.js';
import { readMask } from '../src/store/zarr.js';
import type { Parts } from './parts.js';

type KeepingParts = Pick<Parts, 'bus' | 'ledger' | 'config'>;

/** What was found missing in the streams and published again. */
export interface Kept {
  readonly slides: number;
  readonly masks: number;
  /** Openings, aggregates and endings. */
  readonly others: number;
  /** Masks that could not be published again: their files are gone or damaged. */
  readonly lost: number;
}

const NOTHING: Kept = { slides: 0, masks: 0, others: 0, lost: 0 };

/**
 * The ledger is the truth, a stream is not: a server acknowledges what is not on its disk yet. At the start, and whenever the server
 * was away, compares the streams with the ledger and publishes again what they lack, under the same ids. Does nothing over
 * a bus that keeps nothing.
 */
export function keepEvents(
  parts: KeepingParts,
  {
    onKept = () => undefined,
    onError = () => undefined,
  }: {
    readonly onKept?: (kept: Kept) => void;
    readonly onError?: (error: StromaflowError) => void;
  } = {},
): Keeping {
  const { kept } = parts.bus;
  if (!kept) return { compared: Promise.resolve(), settled: async () => undefined, stop: async () => undefined };
  const stop = new AbortController();
  let work: Promise<void> = Promise.resolve();
  const look = (): void => {
    work = work.then(async () => {
      if (stop.signal.aborted) return;
      try {
        const done = await publishMissing(parts, stop.signal);
        if (done.masks + done.others + done.lost > 0) onKept(done);
      } catch (error) {
        if (!stop.signal.aborted && parts.bus.connected) onError(toStromaflowError(error, 'EVENTS_STREAM'));
      }
    });
  };
  const forget = kept.onRestored(look);
  look();
  return {
    compared: work,
    async settled() {
      // One may begin while another is waited for.
      for (let last: Promise<void> | undefined; last !== work && !stop.signal.aborted; ) {
        last = work;
        await last;
      }
    },
    async stop() {
      stop.abort(new StromaflowError('INTERRUPTED', 'the comparison of the streams with the ledger was ended'));
      forget();
      await work;
    },
  };
}

export interface Keeping {
  /** Resolves after the first comparison, whatever came of it. */
  readonly compared: Promise<void>;
  /** Resolves when no comparison is under way: what was found missing is published. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** Compares what is known to have been published with what the streams have, and publishes what they lack. */
export async function publishMissing(parts: KeepingParts, stop: AbortSignal): Promise<Kept> {
  const { bus, ledger } = parts;
  const signal = AbortSignal.any([stop]);
  setMaxListeners(0, signal);
  const { kept } = bus;
  if (!kept) return NOTHING;
  const runs = [...ledger.runs()].filter(({ run }) => run.state.said !== undefined);
  const known = [...kept.marks(), ...runs.flatMap(({ run }) => run.state.said?.marks ?? [])];
  const lost = await lostStreams(kept, known);
  let total = NOTHING;
  for (const { slide, run } of runs) {
    signal.throwIfAborted();
    const { said, state } = run.state;
    // Nobody wrote down how far an open run got.
    const isUnsure = state === 'open';
    if (!said || (!isUnsure && lost.size === 0) || isDropped(said, kept)) continue;
    const one = await publishMissingOf({ slide, run, said, lost: isUnsure ? undefined : lost }, parts, kept, signal);
    total = {
      slides: total.slides + (one.masks + one.others > 0 ? 1 : 0),
      masks: total.masks + one.masks,
      others: total.others + one.others,
      lost: total.lost + one.lost,
    };
  }
  return total;
}

/** A stream is a log: where its newest mark stands, so does everything before. */
async function lostStreams(kept: KeptEvents, marks: readonly StreamMark[]): Promise<Set<string>> {
  const newest = new Map<string, StreamMark>();
  for (const mark of marks) {
    const other = newest.get(mark.stream);
    const isNewer = !other || mark.created > other.created || (mark.created === other.created && mark.seq > other.seq);
    if (isNewer) newest.set(mark.stream, mark);
  }
  const lost = new Set<string>();
  for (const mark of newest.values()) if ((await kept.standing(mark)) === 'lost') lost.add(mark.stream);
  return lost;
}

/** The streams let go of it by their own limits. */
const isDropped = ({ opened, ending }: Said, { keepsMs }: KeptEvents): boolean =>
  Date.parse((ending ?? opened).time) < Date.now() - keepsMs;

interface OneRun {
  readonly slide: string;
  readonly run: RunLedger;
  readonly said: Said;
  /** Undefined: all may be. */
  readonly lost: ReadonlySet<string> | undefined;
}

async function publishMissingOf(
  { slide, run, said, lost }: OneRun,
  parts: KeepingParts,
  kept: KeptEvents,
  signal: AbortSignal,
): Promise<Omit<Kept, 'slides'>> {
  const { bus, config } = parts;
  const { masks, latest, slides } = streamLayouts(config.prefix);
  const isDue = ({ name }: { name: string }): boolean => lost?.has(name) ?? true;
  let others = 0;
  const say = async (event: SaidEvent | undefined, due: boolean): Promise<void> => {
    if (!event || !due || (await kept.lastId(event.subject)) === event.id) return;
    await bus.publish(unkept(event), signal);
    others += 1;
  };
  await say(said.opened, isDue(slides));
  const done = isDue(masks) ? await publishMasks({ slide, run, said }, parts, kept, signal) : { masks: 0, lost: 0 };
  await say(said.aggregate, isDue(latest));
  await say(said.ending, isDue(slides));
  return { ...done, others };
}

/** Most masks that wait to be published at once. */
const AT_ONCE = 64;

async function publishMasks(
  { slide, run, said }: Omit<OneRun, 'lost'>,
  { bus, ledger, config }: KeepingParts,
  kept: KeptEvents,
  signal: AbortSignal,
): Promise<{ masks: number; lost: number }> {
  const { plan, model, modelVersion, run: token, opened } = said;
  const [prefix, site, scanner] = originOf(opened.subject);
  const stored = await kept.ids(`${prefix}.${site}.${scanner}.mask.${slide}.*.*`);
  const records = [...run.records()].filter(
    ({ outcome, level, col, row }) =>
      outcome === 'segmented' && !stored.has(maskId({ slide, modelVersion, level, col, row, run: token })),
  );
  let masks = 0;
  let lost = 0;
  const again = async (): Promise<void> => {
    for (let record = records.pop(); record; record = records.pop()) {
      // Another run of the slide has begun meanwhile: these masks are true no more.
      if (ledger.find(slide)?.said !== token) return;
      const event = maskOf(record);
      if (!event) lost += 1;
      else await bus.publish(event, signal);
      if (event) masks += 1;
    }
  };
  const events = createEvents({ prefix, site: unescapeToken(site), scanner: unescapeToken(scanner) });
  const maskOf = (record: PatchRecord): BusEvent | undefined => {
    const bits = readMask(join(config.out, slide), plan, record.col, record.row);
    if (!bits) return undefined;
    const png = encodeMaskPng({ width: plan.core, height: plan.core, bits });
    const ref = patchRef(plan, record.col, record.row);
    return events.mask({ ref, record, png, plan, engine: { model, modelVersion }, run: token });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, again));
  return { masks, lost };
}

/** Prefix, site and scanner as they stand in a subject `<prefix>.<site>.<scanner>.slide.opened.<slide>`. */
function originOf(subject: string): [prefix: string, site: string, scanner: string] {
  const tokens = subject.split('.');
  const [site, scanner] = tokens.slice(-5, -3);
  return [tokens.slice(0, -5).join('.'), site!, scanner!];
}

const unkept = ({ json, ...event }: SaidEvent): BusEvent => ({ ...event, data: new TextEncoder().encode(json) });
