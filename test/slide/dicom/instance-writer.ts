import { deflateRawSync } from 'node:zlib';
import { element, encapsulatedHead, itemHead, sequence, sequenceEnd, type Vr } from '#src/simulate/dicom-elements.js';
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
  readonly series?: string;
  readonly number?: number;
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
    element(0x00020001, 'OB', Buffer.from([0, 1])),
    element(0x00020002, 'UI', sopClass),
    element(0x00020010, 'UI', options.transferSyntax ?? SYNTAX[syntax]),
  ]);
  const head = [Buffer.alloc(128), Buffer.from('DICM'), element(0x00020000, 'UL', meta.length), meta];
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
  const measures = spacing.length > 0 ? [sequence(0x00289110, [element(0x00280030, 'DS', spacing.join('\\'))])] : [];
  const shared = sequence(0x52009229, measures);
  const positions = places.map(([col, row]) => [
    sequence(0x0048021a, [element(0x0048021e, 'SL', col * tile[0] + 1), element(0x0048021f, 'SL', row * tile[1] + 1)]),
  ]);
  const elements: (readonly [tag: number, bytes: Buffer])[] = [
    [0x00080008, element(0x00080008, 'CS', `ORIGINAL\\PRIMARY\\${options.flavour ?? 'VOLUME'}\\NONE`)],
    [0x00080016, element(0x00080016, 'UI', sopClass)],
    [0x0020000e, element(0x0020000e, 'UI', options.series ?? '1.2.3')],
    [0x00200013, element(0x00200013, 'IS', String(options.number ?? 1))],
    [0x00280002, element(0x00280002, 'US', picture.samples)],
    [
      0x00280004,
      element(
        0x00280004,
        'CS',
        options.photometric ?? (picture.samples === 1 ? 'MONOCHROME2' : syntax === 'jpeg' ? 'YBR_FULL_422' : 'RGB'),
      ),
    ],
    [0x00280006, element(0x00280006, 'US', planar ? 1 : 0)],
    [0x00280008, element(0x00280008, 'IS', String(frames.length))],
    [0x00280010, element(0x00280010, 'US', tile[1])],
    [0x00280011, element(0x00280011, 'US', tile[0])],
    [0x00280100, element(0x00280100, 'US', 8)],
    [0x00280103, element(0x00280103, 'US', 0)],
    [0x00480006, element(0x00480006, 'UL', picture.width)],
    [0x00480007, element(0x00480007, 'UL', picture.height)],
    [0x52009229, options.undefinedLengths ? openEnded(shared) : shared],
    ...(options.extra ?? []).map(([tag, vr, value]) => [tag, element(tag, vr, value)] as const),
  ];
  if (organisation !== undefined) elements.push([0x00209311, element(0x00209311, 'CS', organisation)]);
  if (concatenation) {
    elements.push([0x00209161, element(0x00209161, 'UI', '1.2.3.4')]);
    elements.push([0x00209162, element(0x00209162, 'US', concatenation.part)]);
    elements.push([0x00209163, element(0x00209163, 'US', concatenation.parts)]);
    elements.push([0x00209228, element(0x00209228, 'UL', concatenation.before)]);
  }
  if (organisation === 'TILED_SPARSE') {
    const groups = sequence(0x52009230, ...positions);
    elements.push([0x52009230, options.undefinedLengths ? openEnded(groups) : groups]);
  }
  elements.sort((a, b) => a[0] - b[0]);
  return Buffer.concat([...elements.map(([, bytes]) => bytes), pixelData(options, frames)]);
}

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
  if (!ENCAPSULATED.has(syntax)) return element(0x7fe00010, 'OB', Buffer.concat(frames));
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
      ? [element(0x7fe00001, 'OB', wide(starts)), element(0x7fe00002, 'OB', wide(frames.map(({ length }) => length)))]
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
