import { createHash } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { MaskPolygon } from '../mask/polygons.js';
import type { Ring } from '../mask/rings.js';
import type { PatchPlan } from '../read/patch.js';
import { STROMA_RGB } from './colours.js';
import { FinalFile } from './final-file.js';
import { TextBytes } from './text-bytes.js';

export const POLYGON_FILE = 'mask.geojson';

/** Files are no larger than this, so that viewers open them. */
export const PART_BYTES = 100e6;

const HEAD = '{"type":"FeatureCollection","features":[';
const TAIL = '\n]}\n';

export interface PolygonCounts {
  readonly polygons: number;
  readonly holes: number;
  /** mm². */
  readonly areaMm2: number;
  /** Names of the files, where one would be too large. */
  readonly parts?: readonly string[];
}

/**
 * Streams polygons into a GeoJSON FeatureCollection as QuPath imports it: one annotation of class Stroma a polygon,
 * coordinates in level-0 pixels, from the corner of the scanned part where the slide states one: QuPath shows no more. An annotation's id depends on the slide and its place only, so that a run repeated
 * gives the same file. What would make a file larger than `most` bytes goes on in another, mask-2.geojson and so on; a polygon is never cut.
 */
export class PolygonFiles {
  readonly #folder: string;
  readonly #plan: PatchPlan;
  readonly #most: number;
  readonly #files: FinalFile[] = [];
  readonly #text = new TextBytes();
  #bytes = 0;
  #inFile = 0;
  #polygons = 0;
  #holes = 0;
  #pixels = 0;

  /** @param most bytes of a file */
  constructor(folder: string, plan: PatchPlan, most = PART_BYTES) {
    this.#folder = folder;
    this.#plan = plan;
    this.#most = most;
  }

  write(polygon: MaskPolygon): void {
    const text = this.#text;
    text.clear();
    feature(polygon, this.#plan, text);
    const bytes = SEPARATOR_BYTES + text.length;
    if (this.#files.length === 0 || (this.#inFile > 0 && this.#bytes + bytes + TAIL.length > this.#most)) this.#next();
    const file = this.#files.at(-1)!;
    file.put(this.#inFile === 0 ? '\n' : ',\n');
    file.put(text.bytes);
    this.#bytes += bytes;
    this.#inFile += 1;
    this.#polygons += 1;
    this.#holes += polygon.holes.length;
    this.#pixels += polygon.area;
  }

  /** Puts the files in their places, once nothing of them lacks; those of an earlier end that there are more of are removed. */
  finish(): PolygonCounts {
    if (this.#files.length === 0) this.#next();
    this.#end();
    const parts = this.#files.map((_, i) => partName(i));
    for (const file of this.#files) file.commit();
    for (const name of otherParts(this.#folder)) if (!parts.includes(name)) rmSync(join(this.#folder, name));
    return {
      ...{ polygons: this.#polygons, holes: this.#holes, areaMm2: (this.#pixels * this.#plan.mpp ** 2) / 1e6 },
      ...(parts.length > 1 ? { parts } : {}),
    };
  }

  /** Removes what was written. */
  discard(): void {
    for (const file of this.#files) file.discard();
  }

  #next(): void {
    this.#end();
    const file = new FinalFile(this.#folder, partName(this.#files.length));
    this.#files.push(file);
    file.put(HEAD);
    this.#bytes = HEAD.length;
    this.#inFile = 0;
  }

  #end(): void {
    const file = this.#files.at(-1);
    file?.put(TAIL);
    file?.seal();
  }
}

const partName = (index: number): string => (index === 0 ? POLYGON_FILE : `mask-${index + 1}.geojson`);

/** Names of files in a folder that hold what the first had no room for. */
export const otherParts = (folder: string): string[] =>
  readdirSync(folder).filter(name => /^mask-\d+\.geojson$/.test(name));

/** Between two features, at most. */
const SEPARATOR_BYTES = 2;

function feature({ exterior, holes, area, corner }: MaskPolygon, plan: PatchPlan, text: TextBytes): void {
  const measured = Math.round(area * plan.mpp ** 2 * 1000) / 1000;
  text.text(
    `{"type":"Feature","id":"${annotationId(plan.slide, corner)}","geometry":{"type":"Polygon","coordinates":[`,
  );
  writeRing(exterior, plan, text);
  for (const hole of holes) {
    text.char(COMMA);
    writeRing(hole, plan, text);
  }
  text.text(
    `]},"properties":{"objectType":"annotation","classification":{"name":"Stroma","color":[${STROMA_RGB.join(',')}]},` +
      `"measurements":{"Area µm^2":${measured}}}}`,
  );
}

const [COMMA, OPEN, CLOSE] = [0x2c, 0x5b, 0x5d];

/** Plan pixels become level-0 pixels, to a hundredth; the last column ends where the slide does. Closed: the first corner comes again. */
function writeRing(ring: Ring, { downsample, slideWidth, slideHeight, bounds }: PatchPlan, text: TextBytes): void {
  const { x: left, y: top } = bounds ?? { x: 0, y: 0 };
  const placed = (value: number, limit: number, origin: number): number =>
    Math.round((Math.min(limit, value * downsample) - origin) * 100);
  text.char(OPEN);
  for (let i = 0; i <= ring.length; i += 2) {
    const at = i < ring.length ? i : 0;
    text.char(OPEN);
    text.hundredths(placed(ring[at]!, slideWidth, left));
    text.char(COMMA);
    text.hundredths(placed(ring[at + 1]!, slideHeight, top));
    text.char(CLOSE);
    if (i < ring.length) text.char(COMMA);
  }
  text.char(CLOSE);
}

/** A name-based UUID (RFC 9562 §5.8, version 8) of the slide and the polygon's topmost left corner. */
function annotationId(slide: string, [x, y]: MaskPolygon['corner']): string {
  const hash = createHash('sha1').update(`${slide} ${x} ${y}`).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x80;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
