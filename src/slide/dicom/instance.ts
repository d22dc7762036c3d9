import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { ByteReader, type ByteSource, fileBytes } from './byte-reader.js';
import { type Element, readDataSet } from './data-set.js';
import { type Facts, MAX_FRAMES, newFacts, wantedFacts } from './facts.js';
import { type FrameTable, findFrames } from './frames.js';
import { inflateDataSet } from './inflate.js';
import { readMeta } from './meta.js';
import { TAG } from './tags.js';
import { TRANSFER_SYNTAXES, type TransferSyntax } from './transfer-syntax.js';

/** One file of a DICOM whole slide: the facts its pixels need, and where its frames lie. No patient attributes. */
export interface DicomInstance {
  readonly path: string;
  /** Bytes, and modification time in milliseconds. */
  readonly size: number;
  readonly modified: number;
  readonly syntax: TransferSyntax;
  readonly facts: Readonly<Facts>;
  /** µm/px; undefined when the file does not say. */
  readonly mpp: number | undefined;
  /** Where the data set starts; a deflated one is inflated from there, and frames are counted in what comes out. */
  readonly dataAt: number;
  readonly frames: FrameTable;
}

const WHOLE_SLIDE = '1.2.840.10008.5.1.4.1.1.77.1.6';

/** A decoded frame larger than this is refused. */
const MAX_FRAME_BYTES = 256 * 2 ** 20;

export function isDicom(fd: number): boolean {
  const magic = Buffer.alloc(4);
  return readSync(fd, magic, 0, 4, 128) === 4 && magic.toString('latin1') === 'DICM';
}

/**
 * Reads one instance's facts and finds its frames; no pixels are read. Attributes that are not needed are skipped without
 * being read. Memory is bounded by the file's size: 16 bytes a frame, and 256 MiB for a deflated data set.
 *
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE (no DICOM whole slide, or damaged), SLIDE_TRUNCATED, SLIDE_UNSUPPORTED.
 */
export function readInstance(path: string): DicomInstance {
  const instance = tryInstance(path);
  if (!instance) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: is a DICOM file, but not a whole-slide image`);
  return instance;
}

/** As `readInstance`; undefined for another kind of DICOM object, or one that is not accepted by its facts. */
export function tryInstance(
  path: string,
  accept: (facts: Readonly<Facts>) => boolean = () => true,
): DicomInstance | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: cannot be opened`, { cause: error });
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isDicom(fd)) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: is not a DICOM file`);
    return parseInstance(fileBytes(path, fd, stats.size), stats.mtimeMs, accept);
  } catch (error) {
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  } finally {
    closeSync(fd);
  }
}

function parseInstance(
  file: ByteSource,
  modified: number,
  accept: (facts: Readonly<Facts>) => boolean,
): DicomInstance | undefined {
  const { path, size } = file;
  const meta = readMeta(file);
  const syntax = TRANSFER_SYNTAXES[meta.syntax];
  if (!syntax) {
    const name = /^[\d.]{1,64}$/.test(meta.syntax) ? ` ${meta.syntax}` : '';
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: its DICOM transfer syntax${name} is not supported`);
  }
  const source = syntax.deflated ? inflateDataSet(file, meta.end) : file;
  const reader = new ByteReader(source, syntax.deflated ? 0 : meta.end);
  const facts = newFacts();
  const pixels = readFacts(reader, facts, syntax);
  if (facts.sopClass !== WHOLE_SLIDE || !accept(facts)) return undefined;
  if (!pixels) throw new StromaflowError('SLIDE_TRUNCATED', `${path}: ends before its pixels`);
  checkFacts(path, facts, source.size, syntax);
  const frameBytes = facts.rows * facts.columns * facts.samplesPerPixel;
  const [down, across] = facts.spacing;
  const mpp = across !== undefined && down !== undefined ? ((across + down) / 2) * 1000 : undefined;
  return {
    path,
    size,
    modified,
    syntax,
    facts,
    mpp: mpp !== undefined && mpp > 0 ? mpp : undefined,
    dataAt: meta.end,
    frames: findFrames(reader, pixels, { ...facts, frameBytes }, syntax),
  };
}

/** Fills `facts` and stops at the pixels, the last thing of interest in a data set; undefined when there are none. */
function readFacts(reader: ByteReader, facts: Facts, { explicit }: TransferSyntax): Element | undefined {
  let pixels: Element | undefined;
  readDataSet(reader, reader.source.size, wantedFacts(facts), {
    explicit,
    stopAt: element => {
      const table = { at: reader.position, length: element.length };
      if (element.tag === TAG.extendedOffsetTable) facts.offsetTable = table;
      if (element.tag === TAG.extendedOffsetTableLengths) facts.lengthTable = table;
      if (element.tag === TAG.pixelData) pixels = element;
      return pixels !== undefined;
    },
  });
  return pixels;
}

function checkFacts(path: string, facts: Facts, size: number, { codec }: TransferSyntax): void {
  const { rows, columns, frames, matrixColumns, matrixRows, samplesPerPixel } = facts;
  const unreadable = (what: string) => new StromaflowError('SLIDE_UNREADABLE', `${path}: ${what}`);
  const unsupported = (what: string) => new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${what}`);
  if (!(rows > 0 && columns > 0 && matrixColumns > 0 && matrixRows > 0)) throw unreadable('states no size');
  // A frame takes some bytes: a count beyond the file's size is damage, found before anything is allocated by it.
  if (!(Number.isInteger(frames) && frames > 0 && frames <= MAX_FRAMES && frames <= size))
    throw unreadable('states an impossible number of frames');
  if (facts.bitsAllocated !== 8 || facts.signed) throw unsupported(`${facts.bitsAllocated}-bit samples`);
  const colour = samplesPerPixel === 3;
  if (!colour && samplesPerPixel !== 1) throw unsupported(`${samplesPerPixel} samples a pixel`);
  const allowed = colour ? COLOURS[codec] : ['MONOCHROME2'];
  if (!allowed.includes(facts.photometric))
    throw unsupported('its colour model is not supported with this compression');
  if (rows * columns * 3 > MAX_FRAME_BYTES) throw unsupported(`frames of ${columns} × ${rows} pixels`);
}

/** Photometric interpretations by codec (PS3.5, section 8.2); the decoder makes all of them RGB. */
const COLOURS: Readonly<Record<TransferSyntax['codec'], readonly string[]>> = {
  none: ['RGB'],
  deflate: ['RGB'],
  jpeg: ['RGB', 'YBR_FULL_422', 'YBR_FULL'],
  jpeg2000: ['RGB', 'YBR_ICT', 'YBR_RCT', 'YBR_FULL'],
};
