import { closeSync, openSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { COMPRESSION } from '../../codec/tile-coding.js';
import type { DicomInstance } from '../../slide/dicom/instance.js';
import { readBytes } from '../../slide/tiff/probe.js';
import { checkTile, type TileCheck } from '../tile-bytes.js';

const ITEM_HEADER = 8;
/** Frames looked at without giving anything else a turn. */
const FRAMES_A_TURN = 1024;
/** (FFFE,E000) as it stands in a file. */
const ITEM_TAG = 0xe000_fffe;

const CODING = {
  jpeg: COMPRESSION.jpeg,
  jpeg2000: COMPRESSION.j2kRgb,
  deflate: COMPRESSION.deflate,
  none: COMPRESSION.none,
} as const;

export type FrameCheck = TileCheck | 'blank';

/**
 * Looks whether the bytes of all frames have arrived. Tables and the end of a file say where frames lie; a share that
 * reserves the file, or writes it out of order, shows zeros where they will be. 'no': there is room for a frame, and no
 * frame. 'blank': a frame is zeros where nothing is coded, so that it will never come to be there if nobody writes any more.
 * 'doubtful': a frame does not begin and end as its coding wants.
 */
export async function checkFrames({ path, syntax, frames }: DicomInstance): Promise<FrameCheck> {
  // What could be inflated is whole.
  if (syntax.deflated) return 'ready';
  const fd = openSync(path, 'r');
  try {
    let found: FrameCheck = 'ready';
    for (const [frame, start] of frames.starts.entries()) {
      if (frame % FRAMES_A_TURN === FRAMES_A_TURN - 1) await setImmediate();
      const length = frames.ends[frame]! - start;
      const check = syntax.encapsulated
        ? checkItem(fd, start, length, CODING[syntax.codec])
        : checkTile(fd, start, length, CODING.none);
      if (check === 'no') return syntax.encapsulated ? 'no' : 'blank';
      if (check !== 'ready') found = 'doubtful';
    }
    return found;
  } finally {
    closeSync(fd);
  }
}

function checkItem(fd: number, start: number, length: number, coding: number): TileCheck {
  if (length <= ITEM_HEADER || readBytes(fd, start, 4).readUInt32LE() !== ITEM_TAG) return 'no';
  return checkTile(fd, start + ITEM_HEADER, length - ITEM_HEADER, coding);
}
