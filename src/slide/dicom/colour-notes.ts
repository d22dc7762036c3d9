import { closeSync, openSync } from 'node:fs';
import { prepareTile } from '../../codec/jpeg/jpeg-stream.js';
import type { SlideNote } from '../note.js';
import { readBytes } from '../tiff/probe.js';
import { CODESTREAM_HEAD, isTransformed } from './codestream.js';
import { joinFragments } from './frames.js';
import type { DicomInstance } from './instance.js';

/**
 * Where the first frame of a level and its Photometric Interpretation say different things of the colours, which one counts. Reads the
 * beginning of a frame each.
 */
export function colourNotes(levels: readonly DicomInstance[]): SlideNote[] {
  const found = new Set(levels.flatMap(level => disagreement(level) ?? []));
  return [...found].map(message => ({ code: 'assumed', message }));
}

function disagreement(level: DicomInstance): string | undefined {
  const { photometric } = level.facts;
  const { codec } = level.syntax;
  if (codec === 'jpeg2000' && photometric !== 'RGB') {
    const head = frameHead(level, CODESTREAM_HEAD);
    const transformed = head && isTransformed(head);
    const isInside = photometric === 'YBR_ICT' || photometric === 'YBR_RCT';
    if (transformed === undefined || transformed === isInside) return undefined;
    return transformed
      ? `the frames hold their own colour transform, though Photometric Interpretation says ${photometric}: they are read as RGB`
      : `the frames hold no colour transform, though Photometric Interpretation says ${photometric}: they are read as YCbCr`;
  }
  if (codec === 'jpeg' && photometric === 'RGB' && level.facts.samplesPerPixel === 3) {
    const head = frameHead(level, Number.POSITIVE_INFINITY);
    if (head && prepareTile(head)?.subsampled)
      return 'the frames hold colour at lower resolution, though Photometric Interpretation says RGB: they are read as YCbCr';
  }
  return undefined;
}

/** A frame as its codec sees it, from its beginning; undefined where it cannot be read. */
function frameHead({ path, syntax, frames, unsupported }: DicomInstance, most: number): Buffer | undefined {
  const [start, end] = [frames.starts[0], frames.ends[0]];
  if (unsupported || syntax.deflated || start === undefined || end === undefined) return undefined;
  const fd = openSync(path, 'r');
  try {
    const length = Math.min(end - start, MOST);
    const bytes = readBytes(fd, start, length);
    if (!syntax.encapsulated) return bytes.subarray(0, most);
    // The first item alone where the frame is longer than what was read.
    return joinFragments(bytes)?.subarray(0, most) ?? bytes.subarray(ITEM_HEADER);
  } finally {
    closeSync(fd);
  }
}

const ITEM_HEADER = 8;
const MOST = 4 * 2 ** 20;
