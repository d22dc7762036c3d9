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

/** What one file of a DICOM whole slide says in front of its pixels. No patient attributes. */
export interface InstanceHeader {
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
}

/** One whole file: its header, and where its frames lie. */
export interface DicomInstance extends InstanceHeader {
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
  return withDicomFile(path, (file, modified) => {
    const begun = readHeader(file, modified, accept);
    return begun && locateFrames(begun);
  });
}

/** As much of an instance as there is: a file that is still being written may have a header and no whole pixels. */
export interface Inspection {
  /** Undefined for another kind of DICOM object, and as long as the header cannot be read. */
  readonly header?: InstanceHeader;
  readonly instance?: DicomInstance;
  /** Why there is no instance. */
  readonly error?: StromaflowError;
}

/** Reads what there is of an instance. Never throws: what is wrong with the file is part of the answer. */
export function inspectInstance(path: string): Inspection {
  let header: InstanceHeader | undefined;
  try {
    const instance = withDicomFile(path, (file, modified) => {
      const begun = readHeader(file, modified, () => true);
      header = begun?.header;
      return begun && locateFrames(begun);
    });
    return instance ? { header: instance, instance } : {};
  } catch (error) {
    return { ...(header ? { header } : {}), error: toStromaflowError(error, 'SLIDE_UNREADABLE', path) };
  }
}

/** Which series a file is part of, and whether it shows the specimen: read from its first elements only. */
export interface InstanceHead {
  readonly series: string;
  /** False for another kind of object, and for images of labels and the like, which are never opened. */
  readonly isSlide: boolean;
}

/** Images of other things than the specimen are never opened: labels show names. */
export const ASSOCIATED: ReadonlySet<string> = new Set(['LABEL', 'OVERVIEW', 'THUMBNAIL', 'LOCALIZER']);

/** @throws FILE_NOT_FOUND, SLIDE_UNREADABLE, SLIDE_TRUNCATED, SLIDE_UNSUPPORTED as long as these elements cannot be read. */
export function readHead(path: string): InstanceHead {
  return withDicomFile(path, file => {
    const { reader, syntax } = openDataSet(file);
    const facts = newFacts();
    let passed = false;
    readDataSet(reader, reader.source.size, wantedFacts(facts), {
      explicit: syntax.explicit,
      stopAt: ({ tag }) => {
        passed = tag > TAG.seriesInstanceUid;
        return passed;
      },
    });
    if (!passed) throw reader.truncated();
    const { series, sopClass, flavour } = facts;
    return { series, isSlide: sopClass === WHOLE_SLIDE && !ASSOCIATED.has(flavour) };
  });
}

function withDicomFile<T>(path: string, use: (file: ByteSource, modified: number) => T): T {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw new StromaflowError('FILE_NOT_FOUND', `${path}: cannot be opened`, { cause: error });
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isDicom(fd)) throw new StromaflowError('SLIDE_UNREADABLE', `${path}: is not a DICOM file`);
    return use(fileBytes(path, fd, stats.size), stats.mtimeMs);
  } catch (error) {
    throw toStromaflowError(error, 'SLIDE_UNREADABLE', path);
  } finally {
    closeSync(fd);
  }
}

/** The data set behind the meta information, and how it is written. */
function openDataSet(file: ByteSource): { reader: ByteReader; syntax: TransferSyntax; dataAt: number } {
  const meta = readMeta(file);
  const syntax = TRANSFER_SYNTAXES[meta.syntax];
  if (!syntax) {
    const name = /^[\d.]{1,64}$/.test(meta.syntax) ? ` ${meta.syntax}` : '';
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${file.path}: its DICOM transfer syntax${name} is not supported`);
  }
  const source = syntax.deflated ? inflateDataSet(file, meta.end) : file;
  return { reader: new ByteReader(source, syntax.deflated ? 0 : meta.end), syntax, dataAt: meta.end };
}

/** An instance read up to its pixels. */
interface Begun {
  readonly header: InstanceHeader;
  readonly reader: ByteReader;
  readonly pixels: Element;
}

function readHeader(
  file: ByteSource,
  modified: number,
  accept: (facts: Readonly<Facts>) => boolean,
): Begun | undefined {
  const { path, size } = file;
  const { reader, syntax, dataAt } = openDataSet(file);
  const facts = newFacts();
  const pixels = readFacts(reader, facts, syntax);
  if (facts.sopClass !== WHOLE_SLIDE || !accept(facts)) return undefined;
  if (!pixels) throw new StromaflowError('SLIDE_TRUNCATED', `${path}: ends before its pixels`);
  checkFacts(path, facts, reader.source.size, syntax);
  const [down, across] = facts.spacing;
  const mean = across !== undefined && down !== undefined ? ((across + down) / 2) * 1000 : undefined;
  const mpp = mean !== undefined && mean > 0 ? mean : undefined;
  return { header: { path, size, modified, syntax, facts, mpp, dataAt }, reader, pixels };
}

function locateFrames({ header, reader, pixels }: Begun): DicomInstance {
  const { facts, syntax } = header;
  const frameBytes = facts.rows * facts.columns * facts.samplesPerPixel;
  return { ...header, frames: findFrames(reader, pixels, { ...facts, frameBytes }, syntax) };
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
  if (facts.bitsAllocated !== 8 || facts.signed)
    throw unsupported(`${facts.signed ? 'signed ' : ''}${facts.bitsAllocated}-bit samples`);
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
