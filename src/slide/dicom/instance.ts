import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import type { AxisSpacing } from '../slide.js';
import { ByteReader, type ByteSource, fileBytes } from './byte-reader.js';
import { checkFacts } from './check-facts.js';
import { type Element, readDataSet, type Wanted } from './data-set.js';
import { type Facts, newFacts, wantedFacts } from './facts.js';
import { type FrameTable, findFrames } from './frames.js';
import { inflateDataSet } from './inflate.js';
import { readMeta } from './meta.js';
import { TAG } from './tags.js';
import { type TransferSyntax, transferSyntax } from './transfer-syntax.js';

/** What one file of a DICOM whole slide says in front of its pixels. No patient attributes. */
export interface InstanceHeader {
  readonly path: string;
  /** Bytes, and modification time in milliseconds. */
  readonly size: number;
  readonly modified: number;
  readonly syntax: TransferSyntax;
  readonly facts: Readonly<Facts>;
  /** Undefined when the file does not say. */
  readonly spacing: InstanceSpacing | undefined;
  /** Why its pixels cannot be decoded. */
  readonly unsupported?: StromaflowError;
  /** Where the data set starts; a deflated one is inflated from there, and frames are counted in what comes out. */
  readonly dataAt: number;
}

/** µm/px. */
export interface InstanceSpacing extends AxisSpacing {
  /** By Pixel Spacing; else by the size of what the whole matrix shows, filled-up tiles and all. */
  readonly stated: boolean;
}

/** One whole file: its header, and where its frames lie. */
export interface DicomInstance extends InstanceHeader {
  /** Empty where they cannot be decoded. */
  readonly frames: FrameTable;
}

const WHOLE_SLIDE = '1.2.840.10008.5.1.4.1.1.77.1.6';

export function isDicom(fd: number): boolean {
  const magic = Buffer.alloc(4);
  return readSync(fd, magic, 0, 4, 128) === 4 && magic.toString('latin1') === 'DICM';
}

/**
 * Reads one instance's facts and finds its frames; no pixels are read. Attributes that are not needed are skipped without
 * being read. Memory is bounded by the file's size: 32 bytes a frame, and 256 MiB for a deflated data set. Of what is no
 * instance of a whole slide (labels, overviews and other kinds of objects) nothing but its first elements is looked at: what is wrong
 * with the rest does not matter.
 *
 * @returns undefined for an instance of something else.
 * @throws FILE_NOT_FOUND, SLIDE_UNREADABLE (damaged), SLIDE_TRUNCATED; SLIDE_UNSUPPORTED for a data set that cannot be read at all.
 */
export function readInstance(path: string): DicomInstance | undefined {
  return withDicomFile(path, (file, modified) => {
    const begun = readHeader(file, modified);
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
      const begun = readHeader(file, modified);
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
    const opened = openDataSet(file);
    if (!opened) return { series: '', isSlide: false };
    const facts = newFacts();
    let passed = false;
    readDataSet(opened.reader, opened.reader.source.size, wantedFacts(facts), {
      explicit: opened.syntax.explicit,
      stopAt: ({ tag }) => {
        passed = tag > TAG.seriesInstanceUid;
        return passed;
      },
    });
    if (!passed) throw opened.reader.truncated();
    const { series, sopClass, flavour } = facts;
    return { series, isSlide: sopClass === WHOLE_SLIDE && !ASSOCIATED.has(flavour) };
  });
}

/** Reads what is wanted of an instance, up to its pixels. */
export function readValues(path: string, wanted: Wanted): void {
  withDicomFile(path, file => {
    const opened = openDataSet(file);
    if (!opened) return;
    const { reader, syntax } = opened;
    const stopAt = ({ tag }: Element): boolean => tag === TAG.pixelData;
    readDataSet(reader, reader.source.size, wanted, { explicit: syntax.explicit, stopAt });
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

/** The data set behind the meta information, and how it is written; undefined for an object of another kind. */
function openDataSet(file: ByteSource): { reader: ByteReader; syntax: TransferSyntax; dataAt: number } | undefined {
  const meta = readMeta(file);
  if (meta.sopClass !== '' && meta.sopClass !== WHOLE_SLIDE) return undefined;
  const syntax = transferSyntax(meta.syntax);
  if (!syntax)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${file.path}: is not in a DICOM transfer syntax that can be read`);
  const source = syntax.deflated ? inflateDataSet(file, meta.end) : file;
  return { reader: new ByteReader(source, syntax.deflated ? 0 : meta.end), syntax, dataAt: meta.end };
}

/** An instance read up to its pixels. */
interface Begun {
  readonly header: InstanceHeader;
  readonly reader: ByteReader;
  readonly pixels: Element;
}

function readHeader(file: ByteSource, modified: number): Begun | undefined {
  const { path, size } = file;
  const opened = openDataSet(file);
  if (!opened) return undefined;
  const { reader, syntax, dataAt } = opened;
  const facts = newFacts();
  const pixels = readFacts(reader, facts, syntax);
  if (facts.sopClass !== WHOLE_SLIDE || ASSOCIATED.has(facts.flavour)) return undefined;
  if (!pixels) throw new StromaflowError('SLIDE_TRUNCATED', `${path}: ends before its pixels`);
  const unsupported = checkFacts(path, facts, reader.source.size, syntax);
  const header = { path, size, modified, syntax, facts, spacing: spacingOf(facts), dataAt };
  return { header: unsupported ? { ...header, unsupported } : header, reader, pixels };
}

function spacingOf({ spacing: [down, across], volume: [width, height], matrixColumns, matrixRows }: Facts) {
  const isSpacing = (value: number | undefined): value is number => value !== undefined && value > 0 && value < 1e3;
  if (isSpacing(across) && isSpacing(down)) return { x: across * 1000, y: down * 1000, stated: true };
  const [x, y] = [width / matrixColumns, height / matrixRows];
  return isSpacing(x) && isSpacing(y) ? { x: x * 1000, y: y * 1000, stated: false } : undefined;
}

function locateFrames({ header, reader, pixels }: Begun): DicomInstance {
  const { facts, syntax, unsupported } = header;
  if (unsupported) return { ...header, frames: { starts: new Float64Array(), ends: new Float64Array() } };
  const frameBytes = facts.rows * facts.columns * facts.samplesPerPixel;
  return { ...header, frames: findFrames(reader, pixels, { ...facts, frameBytes }, syntax) };
}

/**
 * Fills `facts` and stops at the pixels, the last thing of interest in a data set; undefined when there are none, and for images of
 * other things than the specimen, of which the rest may be damaged.
 */
function readFacts(reader: ByteReader, facts: Facts, { explicit }: TransferSyntax): Element | undefined {
  let pixels: Element | undefined;
  const stopAt = (element: Element): boolean => {
    const table = { at: reader.position, length: element.length };
    if (element.tag === TAG.extendedOffsetTable) facts.offsetTable = table;
    if (element.tag === TAG.extendedOffsetTableLengths) facts.lengthTable = table;
    if (element.tag === TAG.pixelData) pixels = element;
    return pixels !== undefined || ASSOCIATED.has(facts.flavour);
  };
  try {
    readDataSet(reader, reader.source.size, wantedFacts(facts), { explicit, stopAt });
  } catch (error) {
    if (!ASSOCIATED.has(facts.flavour)) throw error;
  }
  return pixels;
}
