import { deflateRawSync } from 'node:zlib';
import { element, encapsulatedHead, itemHead, sequence, sequenceEnd, type Vr } from '#src/slide/dicom/elements.js';
import { TAG } from '#src/slide/dicom/tags.js';
import type { Picture } from '../tiff-writer.js';
import { cut } from '../tiff-writer.js';

/** Builds small DICOM whole-slide instances of every kind the reader knows, element by element. */
export interface InstanceOptions {
  readonly picture: Picture;
  readonly tile: readonly [width: number, height: number];
  readonly syntax?: 'native' | 'implicit' | 'deflated' | 'deflated-frames' | 'jpeg' | 'jpeg2000';
  readonly encode?: (tile: Picture) => Buffer;
  readonly photometric?: string;
  readonly planar?: boolean;
  /** Frames by place, in the order of the file; all, row by row, unless given. */
  readonly places?: readonly (readonly [col: number, row: number])[];
  /** 'TILED_FULL' unless given; undefined leaves it out. */
  readonly organisation?: string | undefined;
  readonly table?: 'none' | 'basic' | 'extended';
  /** Fragments a frame is cut into. */
  readonly fragments?: number;
  /** mm; [] leaves it out. */
  readonly spacing?: readonly number[];
  readonly flavour?: string;
  /** Says that a finer level was reduced to it. */
  readonly resampled?: boolean;
  readonly series?: string;
  readonly number?: number;
  /** Written as it is; Pixel Spacing by itself, where it does not belong. */
  readonly straySpacing?: string;
  /** mm: Imaged Volume Width and Height. */
  readonly volume?: readonly [width: number, height: number];
  /** Z offset in the Total Pixel Matrix Origin Sequence. */
  readonly depth?: number;
  /** Z offset of each frame of `places`. */
  readonly depths?: readonly number[];
  /** Light paths by their identifiers; of transmitted light those that begin with B. */
  readonly paths?: readonly string[];
  /** The path of each frame of `places`. */
  readonly framePaths?: readonly string[];
  readonly concatenation?: { readonly part: number; readonly parts: number; readonly before: number };
  /** Sequences of undefined length around the functional groups. */
  readonly undefinedLengths?: boolean;
  /** More elements by tag, put in their place. */
  readonly extra?: readonly (readonly [tag: number, vr: Vr, value: string | number])[];
  readonly sopClass?: string;
  readonly transferSyntax?: string;
}

const SYNTAX = {
  native: '1.2.840.10008.1.2.1',
  implicit: '1.2.840.10008.1.2',
  deflated: '1.2.840.10008.1.2.1.99',
  'deflated-frames': '1.2.840.10008.1.2.8.1',
  jpeg: '1.2.840.10008.1.2.4.50',
  jpeg2000: '1.2.840.10008.1.2.4.90',
} as const;

const ENCAPSULATED = new Set(['jpeg', 'jpeg2000', 'deflated-frames']);

export function writeInstance(options: InstanceOptions): Buffer {
  const { syntax = 'native', sopClass = '1.2.840.10008.5.1.4.1.1.77.1.6' } = options;
  const meta = Buffer.concat([
    element(TAG.fileMetaInformationVersion, 'OB', Buffer.from([0, 1])),
    element(TAG.mediaStorageSopClassUid, 'UI', sopClass),
    element(TAG.transferSyntaxUid, 'UI', options.transferSyntax ?? SYNTAX[syntax]),
  ]);
  const head = [
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(TAG.fileMetaInformationGroupLength, 'UL', meta.length),
    meta,
  ];
  const data = dataSet(options, sopClass);
  if (syntax === 'implicit') return Buffer.concat([...head, asImplicit(data)]);
  return Buffer.concat([...head, syntax === 'deflated' ? deflateRawSync(data) : data]);
}

