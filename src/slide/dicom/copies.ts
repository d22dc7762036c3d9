import { closeSync, openSync } from 'node:fs';
import type { SlideNote } from '../note.js';
import { readBytes } from '../tiff/probe.js';
import type { Copy } from './images.js';
import type { DicomInstance, InstanceHeader } from './instance.js';

/** Frames that are compared: of a large file some, spread over all. */
const COMPARED = 64;

/** What files of one UID are to each other, once their frames are known. */
export function copyNotes(copies: readonly Copy<DicomInstance>[], named: string): SlideNote[] {
  const same = copies.filter(({ read, copy }) => hasSameFrames(read, copy));
  const others = copies.filter(copy => !same.includes(copy));
  return [
    ...note(same, 'the SOP Instance UID and the frames of another: a copy, not read'),
    ...note(
      others.filter(({ read }) => read.path === named),
      'the SOP Instance UID of the one that was named, and other pixels: not read',
    ),
    ...note(
      others.filter(({ read }) => read.path !== named),
      'the SOP Instance UID of another, and other pixels: the first by name is read; name the one that is meant',
    ),
  ];
}

/** The same before all frames are there. */
export const headerCopyNotes = (copies: readonly Copy<InstanceHeader>[]): SlideNote[] =>
  note(copies, 'the SOP Instance UID of another: the first by name is read');

const note = ({ length }: readonly unknown[], what: string): SlideNote[] =>
  length === 0
    ? []
    : [{ code: 'instance-left-out', message: `${length} ${length === 1 ? 'file has' : 'files have'} ${what}` }];

function hasSameFrames(one: DicomInstance, other: DicomInstance): boolean {
  const count = one.frames.starts.length;
  if (other.frames.starts.length !== count || count === 0) return false;
  const lengths = ({ frames }: DicomInstance) => frames.ends.map((end, frame) => end - frames.starts[frame]!);
  const [here, there] = [lengths(one), lengths(other)];
  if (!here.every((length, frame) => length === there[frame])) return false;
  // Frames of a deflated data set do not lie in the file.
  if (one.syntax.deflated || other.syntax.deflated) return one.size === other.size;
  const compared = Math.min(COMPARED, count);
  return Array.from({ length: compared }, (_, i) => Math.floor((i * count) / compared)).every(frame =>
    frameBytes(one, frame).equals(frameBytes(other, frame)),
  );
}

function frameBytes({ path, frames }: DicomInstance, frame: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    return readBytes(fd, frames.starts[frame]!, frames.ends[frame]! - frames.starts[frame]!);
  } finally {
    closeSync(fd);
  }
}
