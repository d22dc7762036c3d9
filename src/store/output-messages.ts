import type { WireError } from '../errors.js';
import type { PatchRecord } from '../read/patch.js';
import type { SegmentedSeries } from './dicom-seg.js';
import type { ResumedPatches, SlideFilesOptions } from './slide-files.js';
import type { SlideSummary } from './summary.js';

/** What the main thread asks of the output thread, several in a message; answered in order, each request once. */
export type OutputRequest =
  | { readonly op: 'open'; readonly options: SlideFilesOptions }
  | { readonly op: 'resume'; readonly records: readonly PatchRecord[] }
  | {
      readonly op: 'patch';
      readonly record: PatchRecord;
      readonly bits?: Uint8Array;
      readonly probabilities?: Uint8Array;
    }
  | {
      readonly op: 'finish';
      readonly summary: SlideSummary;
      readonly dicomSeg?: SegmentedSeries;
      readonly askedAt: number;
    }
  | { readonly op: 'close' };

export type OutputReply =
  | { readonly error: WireError }
  | { readonly resumed?: ResumedPatches; readonly summary?: SlideSummary; readonly png?: Uint8Array<ArrayBuffer> };
