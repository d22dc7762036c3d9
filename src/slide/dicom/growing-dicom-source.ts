import type { DicomLevel } from './description.js';
import { DicomSource } from './dicom-source.js';
import { PartTable, type SharedPartTable } from './part-table.js';

export const GROWING_DICOM_KIND = 'growing-dicom';

/** Description of a DICOM slide whose parts still come. A type, so that it fits TileSourceDescription. */
export type GrowingDicomDescription = {
  readonly kind: typeof GROWING_DICOM_KIND;
  readonly path: string;
  readonly parts: SharedPartTable;
  readonly levels: readonly DicomLevel[];
};

/** Reads the frames of a growing slide: the parts that came after it was opened too. */
export const openGrowingDicomSource = ({ levels, parts }: GrowingDicomDescription): Promise<DicomSource> =>
  DicomSource.open({ levels, files: new PartTable(parts) });
