import { deserialize, serialize } from 'node:v8';
import { deflateSync, inflateSync } from 'node:zlib';
import { StromaflowError } from '../errors.js';
import type { BusEvent } from '../event/bus.js';
import type { PatchPlan } from '../read/patch.js';
import type { TissueRule } from '../read/tissue.js';
import type { SlideInfo, TileSourceDescription } from '../slide/slide.js';
import { event, type WorkSubjects } from './task.js';

/** All that a worker must know of a slide to read its patches: what reader threads are given. */
export interface Brief {
  readonly info: SlideInfo;
  readonly source: TileSourceDescription;
  readonly plan: PatchPlan;
  readonly rule: TissueRule | null;
  /** The folder that the slide was found in; a worker may have it elsewhere. */
  readonly root: string;
}

const PART_BYTES = 500_000;

/** The brief as it travels; equal briefs are equal bytes. */
export const packBrief = (brief: Brief): Buffer => serialize(brief);

/** A packed brief as messages, its parts in order. */
export function briefEvents(
  subjects: WorkSubjects,
  { slide, run, version }: { readonly slide: string; readonly run: string; readonly version: number },
  brief: Buffer,
): BusEvent[] {
  const packed = deflateSync(brief, { level: 1 });
  const parts = Math.max(1, Math.ceil(packed.length / PART_BYTES));
  return Array.from({ length: parts }, (_, part) =>
    event(subjects.brief(slide, run, version, part), subjects.source, 'brief', {
      id: `${slide}@${run}/brief/${version}/${part}`,
      slide,
      run,
      data: new Uint8Array(packed.subarray(part * PART_BYTES, (part + 1) * PART_BYTES)),
    }),
  );
}

/** Puts it together, its paths below `mounted` where that is given. */
export function readBrief(parts: readonly Uint8Array[], mounted: string | undefined): Brief {
  let brief: Brief;
  try {
    brief = deserialize(inflateSync(Buffer.concat(parts))) as Brief;
  } catch (cause) {
    throw new StromaflowError('EVENT_INVALID', 'the brief of a slide cannot be read', {
      cause,
      fix: 'run workers on the versions of Stromaflow and Node that ingest runs on',
    });
  }
  if (mounted === undefined || mounted === brief.root) return brief;
  const { root } = brief;
  const moved = (value: unknown): unknown => {
    if (typeof value === 'string')
      return value === root || value.startsWith(`${root}/`) ? mounted + value.slice(root.length) : value;
    if (Array.isArray(value)) return value.map(moved);
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [moved(key), moved(item)]));
    const isPlain = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
    return isPlain ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, moved(item)])) : value;
  };
  return { ...brief, info: moved(brief.info) as SlideInfo, source: moved(brief.source) as TileSourceDescription };
}
