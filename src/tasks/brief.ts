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

/** Puts it together. @throws EVENT_INVALID */
export function readBrief(parts: readonly Uint8Array[]): Brief {
  try {
    return unpackBrief(inflateSync(Buffer.concat(parts)));
  } catch (cause) {
    throw new StromaflowError('EVENT_INVALID', 'the brief of a slide cannot be read', {
      cause,
      fix: 'run workers on the versions of Stromaflow and Node that ingest runs on',
    });
  }
}

export const unpackBrief = (packed: Uint8Array): Brief => deserialize(packed) as Brief;

/** The same with its folder elsewhere. */
export function mountBrief(brief: Brief, mounted: string | undefined): Brief {
  const { root } = brief;
  if (mounted === undefined || mounted === root) return brief;
  const place = (path: string): string =>
    path === root || path.startsWith(`${root}/`) ? mounted + path.slice(root.length) : path;
  return { ...brief, info: movePaths(brief.info, place), source: movePaths(brief.source, place) };
}

/** The same with every text in it that may be a path elsewhere. */
export function movePaths<T>(value: T, place: (path: string) => string): T {
  const moved = (part: unknown): unknown => {
    if (typeof part === 'string') return part.startsWith('/') ? place(part) : part;
    if (Array.isArray(part)) return part.map(moved);
    if (part instanceof Map) return new Map([...part].map(([key, item]) => [moved(key), moved(item)]));
    const isPlain = typeof part === 'object' && part !== null && Object.getPrototypeOf(part) === Object.prototype;
    return isPlain ? Object.fromEntries(Object.entries(part).map(([key, item]) => [key, moved(item)])) : part;
  };
  return moved(value) as T;
}
