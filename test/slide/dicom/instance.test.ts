import { mkdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { inspectInstance, readHead, readInstance } from '#src/slide/dicom/instance.js';
import { TAG } from '#src/slide/dicom/tags.js';
import { asInt32, asNumbers, asText, asUint16, asUint32 } from '#src/slide/dicom/values.js';
import { failureOf, scratch } from '../fixture.js';
import { gradient } from '../tiff-writer.js';
import { type InstanceOptions, writeInstance } from './instance-writer.js';

const files = scratch();
afterAll(() => files.remove());

const BASE: InstanceOptions = { picture: gradient(70, 50), tile: [32, 24] };
const PATH = files.path('slide.dcm');
const write = (bytes: Buffer) => files.write('slide.dcm', bytes);
/** Reads an instance as the finest level of a slide. */
function readFinest(path: string): unknown {
  const instance = readInstance(path);
  if (instance?.unsupported) throw instance.unsupported;
  return instance;
}
const failure = async (bytes: Buffer, read: (path: string) => unknown = readFinest) => {
  const { code, message } = await failureOf(() => read(write(bytes)));
  return [code, message];
};

/** An instance with one element's value overwritten in place: its first bytes, little endian. */
function patched(tag: number, size: 2 | 4, value: number): Buffer {
  const bytes = writeInstance(BASE);
  const name = Buffer.alloc(4);
  name.writeUInt16LE(tag >>> 16, 0);
  name.writeUInt16LE(tag & 0xffff, 2);
  bytes.writeUIntLE(value, bytes.indexOf(name, 132) + 8, size);
  return bytes;
}

describe('readInstance', () => {
  it('tells what one file says', () => {
    const { facts, spacing, frames, size } = readInstance(
      write(writeInstance({ ...BASE, spacing: [0.0004, 0.0006], number: 7 })),
    )!;
    expect(facts).toMatchObject({ series: '1.2.3', instanceNumber: 7, frames: 9, rows: 24, columns: 32 });
    expect(facts).toMatchObject({
      matrixColumns: 70,
      matrixRows: 50,
      tiledFull: true,
      resampled: false,
      positions: [],
    });
    // Of DICOM's two numbers the first is between rows.
    expect(spacing).toEqual({ x: 0.6, y: 0.4, stated: true });
    expect(frames.ends[8]).toBe(size);
  });

  it.each<[string, () => Buffer, string, string]>([
    ['no rows', () => patched(TAG.rows, 2, 0), 'SLIDE_UNREADABLE', 'states no size'],
    ['no columns', () => patched(TAG.columns, 2, 0), 'SLIDE_UNREADABLE', 'states no size'],
    [
      'a matrix without columns',
      () => patched(TAG.totalPixelMatrixColumns, 4, 0),
      'SLIDE_UNREADABLE',
      'states no size',
    ],
    ['a matrix without rows', () => patched(TAG.totalPixelMatrixRows, 4, 0), 'SLIDE_UNREADABLE', 'states no size'],
    [
      'no frames',
      () => patched(TAG.numberOfFrames, 2, 0x2030),
      'SLIDE_UNREADABLE',
      'states an impossible number of frames',
    ],
    [
      'half a frame',
      () => patched(TAG.numberOfFrames, 2, 0x352e),
      'SLIDE_UNREADABLE',
      'states an impossible number of frames',
    ],
    [
      'frames in words',
      () => patched(TAG.numberOfFrames, 2, 0x7878),
      'SLIDE_UNREADABLE',
      'states an impossible number of frames',
    ],
    ['16 bits', () => patched(TAG.bitsAllocated, 2, 16), 'SLIDE_UNSUPPORTED', '16-bit samples'],
    ['signed samples', () => patched(TAG.pixelRepresentation, 2, 1), 'SLIDE_UNSUPPORTED', 'signed 8-bit samples'],
    ['four samples', () => patched(TAG.samplesPerPixel, 2, 4), 'SLIDE_UNSUPPORTED', '4 samples a pixel'],
    [
      'grey that says it is colour',
      () => patched(TAG.samplesPerPixel, 2, 1),
      'SLIDE_UNSUPPORTED',
      'its colour model (RGB) is not supported without compression',
    ],
    [
      'more rows than its pixels',
      () => patched(TAG.rows, 2, 25),
      'SLIDE_UNREADABLE',
      'has pixels of 20736 instead of 21600 bytes at byte',
    ],
    [
      'RLE',
      () => writeInstance({ ...BASE, transferSyntax: '1.2.840.10008.1.2.5' }),
      'SLIDE_UNSUPPORTED',
      'its DICOM transfer syntax (RLE, 1.2.840.10008.1.2.5) is not supported',
    ],
    [
      'a text as transfer syntax',
      () => writeInstance({ ...BASE, transferSyntax: 'Doe^J' }),
      'SLIDE_UNSUPPORTED',
      'is not in a DICOM transfer syntax that can be read',
    ],
    ['no DICM', () => writeInstance(BASE).fill('X', 131, 132), 'SLIDE_UNREADABLE', 'is not a DICOM file'],
  ])('refuses %s and says so', async (_, bytes, code, message) => {
    const [gotCode, gotMessage] = await failure(bytes());
    expect(gotCode).toBe(code);
    expect(gotMessage!.startsWith(`${PATH}: ${message}`), gotMessage).toBe(true);
  });

  it('refuses frames too large to decode before it looks for them', async () => {
    const bytes = patched(TAG.rows, 2, 65_535);
    bytes.writeUInt16LE(65_535, bytes.indexOf(Buffer.from('28001100', 'hex'), 132) + 8);
    expect(await failure(bytes)).toEqual([
      'SLIDE_UNSUPPORTED',
      `${PATH}: frames of 65535 × 65535 pixels are not supported`,
    ]);
  });

  it('believes no count of frames beyond the bytes of the file', async () => {
    const bytes = writeInstance(BASE);
    for (const frames of [bytes.length, bytes.length + 100]) {
      const extra = [[TAG.numberOfFrames, 'IS', String(frames)]] as const;
      const claims = writeInstance({ ...BASE, extra });
      const [, message] = await failure(claims);
      if (frames > claims.length) expect(message).toBe(`${PATH}: states an impossible number of frames`);
      else expect(message).toContain('has pixels of 20736 instead of');
    }
  });

  it('says that a file ends before its pixels', async () => {
    const whole = writeInstance(BASE);
    const pixels = whole.lastIndexOf(Buffer.from('e07f1000', 'hex'));
    expect(await failure(whole.subarray(0, pixels))).toEqual(['SLIDE_TRUNCATED', `${PATH}: ends before its pixels`]);
  });

  it('tells a deflated data set that is cut off from one that is damaged', async () => {
    const whole = writeInstance({ ...BASE, syntax: 'deflated' });
    expect(await failure(whole.subarray(0, -5))).toEqual([
      'SLIDE_TRUNCATED',
      `${PATH}: its deflated data set is cut off`,
    ]);
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 144 + damaged.readUInt32LE(140));
    expect(await failure(damaged)).toEqual(['SLIDE_UNREADABLE', `${PATH}: its deflated data set is damaged`]);
  });

  it('refuses meta information that says another length', async () => {
    for (const by of [-1, 1]) {
      const bytes = writeInstance(BASE);
      bytes.writeUInt32LE(bytes.readUInt32LE(140) + by, 140);
      expect((await failure(bytes))[1]).toMatch(/meta information of the wrong length|without a value representation/);
    }
  });

  it('refuses a folder, and a path where nothing is', async () => {
    mkdirSync(files.path('folder'));
    const folder = await failureOf(() => readInstance(files.path('folder')));
    expect([folder.code, folder.message]).toEqual(['SLIDE_UNREADABLE', `${files.path('folder')}: is not a DICOM file`]);
    expect((await failureOf(() => readInstance(files.path('nothing')))).code).toBe('FILE_NOT_FOUND');
  });

  it.each([[[]], [[0.0005]], [[0, 0]], [[-1, -1]]])('has no spacing of %j', spacing => {
    expect(readInstance(write(writeInstance({ ...BASE, spacing })))!.spacing).toBeUndefined();
  });
});

