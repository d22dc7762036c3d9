import { decimal } from '../decimal.js';
import { micrometresIn } from '../length-unit.js';

/** Planes that lie one behind the other in a file (OME's TiffData). */
export interface OmePlanes {
  /** Place in the main chain of the first; undefined: behind those of the elements before. */
  readonly ifd: number | undefined;
  /** Undefined: one where `ifd` is stated, else all of the image. */
  readonly count: number | undefined;
  /** Place of the first among all of the image; undefined: behind those of the elements before. */
  readonly first: Readonly<Record<Axis, number>> | undefined;
  /** UUID of the file that holds them, and its name, where they are stated. */
  uuid?: string;
  fileName?: string;
}

export type Axis = 'Z' | 'C' | 'T';

/** One image (scene, series) of an OME document. */
export interface OmeImage {
  /** Free text: never shown. */
  readonly name: string;
  readonly size: Readonly<Record<Axis, number>>;
  /** Axes of the planes, the fastest first. */
  readonly order: readonly Axis[];
  /** µm/px; NaN where it is not stated, or in no unit of length. */
  readonly spacing: { readonly x: number; readonly y: number };
  readonly planes: OmePlanes[];
}

export interface OmeDocument {
  readonly images: readonly OmeImage[];
  /** Of this file. */
  readonly uuid: string | undefined;
  /** The document stands in another file. */
  readonly elsewhere: boolean;
  /** Nominal magnification of the first objective, as it is written. */
  readonly objective: string | undefined;
}

type Attributes = ReadonlyMap<string, string>;

/** More than this is an attempt to fill memory: plates have about a thousand images, TIFFs no more directories. */
const MAX_IMAGES = 4096;
const MAX_PLANES = 16_384;

/**
 * Reads what is needed of OME-XML in one pass over the text, whose time is linear whatever it holds. What is not well-formed is
 * read as far as it makes sense.
 */
export function readOmeXml(text: string): OmeDocument {
  const reading = new Reading();
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    const skipped = skipMarkup(text, at);
    if (skipped !== undefined) {
      if (skipped < 0) break;
      at = skipped;
      continue;
    }
    NAME.lastIndex = at + 1;
    const name = NAME.exec(text)?.[1] ?? '';
    const known = ELEMENTS.has(name);
    const { attributes, end } = known ? readAttributes(text, NAME.lastIndex) : { attributes: NONE, end: at + 1 };
    const close = text.indexOf('>', end);
    if (close < 0) break;
    at = close + 1;
    if (known && !reading.element(name, attributes, text, at)) break;
  }
  return reading.document();
}

/** A start tag's name without its prefix. */
const NAME = /(?:[\w.-]{1,64}:)?([\w.-]{1,64})/y;
const ATTRIBUTE = /\s*(?:[\w.-]{1,64}:)?([\w.-]{1,64})\s*=\s*(?:"([^"]*)"|'([^']*)')/y;
const ELEMENTS = new Set(['OME', 'BinaryOnly', 'Objective', 'Image', 'Pixels', 'TiffData', 'UUID']);
const NONE: Attributes = new Map();
/** A unit, a number or a name; longer values are cut. */
const MAX_VALUE = 1024;

/** Where comments, CDATA, declarations and end tags end; −1: nowhere. Undefined for a start tag. */
function skipMarkup(text: string, at: number): number | undefined {
  const ends: readonly (readonly [start: string, end: string])[] = [
    ['<!--', '-->'],
    ['<![CDATA[', ']]>'],
    ['<!', '>'],
    ['<?', '?>'],
    ['</', '>'],
  ];
  const kind = ends.find(([start]) => text.startsWith(start, at));
  if (!kind) return undefined;
  const end = text.indexOf(kind[1], at + kind[0].length);
  return end < 0 ? -1 : end + kind[1].length;
}