function dataSet(options: InstanceOptions, sopClass: string): Buffer {
  const { picture, tile, syntax = 'native', concatenation, spacing = [0.0005, 0.0005], planar = false } = options;
  const cols = Math.ceil(picture.width / tile[0]);
  const rows = Math.ceil(picture.height / tile[1]);
  const places =
    options.places ?? Array.from({ length: cols * rows }, (_, i) => [i % cols, Math.floor(i / cols)] as const);
  const organisation = 'organisation' in options ? options.organisation : 'TILED_FULL';
  const frames = places.map(([col, row]) => encodeFrame(options, cut(picture, col * tile[0], row * tile[1], ...tile)));
  const measures =
    spacing.length > 0
      ? [sequence(TAG.pixelMeasuresSequence, [element(TAG.pixelSpacing, 'DS', spacing.join('\\'))])]
      : [];
  const shared = sequence(TAG.sharedFunctionalGroupsSequence, measures);
  const positions = places.map(([col, row], frame) => [
    sequence(TAG.planePositionSlideSequence, [
      ...(options.depths ? [element(TAG.zOffsetInSlideCoordinateSystem, 'DS', String(options.depths[frame]))] : []),
      element(TAG.columnPositionInTotalImagePixelMatrix, 'SL', col * tile[0] + 1),
      element(TAG.rowPositionInTotalImagePixelMatrix, 'SL', row * tile[1] + 1),
    ]),
    ...(options.framePaths
      ? [
          sequence(TAG.opticalPathIdentificationSequence, [
            element(TAG.opticalPathIdentifier, 'SH', options.framePaths[frame]!),
          ]),
        ]
      : []),
  ]);
  const elements: (readonly [tag: number, bytes: Buffer])[] = [
    [
      TAG.imageType,
      element(
        TAG.imageType,
        'CS',
        `ORIGINAL\\PRIMARY\\${options.flavour ?? 'VOLUME'}\\${options.resampled ? 'RESAMPLED' : 'NONE'}`,
      ),
    ],
    [TAG.sopClassUid, element(TAG.sopClassUid, 'UI', sopClass)],
    [TAG.seriesInstanceUid, element(TAG.seriesInstanceUid, 'UI', options.series ?? '1.2.3')],
    [TAG.instanceNumber, element(TAG.instanceNumber, 'IS', String(options.number ?? 1))],
    [TAG.samplesPerPixel, element(TAG.samplesPerPixel, 'US', picture.samples)],
    [
      TAG.photometricInterpretation,
      element(
        TAG.photometricInterpretation,
        'CS',
        options.photometric ?? (picture.samples === 1 ? 'MONOCHROME2' : syntax === 'jpeg' ? 'YBR_FULL_422' : 'RGB'),
      ),
    ],
    [TAG.planarConfiguration, element(TAG.planarConfiguration, 'US', planar ? 1 : 0)],
    [TAG.numberOfFrames, element(TAG.numberOfFrames, 'IS', String(frames.length))],
    [TAG.rows, element(TAG.rows, 'US', tile[1])],
    [TAG.columns, element(TAG.columns, 'US', tile[0])],
    [TAG.bitsAllocated, element(TAG.bitsAllocated, 'US', 8)],
    [TAG.pixelRepresentation, element(TAG.pixelRepresentation, 'US', 0)],
    [TAG.totalPixelMatrixColumns, element(TAG.totalPixelMatrixColumns, 'UL', picture.width)],
    [TAG.totalPixelMatrixRows, element(TAG.totalPixelMatrixRows, 'UL', picture.height)],
    [TAG.sharedFunctionalGroupsSequence, options.undefinedLengths ? openEnded(shared) : shared],
    ...(options.straySpacing
      ? [[TAG.pixelSpacing, element(TAG.pixelSpacing, 'DS', options.straySpacing)] as const]
      : []),
    ...(options.volume ?? []).map((size, axis) => {
      const tag = axis === 0 ? TAG.imagedVolumeWidth : TAG.imagedVolumeHeight;
      return [tag, element(tag, 'FL', size)] as const;
    }),
    ...(options.depth === undefined ? [] : [[TAG.totalPixelMatrixOriginSequence, originAt(options.depth)] as const]),
    ...(options.paths ? [[TAG.opticalPathSequence, lightPaths(options.paths)] as const] : []),
    ...(options.extra ?? []).map(([tag, vr, value]) => [tag, element(tag, vr, value)] as const),
  ];
  if (organisation !== undefined)
    elements.push([TAG.dimensionOrganizationType, element(TAG.dimensionOrganizationType, 'CS', organisation)]);
  if (concatenation) {
    elements.push([TAG.concatenationUid, element(TAG.concatenationUid, 'UI', '1.2.3.4')]);
    elements.push([TAG.inConcatenationNumber, element(TAG.inConcatenationNumber, 'US', concatenation.part)]);
    elements.push([TAG.inConcatenationTotalNumber, element(TAG.inConcatenationTotalNumber, 'US', concatenation.parts)]);
    elements.push([
      TAG.concatenationFrameOffsetNumber,
      element(TAG.concatenationFrameOffsetNumber, 'UL', concatenation.before),
    ]);
  }
  if (organisation === 'TILED_SPARSE') {
    const groups = sequence(TAG.perFrameFunctionalGroupsSequence, ...positions);
    elements.push([TAG.perFrameFunctionalGroupsSequence, options.undefinedLengths ? openEnded(groups) : groups]);
  }
  elements.sort((a, b) => a[0] - b[0]);
  return Buffer.concat([...elements.map(([, bytes]) => bytes), pixelData(options, frames)]);
}

