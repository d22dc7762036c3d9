import type { ServingModel } from '#src/engine/model-switch.js';
import type { BusEvent, EventBus } from '#src/event/bus.js';
import { createEvents } from '#src/event/contract.js';
import { decodeEvent } from '#src/event/decode.js';
import type { PatchRecord } from '#src/read/patch.js';
import type { InferredPatch, SettledPatch } from '#src/stage/item.js';
import { SlideSession } from '#src/stage/session.js';
import type { SessionParts } from '#src/stage/session-parts.js';
import type { RunLedger } from '#src/store/ledger.js';
import { createMemoryLedger } from '#src/store/memory-ledger.js';
import { maskedSlide } from '../store/slide-fixture.js';

/** 3 × 2 patches of 64 px, of which the last column and row are cut. */
export const SLIDE = maskedSlide({ width: 150, height: 100 });

export const ENGINE = { model: 'test', modelVersion: '1', batch: 4, lanes: 1 };
export const EVENTS = createEvents({ site: 'here', scanner: 'one' });

/** A slide on its way through the graph; `log` has what its parts were asked for, in order. */
export async function sessionOf(parts: Partial<SessionParts> = {}, records: readonly PatchRecord[] = []) {
  const log: string[] = [];
  const key = { slide: SLIDE.info.id, fingerprint: 'f1', modelVersion: '1', plan: 'p' };
  const run = await createMemoryLedger().run(key);
  for (const record of records) await run.record(record);
  const noted: RunLedger = {
    get state() {
      return run.state;
    },
    fingerprint: run.fingerprint,
    records: () => run.records(),
    get: (level, col, row) => run.get(level, col, row),
    record: async record => {
      log.push(`record ${record.col},${record.row}`);
      await run.record(record);
    },
    update: async state => {
      log.push(`update ${state.revision}`);
      await run.update(state);
    },
  };
  const note = (what: string) => async () => void log.push(what);
  const session = new SlideSession({
    slide: SLIDE.info,
    plan: SLIDE.plan,
    reader: {
      read: async () => ({ outcome: 'tissue', validPixels: 9, tissuePixels: 5, seconds: 0 }),
      openings: 1,
      reopen: note('reader opened again'),
      close: note('reader closed'),
    },
    output: {
      folder: '/out',
      unpainted: [],
      patch: async ({ col, row }) => void log.push(`stored ${col},${row}`),
      resume: async () => [],
      finish: async summary => summary,
      close: note('output closed'),
    },
    run: noted,
    runToken: 'abc',
    events: EVENTS,
    model: { model: { members: [] }, segmenter: { info: ENGINE } } as unknown as ServingModel,
    ...parts,
  });
  return { session, log, run };
}

export type Session = Awaited<ReturnType<typeof sessionOf>>['session'];

/** A patch that the engine has seen: its mask is what the slide's picture has there. */
export function inferred(session: Session, index: number, more: Partial<InferredPatch> = {}): InferredPatch {
  const { ref } = SLIDE.patches[index]!;
  return {
    ...{ session, ref, slot: index, dueAt: performance.now() },
    read: { outcome: 'tissue', validPixels: 9, tissuePixels: 5, seconds: 0 },
    inferred: { bits: new Uint8Array(512).fill(0xff) },
    ...more,
  };
}

/** A patch with an outcome. */
export function settled(session: Session, index: number, more: Partial<SettledPatch> = {}): SettledPatch {
  const { ref, record, mask } = SLIDE.patches[index]!;
  return { session, ref, slot: index, dueAt: performance.now(), record, ...(mask && { mask }), ...more };
}

/** A bus that keeps what it takes, or takes nothing. */
export function busOf(log: string[] = [], failure?: Error) {
  const events: BusEvent[] = [];
  const bus: EventBus = {
    description: 'a test',
    connected: true,
    publish: async event => {
      if (failure) throw failure;
      log.push(`published ${event.type.split('.')[1]}`);
      events.push(event);
    },
    subscribe: () => {
      throw new Error('nobody subscribes');
    },
    close: async () => undefined,
  };
  return { bus, events, decoded: () => events.map(event => decodeEvent(event)!) };
}
