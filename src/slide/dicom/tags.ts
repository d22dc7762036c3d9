/**
 * Attributes that are read or written, by their keywords (DICOM PS3.6 and PS3.7): (gggg,eeee) is 0xgggg_eeee. The one list
 * for the reader and the simulator.
 */
export const TAG = {
  // File meta information.
  fileMetaInformationGroupLength: 0x0002_0000,
  fileMetaInformationVersion: 0x0002_0001,
  mediaStorageSopClassUid: 0x0002_0002,
  mediaStorageSopInstanceUid: 0x0002_0003,
  transferSyntaxUid: 0x0002_0010,
  implementationClassUid: 0x0002_0012,

  // What the object is, and of which series.
  imageType: 0x0008_0008,
  sopClassUid: 0x0008_0016,
  sopInstanceUid: 0x0008_0018,
  pyramidUid: 0x0008_0019,
  modality: 0x0008_0060,
  codeValue: 0x0008_0100,
  manufacturerModelName: 0x0008_1090,
  sliceThickness: 0x0018_0050,
  studyInstanceUid: 0x0020_000d,
  seriesInstanceUid: 0x0020_000e,
  instanceNumber: 0x0020_0013,
  frameOfReferenceUid: 0x0020_0052,
  sopInstanceUidOfConcatenationSource: 0x0020_0242,

  // Parts of a level, and the order of its frames.
  concatenationUid: 0x0020_9161,
  inConcatenationNumber: 0x0020_9162,
  inConcatenationTotalNumber: 0x0020_9163,
  concatenationFrameOffsetNumber: 0x0020_9228,
  dimensionOrganizationType: 0x0020_9311,

  // Pixels of a frame.
  samplesPerPixel: 0x0028_0002,
  photometricInterpretation: 0x0028_0004,
  planarConfiguration: 0x0028_0006,
  numberOfFrames: 0x0028_0008,
  rows: 0x0028_0010,
  columns: 0x0028_0011,
  pixelSpacing: 0x0028_0030,
  bitsAllocated: 0x0028_0100,
  bitsStored: 0x0028_0101,
  highBit: 0x0028_0102,
  pixelRepresentation: 0x0028_0103,
  iccProfile: 0x0028_2000,
  lossyImageCompression: 0x0028_2110,
  pixelMeasuresSequence: 0x0028_9110,

  // The whole slide.
  illuminationTypeCodeSequence: 0x0022_0016,
  xOffsetInSlideCoordinateSystem: 0x0040_072a,
  yOffsetInSlideCoordinateSystem: 0x0040_073a,
  zOffsetInSlideCoordinateSystem: 0x0040_074a,
  imagedVolumeWidth: 0x0048_0001,
  imagedVolumeHeight: 0x0048_0002,
  totalPixelMatrixColumns: 0x0048_0006,
  totalPixelMatrixRows: 0x0048_0007,
  totalPixelMatrixOriginSequence: 0x0048_0008,
  imageOrientationSlide: 0x0048_0102,
  opticalPathSequence: 0x0048_0105,
  opticalPathIdentifier: 0x0048_0106,
  objectiveLensPower: 0x0048_0112,
  planePositionSlideSequence: 0x0048_021a,
  columnPositionInTotalImagePixelMatrix: 0x0048_021e,
  rowPositionInTotalImagePixelMatrix: 0x0048_021f,
  opticalPathIdentificationSequence: 0x0048_0207,
  numberOfOpticalPaths: 0x0048_0302,
  totalPixelMatrixFocalPlanes: 0x0048_0303,
  sharedFunctionalGroupsSequence: 0x5200_9229,
  perFrameFunctionalGroupsSequence: 0x5200_9230,

  // Frames, and what stands between them (PS3.5, 7.5 and A.4).
  extendedOffsetTable: 0x7fe0_0001,
  extendedOffsetTableLengths: 0x7fe0_0002,
  pixelData: 0x7fe0_0010,
  item: 0xfffe_e000,
  itemDelimitationItem: 0xfffe_e00d,
  sequenceDelimitationItem: 0xfffe_e0dd,
} as const;
