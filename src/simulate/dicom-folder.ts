import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareTile } from '../codec/jpeg/jpeg-stream.js';
import { StromaflowError } from '../errors.js';
import { encapsulatedHead, itemHead, sequenceEnd } from '../slide/dicom/elements.js';
import { type DicomFile, type DicomPhotometric, dicomHeader } from './dicom-header.js';
import type { ScanSettings, ScanWriter } from './scan-writer.js';
import type { SourceLevel, SourceSlide } from './source.js';
import { wholeJpeg } from './tile-folder.js';

const JPEG = 7;
const JPEG_2000: Readonly<Record<number, DicomPhotometric>> = { 33003: 'YBR_FULL', 33005: 'RGB' };

/** InConcatenationTotalNumber has 16 bits. */
const MOST_PARTS = 65_535;
/** More than a frame grows by when it is made a JPEG of its own and an item. */
const FRAME_OVERHEAD = 64;

/**
 * A folder of DICOM instances, `<slide>/level-<n>.dcm`, each written under a temporary name (`.….part`) and renamed when
 * its last frame is there; with `partTiles`, levels are concatenations of `level-<n>-part-<p>.dcm`. Frames lie in the order
 * of the scan: row by row and complete that is TILED_FULL unless `sparse`, any other TILED_SPARSE, with a position for
 * every frame. With `preallocate` each file has its own name from the start, and room for all of it, which reads as zeros.
 */
export async function openDicomFolder(
  source: SourceSlide,
  folder: string,
  settings: ScanSettings,
): Promise<ScanWriter> {
  const { mpp } = source;
  if (mpp === undefined)
    throw new StromaflowError('SLIDE_NO_MPP', `${source.name}: DICOM states a spacing, and the slide does not`);
  const finest = source.levels[0]!;
  for (const level of source.levels) checkLevel(source, level);
  const files = planFiles(source, settings);
  const path = join(folder, source.name);
  await mkdir(path, { recursive: true });
  let current: InstanceFile | undefined;

  return {
    path,
    tile: async ({ level }, bytes) => {
      const geometry = source.levels[level]!;
      const colour = JPEG_2000[geometry.compression];
      const frame = colour ? bytes : wholeJpeg(geometry, bytes);
      if (!current) {
        const file = files.shift()!;
        const photometric = colour ?? photometricOf(geometry, frame);
        const levelMpp = (mpp * (finest.width / geometry.width + finest.height / geometry.height)) / 2;
        const header = dicomHeader(source, levelMpp, colour !== undefined, photometric, file);
        const room = settings.preallocate ? roomFor(geometry, file) : 0;
        current = await InstanceFile.create(path, nameOf(file), header, file.places.length, room);
      }
      await current.append(frame);
      if (!current.complete) return;
      await current.finish();
      current = undefined;
    },
    finish: async () => {},
    close: async () => {
      await current?.close();
    },
  };
}

/** Which frame goes into which file. */
function planFiles(source: SourceSlide, { steps, partTiles = 0, sparse = false }: ScanSettings): DicomFile[] {
  return source.levels.flatMap((geometry, level) => {
    const places = steps.filter(place => place.level === level);
    const full =
      !sparse &&
      places.length === geometry.cols * geometry.rows &&
      places.every(({ col, row }, index) => row * geometry.cols + col === index);
    const size = partTiles > 0 ? partTiles : Math.max(1, places.length);
    const parts = Math.ceil(places.length / size);
    if (parts > MOST_PARTS)
      throw new StromaflowError('CONFIG_INVALID', `part-tiles ${partTiles}: makes ${parts} parts of a level`, {
        fix: `give ${Math.ceil(places.length / MOST_PARTS)} or more`,
      });
    return Array.from({ length: parts }, (_, index) => ({
      level,
      places: places.slice(index * size, (index + 1) * size),
      full,
      part: index + 1,
      parts,
      before: index * size,
    }));
  });
}

/** At least what the file's frames will take; the rest is cut off when it is finished. */
const roomFor = ({ cols, byteCounts, jpegTables }: SourceLevel, { places }: DicomFile): number =>
  places.reduce(
    (sum, { col, row }) => sum + byteCounts[row * cols + col]! + (jpegTables?.length ?? 0) + FRAME_OVERHEAD,
    0,
  );

const nameOf = ({ level, part, parts }: DicomFile): string =>
  parts > 1 ? `level-${level}-part-${part}.dcm` : `level-${level}.dcm`;

function checkLevel({ name }: SourceSlide, { compression, tiled, tileWidth, tileHeight }: SourceLevel): void {
  const fits = (compression === JPEG || JPEG_2000[compression]) && tiled && tileWidth <= 65_535 && tileHeight <= 65_535;
  if (!fits)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${name}: only JPEG and JPEG 2000 tiles can be DICOM frames`);
}

/** By what the JPEG's marker, set from the TIFF's tag, says. */
function photometricOf({ samplesPerPixel }: SourceLevel, frame: Uint8Array): DicomPhotometric {
  if (samplesPerPixel === 1) return 'MONOCHROME2';
  // SOI, then APP14, whose last byte is the transform.
  const isRgb = frame[3] === 0xee && frame[17] === 0;
  if (isRgb) return 'RGB';
  return prepareTile(frame.slice())?.subsampled ? 'YBR_FULL_422' : 'YBR_FULL';
}

/** One instance under way: its basic offset table is filled in when all frames are there. */
class InstanceFile {
  readonly #file: FileHandle;
  /** The name it is written under. */
  readonly #temporary: string;
  readonly #final: string;
  readonly #tableAt: number;
  readonly #offsets: Buffer;
  readonly #base: number;
  #frames = 0;
  #end: number;

  private constructor(file: FileHandle, temporary: string, final: string, tableAt: number, frames: number) {
    this.#file = file;
    this.#temporary = temporary;
    this.#final = final;
    this.#tableAt = tableAt;
    this.#offsets = Buffer.alloc(frames * 4);
    this.#base = tableAt + frames * 4;
    this.#end = this.#base;
  }

  /** @param room bytes to reserve for the frames, under the final name; 0 writes under a temporary one. */
  static async create(
    folder: string,
    name: string,
    header: Buffer,
    frames: number,
    room: number,
  ): Promise<InstanceFile> {
    const final = join(folder, name);
    const temporary = room > 0 ? final : join(folder, `.${name}.part`);
    const file = await open(temporary, 'w');
    const head = Buffer.concat([header, encapsulatedHead(), itemHead(frames * 4)]);
    const instance = new InstanceFile(file, temporary, final, head.length, frames);
    if (room > 0) await file.truncate(instance.#base + room);
    await file.write(Buffer.concat([head, Buffer.alloc(frames * 4)]), 0, undefined, 0);
    return instance;
  }

  get complete(): boolean {
    return this.#frames * 4 === this.#offsets.length;
  }

  async append(frame: Uint8Array): Promise<void> {
    const padding = frame.length % 2;
    this.#offsets.writeUInt32LE(this.#end - this.#base, this.#frames * 4);
    const bytes = Buffer.concat([itemHead(frame.length + padding), frame, Buffer.alloc(padding)]);
    await this.#file.write(bytes, 0, bytes.length, this.#end);
    this.#end += bytes.length;
    this.#frames++;
  }

  async finish(): Promise<void> {
    await this.#file.write(sequenceEnd(), 0, undefined, this.#end);
    await this.#file.truncate(this.#end + sequenceEnd().length);
    await this.#file.write(this.#offsets, 0, this.#offsets.length, this.#tableAt);
    await this.#file.close();
    if (this.#temporary !== this.#final) await rename(this.#temporary, this.#final);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
