import { StromaflowError } from '../../errors.js';
import { chooseLevels } from './choose-levels.js';
import type { Wanted } from './data-set.js';
import { readValues } from './instance.js';
import { readSeries } from './open-dicom.js';
import { TAG } from './tags.js';
import { asNumbers, asText } from './values.js';

/** What a segmentation says of the slide that it is of; no patient attributes. UIDs stay in files for DICOM readers. */
export interface SegmentedSeries {
  readonly study: string;
  readonly series: string;
  readonly frameOfReference: string;
  /** Cosines of rows and columns (PS3.3, C.8.12.4.1.1). */
  readonly orientation: readonly number[];
  /** mm: where the first pixel of the matrix lies on the slide. */
  readonly origin: { readonly x: number; readonly y: number };
  readonly levels: readonly SegmentedLevel[];
}

export interface SegmentedLevel {
  readonly downsample: number;
  /** UIDs of its instances. */
  readonly instances: readonly string[];
}

const SIX = 6;

/**
 * Reads what a segmentation of a DICOM slide must say of it.
 *
 * @throws SLIDE_UNSUPPORTED where the slide leaves out what a segmentation needs; the errors of reading it.
 */
export async function readSegmentedSeries(path: string, signal?: AbortSignal): Promise<SegmentedSeries> {
  const { levels } = chooseLevels(await readSeries(path, signal));
  const [finest] = levels;
  const found = { study: '', orientation: [] as number[], x: Number.NaN, y: Number.NaN };
  const origin: Wanted = {
    values: {
      [TAG.xOffsetInSlideCoordinateSystem]: bytes => {
        found.x = asNumbers(bytes)[0] ?? Number.NaN;
      },
      [TAG.yOffsetInSlideCoordinateSystem]: bytes => {
        found.y = asNumbers(bytes)[0] ?? Number.NaN;
      },
    },
  };
  readValues(finest!.instances[0]!.path, {
    values: {
      [TAG.studyInstanceUid]: bytes => {
        found.study = asText(bytes);
      },
      [TAG.imageOrientationSlide]: bytes => {
        found.orientation = asNumbers(bytes);
      },
    },
    sequences: { [TAG.totalPixelMatrixOriginSequence]: () => origin },
  });
  const { series, frameOfReference } = finest!.instances[0]!.facts;
  const { study, orientation, x, y } = found;
  const isWhole = orientation.length === SIX && Number.isFinite(x) && Number.isFinite(y);
  if (study === '' || series === '' || frameOfReference === '' || !isWhole)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: does not say where on the glass it lies`, {
      fix: 'nothing is written as DICOM segmentation; the other files have the mask',
    });
  return {
    ...{ study, series, frameOfReference, orientation, origin: { x, y } },
    levels: levels.map(({ downsample, instances }) => ({
      downsample,
      instances: instances.map(({ facts }) => facts.instance),
    })),
  };
}
