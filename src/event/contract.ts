import { createHash } from 'node:crypto';
import type { PatchPlan, PatchRecord, PatchRef } from '../read/patch.js';
import type { RunKey } from '../run-key.js';
import type { BusEvent } from './bus.js';
import { EVENT_TYPES } from './event-types.js';
import type { Aggregate, DeadLetter, MaskHeaders, SlidePayloads } from './payloads.js';
import { buildSubject, checkPrefix, DEFAULT_PREFIX, type Origin, type SlideState, type Topic } from './subjects.js';

export { EVENT_TYPES } from './event-types.js';

/**
 * Makes the events of the contract (docs/events.md). An id names an effect, not an attempt: the same patch of the same
 * run has the same id however often it is published, so a stream with a duplicate window, or a subscriber that keys by
 * id, counts it once. The run is part of it because a re-scan of a slide gives other masks for the same places.
 */
export interface Events {
  /** @param content names what a slide without a run holds, as far as it is known: of a failure of other content the id is another. */
  slide<S extends SlideState>(state: S, payload: SlidePayloads[S], content?: string): BusEvent;
  mask(mask: MaskInput): BusEvent;
  aggregate(aggregate: Aggregate, run: string): BusEvent;
  /** @param occasion revision of the run when this start took it up: what failed again later is another letter. */
  dlq(letter: DeadLetter, occasion?: number): BusEvent;
}

export interface MaskInput {
  readonly ref: PatchRef;
  readonly record: PatchRecord;
  /** 1-bit PNG of the patch's core, side × side. */
  readonly png: Uint8Array;
  readonly plan: PatchPlan;
  /** EngineInfo fits. */
  readonly engine: { readonly model: string; readonly modelVersion: string };
  /** `runToken` of the run's key. */
  readonly run: string;
}

export interface EventsOptions extends Origin {
  /** Subject prefix: tokens of [A-Za-z0-9_-] joined by dots. @default 'stroma.v1' */
  readonly prefix?: string;
  /** Clock of `time`. */
  readonly now?: () => Date;
}

/** Short name of a run for ids and headers: 12 hex digits (48 bits) of SHA-256 over its key. */
export function runToken(key: RunKey): string {
  const text = JSON.stringify([key.slide, key.fingerprint, key.modelVersion, key.plan]);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** `name@version`, as aggregates and slide events state the model. */
export const modelTag = (engine: { readonly model: string; readonly modelVersion: string }): string =>
  `${engine.model}@${engine.modelVersion}`;

/** Id of the mask of one patch in one run. */
export const maskId = (of: {
  readonly slide: string;
  readonly modelVersion: string;
  readonly level: number;
  readonly col: number;
  readonly row: number;
  readonly run: string;
}): string => `${of.slide}/${of.modelVersion}/${of.level}/${of.col}/${of.row}@${of.run}`;

/** Throws CONFIG_INVALID on a prefix, site or scanner that cannot stand in a subject. */
export function createEvents(options: EventsOptions): Events {
  const prefix = checkPrefix(options.prefix ?? DEFAULT_PREFIX);
  const now = options.now ?? (() => new Date());
  const source = `/stromaflow/${encodeURIComponent(options.site)}/${encodeURIComponent(options.scanner)}`;

  const event = (
    topic: Topic,
    parts: Pick<BusEvent, 'id' | 'type' | 'contentType' | 'data'> & { extensions: Record<string, string> },
  ): BusEvent => ({ subject: buildSubject(prefix, options, topic), source, time: now().toISOString(), ...parts });

  buildSubject(prefix, options, { kind: 'aggregate', slide: 'check' });

  return {
    slide(state, payload, content = 'none') {
      const { slide } = payload;
      const run = payload.run ?? 'none';
      const occasion = 'error' in payload ? `${payload.error.code}/${content}` : payload.revision;
      const progress = 'fraction' in payload ? `/${payload.fraction}` : '';
      return event(
        { kind: 'slide', state, slide },
        {
          id: `${slide}@${run}/slide/${state}/${occasion}${progress}`,
          type: EVENT_TYPES.slide(state),
          extensions: { slide, run },
          ...json(payload),
        },
      );
    },
    mask(input) {
      const headers = maskHeaders(input);
      const { slide, run, level, col, row } = headers;
      return event(
        { kind: 'mask', slide, col, row },
        {
          id: maskId({ slide, modelVersion: headers.modelversion, level, col, row, run }),
          type: EVENT_TYPES.mask,
          extensions: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
          contentType: 'image/png',
          data: input.png,
        },
      );
    },
    aggregate(aggregate, run) {
      const { slide, revision } = aggregate;
      return event(
        { kind: 'aggregate', slide },
        {
          id: `${slide}@${run}/aggregate/${revision}`,
          type: EVENT_TYPES.aggregate,
          extensions: { slide, run },
          ...json(aggregate),
        },
      );
    },
    dlq(letter, occasion) {
      const { slide, run, stage, patch } = letter;
      const since = occasion === undefined ? '' : `/${occasion}`;
      const place = patch ? `${patch.level}/${patch.col}/${patch.row}` : 'slide';
      return event(
        { kind: 'dlq', stage, slide },
        {
          id: `${slide}@${run}/dlq/${stage}/${place}/${letter.attempts}${since}`,
          type: EVENT_TYPES.dlq(stage),
          extensions: { slide, run },
          ...json(letter),
        },
      );
    },
  };
}

function maskHeaders({ ref, record, plan, engine, run }: MaskInput): MaskHeaders {
  return {
    slide: ref.slide,
    run,
    level: ref.level,
    col: ref.col,
    row: ref.row,
    x: ref.x,
    y: ref.y,
    width: ref.width,
    height: ref.height,
    side: plan.core,
    mpp: plan.mpp,
    downsample: plan.downsample,
    ...(plan.bounds ? { boundsx: plan.bounds.x, boundsy: plan.bounds.y } : {}),
    model: engine.model,
    modelversion: engine.modelVersion,
    stromapixels: record.stromaPixels,
    ...(record.outsidePixels ? { outsidepixels: record.outsidePixels } : {}),
    tissuepixels: record.tissuePixels,
    validpixels: record.validPixels,
    ...(record.missingPixels === undefined ? {} : { missingpixels: record.missingPixels }),
    ...(record.intersection === undefined ? {} : { intersection: record.intersection }),
    ...(record.union === undefined ? {} : { union: record.union }),
  };
}

const json = (payload: object): Pick<BusEvent, 'contentType' | 'data'> => ({
  contentType: 'application/json',
  data: new TextEncoder().encode(JSON.stringify(payload)),
});
