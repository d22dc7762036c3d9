/** The ways a scanner, or what stands between it and us, brings a slide to disk. */
export const SCAN_WAYS = [
  'rename',
  'growing-tiff',
  'checkpointed-tiff',
  'tile-folder',
  'dicom',
  'ndtiff',
  'copy',
] as const;
export type ScanWay = (typeof SCAN_WAYS)[number];

/** The ways a scanner moves over a slide. */
export const SCAN_ORDERS = ['rows', 'columns', 'stripes', 'random'] as const;
export type ScanOrder = (typeof SCAN_ORDERS)[number];
