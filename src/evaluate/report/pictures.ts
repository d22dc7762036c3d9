import sharp from 'sharp';
import type { PatchLabels } from '../patch-labels.js';

/** What a picture is drawn from: a patch's core. */
export interface PatchPixels {
  /** side × side × 3 bytes of RGB. */
  readonly rgb: Uint8Array;
  readonly labels: PatchLabels;
}

export interface PictureSet {
  readonly image: string;
  readonly truth: string;
  /** One a model: its mask, and where it is wrong. */
  readonly models: readonly { readonly mask: string; readonly errors: string }[];
}

type Colour = readonly [number, number, number];

/** Okabe and Ito's colours. */
export const TINT: Colour = [0, 158, 115];
export const FALSE_POSITIVE: Colour = [213, 94, 0];
export const FALSE_NEGATIVE: Colour = [0, 114, 178];

const WHITE: Colour = [255, 255, 255];
const HATCH: Colour = [70, 70, 70];

/** Longest side of a picture in the report, in pixels: sharp on screens twice as dense as the page. */
const LONGEST = 340;

/**
 * Draws a patch as data URIs (JPEG): the image, the annotated stroma in it, and for each model its mask in it and its
 * errors over a grey copy. Ignored pixels are hatched. Padding is cut off.
 */
export async function drawPatch(patch: PatchPixels, masks: readonly Uint8Array[]): Promise<PictureSet> {
  const { rgb, labels } = patch;
  const truth = overlay(rgb, labels, labels.positive, hatched(labels));
  return {
    image: await encode(rgb, labels),
    truth: await encode(truth, labels),
    models: await Promise.all(
      masks.map(async mask => ({
        mask: await encode(overlay(rgb, labels, mask), labels),
        errors: await encode(errorMap(rgb, labels, mask), labels),
      })),
    ),
  };
}

/** Shows set pixels as they are, within an outline, and fades the others: stain colours stay readable. */
function overlay(
  rgb: Uint8Array,
  labels: PatchLabels,
  bits: Uint8Array,
  hatch: (x: number, y: number) => boolean = () => false,
): Uint8Array {
  const out = new Uint8Array(rgb);
  const { side, width, height } = labels;
  const at = reader(bits, side);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y * side + x) * 3;
      if (!at(x, y)) blend(out, i, WHITE, 0.6);
      else if (isRim(at, x, y, width, height)) blend(out, i, TINT, 1);
      if (hatch(x, y)) blend(out, i, HATCH, 0.55);
    }
  }
  return out;
}

function errorMap(rgb: Uint8Array, labels: PatchLabels, mask: Uint8Array): Uint8Array {
  const out = new Uint8Array(rgb.length);
  const { side, width, height } = labels;
  const predicted = reader(mask, side);
  const truth = reader(labels.positive, side);
  const ignored = reader(labels.ignored, side);
  const hatch = hatched(labels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = (y * side + x) * 3;
      // Rec. 601 luma, lightened so that the colours stand out.
      const grey = 0.5 * (0.299 * rgb[i]! + 0.587 * rgb[i + 1]! + 0.114 * rgb[i + 2]!) + 120;
      out.fill(grey, i, i + 3);
      if (ignored(x, y)) {
        if (hatch(x, y)) blend(out, i, HATCH, 0.55);
        continue;
      }
      const [says, is] = [predicted(x, y), truth(x, y)];
      if (says && is) blend(out, i, TINT, 0.3);
      else if (says) blend(out, i, FALSE_POSITIVE, 0.75);
      else if (is) blend(out, i, FALSE_NEGATIVE, 0.75);
    }
  }
  return out;
}

/** Diagonal lines over ignored pixels. */
function hatched(labels: PatchLabels): (x: number, y: number) => boolean {
  const ignored = reader(labels.ignored, labels.side);
  return (x, y) => (x + y) % 12 < 2 && ignored(x, y);
}

function reader(bits: Uint8Array, side: number): (x: number, y: number) => boolean {
  const stride = side >> 3;
  return (x, y) => (bits[y * stride + (x >> 3)]! & (128 >> (x & 7))) !== 0;
}

/** A set pixel within two pixels of one that is not set. */
function isRim(at: (x: number, y: number) => boolean, x: number, y: number, width: number, height: number): boolean {
  for (const [dx, dy] of RIM) {
    const [nx, ny] = [x + dx, y + dy];
    if (nx >= 0 && ny >= 0 && nx < width && ny < height && !at(nx, ny)) return true;
  }
  return false;
}

const RIM = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
  [-2, 0],
  [2, 0],
  [0, -2],
  [0, 2],
] as const;

function blend(pixels: Uint8Array, at: number, colour: Colour, strength: number): void {
  for (let c = 0; c < 3; c++) pixels[at + c] = pixels[at + c]! * (1 - strength) + colour[c]! * strength;
}

async function encode(rgb: Uint8Array, { side, width, height }: PatchLabels): Promise<string> {
  const scale = LONGEST / Math.max(width, height);
  const jpeg = await sharp(rgb, { raw: { width: side, height: side, channels: 3 } })
    .extract({ left: 0, top: 0, width, height })
    .resize(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)), { fit: 'fill' })
    .jpeg({ quality: 80, chromaSubsampling: '4:4:4' })
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}
