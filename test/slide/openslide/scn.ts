import type { Picture } from '../tiff-writer.js';
import { writeTiff } from '../tiff-writer.js';

export interface Scan {
  readonly picture: Picture;
  /** Its corner in the frame, in pixels of the scan. */
  readonly x: number;
  readonly y: number;
}

export interface ScnOptions {
  /** Size of the frame in pixels of the scan: what the macro camera saw. */
  readonly frame: readonly [width: number, height: number];
  readonly scans: readonly Scan[];
  /** µm per pixel. */
  readonly mpp?: number;
  /** Changes a tile's bytes before they are stored. */
  readonly damage?: (bytes: Buffer, col: number, row: number) => Buffer;
}

const MACRO = { width: 96, height: 80 };
const TILE = [128, 128] as const;

/**
 * A Leica SCN slide: a macro image of the whole frame, and scans of parts of it, at one resolution each. Tiles are
 * JPEG, which is all that OpenSlide reads of the format.
 */
export function writeScn({ frame: [width, height], scans, mpp = 0.5, damage }: ScnOptions): Buffer {
  const nanometres = (pixels: number) => Math.round(pixels * mpp * 1000);
  const image = (name: string, at: Omit<Scan, 'picture'>, view: readonly [number, number], size: Size, ifd: number) =>
    `<image name="${name}" uuid="urn:uuid:${name}"><creationDate>2020-01-01T00:00:00Z</creationDate>` +
    `<device model="m" version="1"/><pixels sizeX="${size.width}" sizeY="${size.height}">` +
    `<dimension sizeX="${size.width}" sizeY="${size.height}" r="0" ifd="${ifd}"/></pixels>` +
    `<view sizeX="${nanometres(view[0])}" sizeY="${nanometres(view[1])}" offsetX="${nanometres(at.x)}" ` +
    `offsetY="${nanometres(at.y)}" spacingZ="0"/><scanSettings><objectiveSettings><objective>20</objective>` +
    '</objectiveSettings><illuminationSettings><numericalAperture>0.4</numericalAperture>' +
    '<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>';
  const images = scans.map(({ picture, x, y }, i) =>
    image(`scan ${i + 1}`, { x, y }, [picture.width, picture.height], picture, i + 1),
  );
  const description =
    '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="urn:uuid:s">' +
    `<collection name="c" uuid="urn:uuid:c" sizeX="${nanometres(width)}" sizeY="${nanometres(height)}">` +
    `${image('macro', { x: 0, y: 0 }, [width, height], MACRO, 0)}${images.join('')}</collection></scn>`;
  const common = { tile: TILE, compression: 'jpeg' } as const;
  const macro = new Uint8Array(MACRO.width * MACRO.height * 3).fill(230);
  return writeTiff(
    [
      { ...common, picture: { ...MACRO, samples: 3, data: macro }, description },
      ...scans.map(({ picture }) => ({
        ...common,
        picture,
        resolution: 10_000 / mpp,
        ...(damage ? { damage } : {}),
      })),
    ],
    { big: true },
  );
}

type Size = Pick<Picture, 'width' | 'height'>;
