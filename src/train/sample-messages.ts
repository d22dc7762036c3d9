import type { WireError } from '../errors.js';
import type { Augmentation } from './augmentation.js';
import type { PatchFacts, SampleSetting, SampleSource } from './sample-reader.js';

/** What a sample thread is started with. */
export interface SampleData {
  readonly setting: SampleSetting;
  /** Side of a sample in pixels. */
  readonly side: number;
  /** Slots of side × side × 3 bytes of image and side × side of labels, one after the other. */
  readonly shared: SharedArrayBuffer;
}

/** A patch to look at, or to read into a slot. */
export interface SampleJob {
  readonly sample: SampleSource;
  readonly col: number;
  readonly row: number;
  readonly slot?: number;
  readonly change?: Augmentation | undefined;
}

export type SampleRequest = ({ readonly id: number } & SampleJob) | 'end';

export interface SampleReply {
  readonly id: number;
  readonly facts?: PatchFacts;
  readonly error?: WireError;
}

/** Image and labels of a slot. */
export function slotOf(
  shared: SharedArrayBuffer,
  side: number,
  slot: number,
): { image: Uint8Array; labels: Uint8Array } {
  const pixels = side * side;
  const at = slot * pixels * 4;
  return { image: new Uint8Array(shared, at, pixels * 3), labels: new Uint8Array(shared, at + pixels * 3, pixels) };
}