const originAt = (depth: number): Buffer =>
  sequence(TAG.totalPixelMatrixOriginSequence, [
    element(TAG.xOffsetInSlideCoordinateSystem, 'DS', '0'),
    element(TAG.zOffsetInSlideCoordinateSystem, 'DS', String(depth)),
  ]);

const lightPaths = (paths: readonly string[]): Buffer =>
  sequence(
    TAG.opticalPathSequence,
    ...paths.map(id => [
      sequence(TAG.illuminationTypeCodeSequence, [
        element(TAG.codeValue, 'SH', id.startsWith('B') ? '111744' : '111741'),
      ]),
      element(TAG.opticalPathIdentifier, 'SH', id),
    ]),
  );

function encodeFrame({ syntax, planar, encode }: InstanceOptions, tile: Picture): Buffer {
  if (encode) return encode(tile);
  const data = Buffer.from(tile.data);
  if (syntax === 'deflated-frames') return deflateRawSync(data);
  if (!planar) return data;
  const pixels = tile.width * tile.height;
  return Buffer.from(data.map((_, i) => data[(i % pixels) * 3 + Math.floor(i / pixels)]!));
}

function pixelData(options: InstanceOptions, frames: readonly Buffer[]): Buffer {
  const { syntax = 'native', table = 'basic', fragments = 1 } = options;
  if (!ENCAPSULATED.has(syntax)) return element(TAG.pixelData, 'OB', Buffer.concat(frames));
  const starts: number[] = [];
  const items: Buffer[] = [];
  let at = 0;
  for (const frame of frames) {
    starts.push(at);
    const size = Math.ceil(frame.length / fragments / 2) * 2;
    for (let from = 0; from < frame.length; from += size) {
      const part = frame.subarray(from, from + size);
      const padding = part.length % 2;
      const item = Buffer.concat([itemHead(part.length + padding), part, Buffer.alloc(padding)]);
      items.push(item);
      at += item.length;
    }
  }
  const basic = Buffer.from(Uint32Array.from(table === 'basic' ? starts : []).buffer);
  const wide = (values: readonly number[]) => Buffer.from(BigUint64Array.from(values, BigInt).buffer);
  const extended =
    table === 'extended'
      ? [
          element(TAG.extendedOffsetTable, 'OB', wide(starts)),
          element(TAG.extendedOffsetTableLengths, 'OB', wide(frames.map(({ length }) => length))),
        ]
      : [];
  return Buffer.concat([...extended, encapsulatedHead(), itemHead(basic.length), basic, ...items, sequenceEnd()]);
}

/** A sequence and its items with delimiters instead of lengths. */
function openEnded(bytes: Buffer): Buffer {
  const head = Buffer.from(bytes.subarray(0, 12));
  head.writeUInt32LE(0xffffffff, 8);
  const parts: Buffer[] = [head];
  for (let at = 12; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    const item = Buffer.from(bytes.subarray(at, at + 8));
    item.writeUInt32LE(0xffffffff, 4);
    parts.push(item, bytes.subarray(at + 8, at + 8 + length), Buffer.from('feff0de000000000', 'hex'));
    at += 8 + length;
  }
  return Buffer.concat([...parts, sequenceEnd()]);
}

const LONG = new Set(['OB', 'SQ']);

/** The same data set without value representations. */
function asImplicit(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; ) {
    const vr = data.toString('latin1', at + 4, at + 6);
    const long = LONG.has(vr);
    const length = long ? data.readUInt32LE(at + 8) : data.readUInt16LE(at + 6);
    const from = at + (long ? 12 : 8);
    let value = data.subarray(from, from + length);
    if (vr === 'SQ') {
      const items: Buffer[] = [];
      for (let item = 0; item < value.length; ) {
        const size = value.readUInt32LE(item + 4);
        const inner = asImplicit(value.subarray(item + 8, item + 8 + size));
        items.push(itemHead(inner.length), inner);
        item += 8 + size;
      }
      value = Buffer.concat(items);
    }
    const size = Buffer.alloc(4);
    size.writeUInt32LE(value.length);
    parts.push(data.subarray(at, at + 4), size, value);
    at = from + length;
  }
  return Buffer.concat(parts);
}