describe('a file that is not whole', () => {
  const whole = writeInstance(BASE);

  it('is inspected as far as it goes, and never throws', () => {
    const seen = new Set<string>();
    for (let keep = 0; keep < whole.length; keep += 61) {
      const { header, instance, error } = inspectInstance(write(whole.subarray(0, keep)));
      expect(instance === undefined).toBe(error !== undefined);
      seen.add(instance ? 'whole' : header ? 'header' : 'nothing');
      if (header) expect(header.facts.frames).toBe(9);
    }
    expect([...seen]).toEqual(['nothing', 'header']);
    expect(inspectInstance(write(whole)).instance?.facts.frames).toBe(9);
    expect(inspectInstance(files.path('nothing')).error?.code).toBe('FILE_NOT_FOUND');
  });

  it('shows its series as soon as an element follows it', async () => {
    const tag = whole.indexOf(Buffer.from('20000e00', 'hex'), 132);
    const end = tag + 8 + whole.readUInt16LE(tag + 6);
    expect((await failure(whole.subarray(0, end), readHead))[0]).toBe('SLIDE_TRUNCATED');
    expect(readHead(write(whole.subarray(0, end + 8)))).toEqual({ series: '1.2.3', isSlide: true });
  });

  it.each(['LABEL', 'OVERVIEW', 'THUMBNAIL', 'LOCALIZER'])('is no slide when it shows a %s', flavour => {
    expect(readHead(write(writeInstance({ ...BASE, flavour }))).isSlide).toBe(false);
  });

  it('does not matter when it shows a label, whatever is wrong with it', () => {
    const label = writeInstance({ ...BASE, flavour: 'LABEL' });
    const image = label.indexOf(Buffer.from('ORIGINAL')) + 40;
    for (let keep = image; keep < label.length; keep += 61)
      expect(readInstance(write(label.subarray(0, keep))), `${keep} bytes`).toBeUndefined();
    for (let at = image; at < label.length; at += 97) {
      const noise = Buffer.from(label).fill(0xa7, at);
      expect(readInstance(write(noise)), `noise from ${at}`).toBeUndefined();
    }
    const other = { transferSyntax: '1.2.840.10008.1.2.4.203' };
    expect(readInstance(write(writeInstance({ ...BASE, ...other, flavour: 'THUMBNAIL' })))).toBeUndefined();
    expect(readInstance(write(writeInstance({ ...BASE, ...other, sopClass: '1.2' })))).toBeUndefined();
  });

  it('is known by its facts though its pixels cannot be decoded', () => {
    const htj2k = write(writeInstance({ ...BASE, syntax: 'jpeg', transferSyntax: '1.2.840.10008.1.2.4.203' }));
    expect(readHead(htj2k)).toEqual({ series: '1.2.3', isSlide: true });
    const { facts, unsupported, frames } = readInstance(htj2k)!;
    expect([facts.matrixColumns, facts.frames, frames.starts.length]).toEqual([70, 9, 0]);
    expect([unsupported?.code, unsupported?.message]).toEqual([
      'SLIDE_UNSUPPORTED',
      `${PATH}: its DICOM transfer syntax (HTJ2K, 1.2.840.10008.1.2.4.203) is not supported`,
    ]);
  });
});

it('values that are too short or no numbers are none', () => {
  expect(asText(Buffer.from(' AB \0\0'))).toBe('AB');
  expect(asNumbers(Buffer.from('0.5\\ 1e-3 '))).toEqual([0.5, 0.001]);
  for (const text of ['', '1\\', '1\\x', 'Infinity']) expect(asNumbers(Buffer.from(text)), text).toEqual([]);
  expect([asUint16(Buffer.of(1)), asUint32(Buffer.of(1)), asInt32(Buffer.of(1, 2))]).toEqual([0, 0, 0]);
  expect([asUint32(Buffer.of(1, 2)), asInt32(Buffer.alloc(4, 255))]).toEqual([513, -1]);
});
