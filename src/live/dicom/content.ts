import { createHash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import type { DicomGrid, PartList } from '../../slide/dicom/description.js';
import type { DicomInstance } from '../../slide/dicom/instance.js';
import { readBytes } from '../../slide/tiff/probe.js';

/** Frames whose bytes are part of a content's name. */
const SAMPLES = 8;

/**
 * Names what a level shows: the stored lengths of all frames, and the bytes of a few. The same in whatever order its
 * parts came.
 */
export function levelContent({ parts, starts, ends }: DicomGrid, files: PartList): string {
  const digest = createHash('sha256');
  const stored: number[] = [];
  const lengths = Float64Array.from(ends, (end, tile) => (parts[tile]! < 0 ? -1 : end - starts[tile]!));
  digest.update(Buffer.from(lengths.buffer));
  for (let tile = 0; tile < parts.length; tile++) if (parts[tile]! >= 0) stored.push(tile);
  for (const index of samples(stored.length)) {
    const tile = stored[index]!;
    const file = files.at(parts[tile]!);
    // Frames of a deflated data set do not lie in the file.
    if (!file || file.deflatedFrom !== undefined) continue;
    digest.update(bytesAt(file.path, starts[tile]!, lengths[tile]!));
  }
  return digest.digest('hex').slice(0, 32);
}

/** Tells an instance from another one that is written in its place. */
export function instanceContent({ path, facts, syntax, frames }: DicomInstance): string {
  const { starts, ends } = frames;
  const digest = createHash('sha256').update(`${facts.instance}\n`);
  // Where they lie counts too: readers know frames by their place.
  for (const places of [starts, ends]) digest.update(new Uint8Array(places.buffer));
  if (!syntax.deflated)
    for (const frame of samples(starts.length))
      digest.update(bytesAt(path, starts[frame]!, ends[frame]! - starts[frame]!));
  return digest.digest('hex').slice(0, 32);
}

/** A few of so many, spread over all. */
const samples = (count: number): number[] => {
  const taken = Math.min(SAMPLES, count);
  return Array.from({ length: taken }, (_, sample) => Math.floor((sample * count) / taken));
};

export function bytesAt(path: string, start: number, length: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    return readBytes(fd, start, length);
  } finally {
    closeSync(fd);
  }
}
