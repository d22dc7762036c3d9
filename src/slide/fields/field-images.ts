import { readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import sharp from 'sharp';
import { readBmpHeader } from '../../codec/image/bmp.js';
import { foreignSamples } from '../../codec/image/sample-format.js';
import { StromaflowError } from '../../errors.js';
import { unreadable } from '../tiff/probe.js';
import { MAX_TILE } from '../tile-folder/manifest-fields.js';

/** Images Squid writes beside those of the fields. */
const OTHERS = /_(focus_camera|laser[ _]af[ _]camera)\.\w+$/;
const IMAGE = /^(\d+)_(\d+)_(.+)\.(bmp|tiff?|jpe?g|png)$/i;

/** How Squid names the images of one region: `{region}_{fov}_{z}_{channel}.{extension}`. */
export interface FieldNames {
  /** Digits a number is padded to. */
  readonly digits: number;
  readonly channel: string;
  readonly extension: string;
}

export const fieldName = (region: string, fov: number, z: number, { digits, channel, extension }: FieldNames): string =>
  `${region}_${String(fov).padStart(digits, '0')}_${String(z).padStart(digits, '0')}_${channel}.${extension}`;

/**
 * Finds out how the images of a region are named, which of a field's images is the brightfield one, and how many others it has. Undefined until one
 * field has all its images: until another field's are there, or `over`.
 *
 * @throws SLIDE_UNSUPPORTED for several images a field, none of which is called RGB.
 */
export function findFieldNames(
  folder: string,
  region: string,
  z: number,
  over: boolean,
): { names: FieldNames; others: number } | undefined {
  const found = new Map<string, FieldNames>();
  const shots = new Set<string>();
  const prefix = `${region}_`;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix) || OTHERS.test(name)) continue;
    const match = IMAGE.exec(name.slice(prefix.length));
    if (!match) continue;
    const [, fov, plane, channel, extension] = match as unknown as [string, string, string, string, string];
    shots.add(`${fov}_${plane}`);
    const digits = Math.min(fov.length, plane.length);
    const padded = digits > 1 && fov.length === plane.length && (fov.startsWith('0') || plane.startsWith('0'));
    if (Number(plane) === z) found.set(`${channel}.${extension}`, { digits: padded ? digits : 1, channel, extension });
  }
  if (found.size === 0 || (shots.size < 2 && !over)) return undefined;
  const names = [...found.values()];
  const others = names.length - 1;
  const rgb = names.filter(({ channel }) => /_RGB$/.test(channel));
  const [chosen, another] = names.length === 1 ? names : rgb;
  if (chosen && !another) return { names: chosen, others };
  throw new StromaflowError(
    'SLIDE_UNSUPPORTED',
    `${folder}: has ${names.length} images a field (${[...found.keys()].slice(0, 5).join(', ')}), and not one of them is called RGB`,
    { fix: 'scan one brightfield RGB image a field; red, green and blue in images of their own are not put together' },
  );
}

/**
 * Size of a field's image, by its head.
 *
 * @throws SLIDE_UNSUPPORTED for what is no RGB image of 8 bits a sample; SLIDE_UNREADABLE while it is not whole.
 */
export async function fieldSize(path: string): Promise<{ width: number; height: number }> {
  const { width, height, problem } = /\.bmp$/i.test(path) ? await bmpFacts(path) : await sharpFacts(path);
  if (problem !== undefined)
    throw new StromaflowError('SLIDE_UNSUPPORTED', `${path}: ${problem}`, {
      fix: 'write the fields in RGB with 8 bits a sample, as a colour camera or an RGB brightfield channel gives',
    });
  if (width > MAX_TILE || height > MAX_TILE)
    throw unreadable(path, `is ${width} × ${height} pixels, more than ${MAX_TILE} × ${MAX_TILE}`);
  return { width, height };
}

interface ImageFacts {
  readonly width: number;
  readonly height: number;
  readonly problem: string | undefined;
}

async function bmpFacts(path: string): Promise<ImageFacts> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(54);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const header = readBmpHeader(head.subarray(0, bytesRead));
    if (!header) throw unreadable(path, 'is not (yet) a bitmap');
    const { width, height, bits } = header;
    return { width, height, problem: bits >= 24 ? undefined : `is a bitmap of ${bits} bits a pixel, not RGB` };
  } finally {
    await file.close();
  }
}

async function sharpFacts(path: string): Promise<ImageFacts> {
  const facts = await sharp(path, { limitInputPixels: false })
    .metadata()
    .catch(cause => {
      throw new StromaflowError('SLIDE_UNREADABLE', `${basename(path)} is not (yet) an image`, { cause });
    });
  const { width, height, channels, pages = 1 } = facts;
  const problem =
    pages > 1
      ? `has ${pages} images in one file`
      : (foreignSamples(facts) ?? (channels < 3 ? 'is grey, not RGB' : undefined));
  return { width, height, problem };
}