function readAttributes(text: string, from: number): { attributes: Attributes; end: number } {
  const attributes = new Map<string, string>();
  let end = from;
  for (ATTRIBUTE.lastIndex = from; ; ) {
    const found = ATTRIBUTE.exec(text);
    if (!found) return { attributes, end };
    end = ATTRIBUTE.lastIndex;
    attributes.set(found[1]!, unescapeXml((found[2] ?? found[3] ?? '').slice(0, MAX_VALUE)));
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
  micro: '\u00b5',
};

/** Entities, by name or number; one that is none stays as it is. */
function unescapeXml(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(\w{2,5}));/g, (whole, ten, sixteen, name) => {
    const code = ten ? Number(ten) : sixteen ? Number.parseInt(sixteen, 16) : undefined;
    if (code !== undefined) return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
    return Object.hasOwn(ENTITIES, name) ? ENTITIES[name]! : whole;
  });
}

class Reading {
  readonly #images: OmeImage[] = [];
  #planes = 0;
  #uuid: string | undefined;
  #elsewhere = false;
  #objective: string | undefined;
  /** An image was begun, whose Pixels are still to come. */
  #name: string | undefined;

  /** @returns false when nothing more is worth reading. */
  element(name: string, attributes: Attributes, text: string, end: number): boolean {
    if (name === 'OME') this.#uuid ??= attributes.get('UUID');
    else if (name === 'BinaryOnly') this.#elsewhere = true;
    else if (name === 'Objective') this.#objective ??= attributes.get('NominalMagnification');
    else if (name === 'Image') this.#name = attributes.get('Name') ?? '';
    else if (name === 'Pixels') this.#pixels(attributes);
    else if (name === 'TiffData') this.#tiffData(attributes);
    else this.#uuidOfPlanes(attributes, text.slice(end, end + MAX_VALUE));
    return this.#images.length <= MAX_IMAGES && this.#planes <= MAX_PLANES;
  }

  document(): OmeDocument {
    const uuid = this.#uuid?.trim().toLowerCase();
    return { images: this.#images, uuid, elsewhere: this.#elsewhere, objective: this.#objective };
  }

  #pixels(attributes: Attributes): void {
    const size = (axis: string) => count(attributes.get(`Size${axis}`)) || 1;
    const spacing = (axis: string) => {
      const unit = micrometresIn(attributes.get(`PhysicalSize${axis}Unit`) ?? 'um');
      return decimal(attributes.get(`PhysicalSize${axis}`)) * (unit ?? Number.NaN);
    };
    const order = [...(attributes.get('DimensionOrder') ?? '').toUpperCase()].filter(isAxis);
    this.#images.push({
      name: this.#name ?? '',
      size: { Z: size('Z'), C: size('C'), T: size('T') },
      order: new Set(order).size === 3 && order.length === 3 ? order : ['C', 'Z', 'T'],
      spacing: { x: spacing('X'), y: spacing('Y') },
      planes: [],
    });
    this.#name = undefined;
  }

  #tiffData(attributes: Attributes): void {
    const number = (name: string) => count(attributes.get(name));
    const [Z, C, T] = [number('FirstZ'), number('FirstC'), number('FirstT')];
    const isStated = Z !== undefined || C !== undefined || T !== undefined;
    const first = isStated ? { Z: Z ?? 0, C: C ?? 0, T: T ?? 0 } : undefined;
    this.#images.at(-1)?.planes.push({ ifd: number('IFD'), count: number('PlaneCount'), first });
    this.#planes += 1;
  }

  #uuidOfPlanes(attributes: Attributes, text: string): void {
    const planes = this.#images.at(-1)?.planes.at(-1);
    if (!planes) return;
    const fileName = attributes.get('FileName');
    if (fileName !== undefined) planes.fileName = fileName;
    planes.uuid = /^[^<]*/.exec(text)![0].trim().toLowerCase();
  }
}

const isAxis = (letter: string): letter is Axis => letter === 'Z' || letter === 'C' || letter === 'T';

/** A whole number ≥ 0 of sane size. */
function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\s{0,16}\d{1,9}\s{0,16}$/.test(text) ? Number(text) : undefined;
}
