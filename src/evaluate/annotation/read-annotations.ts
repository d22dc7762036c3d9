import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { StromaflowError, toStromaflowError } from '../../errors.js';
import { decodeText } from '../../text.js';
import { parseAsap } from './asap.js';
import { darwinShapes } from './darwin.js';
import { type ForeignFormat, foreignJson, foreignTable, foreignXml } from './foreign.js';
import { geoJsonShapes } from './geojson.js';
import type { AnnotatedShape } from './shape.js';

/** The programs whose annotations are read. */
export type AnnotationFormat = 'ASAP' | 'GeoJSON' | 'Darwin';

export interface AnnotationFile {
  readonly format: AnnotationFormat;
  /** Everything the file holds, areas or not, parents before their children. */
  readonly shapes: readonly AnnotatedShape[];
}

/** Largest text a compressed file may hold, in bytes. */
const MAX_TEXT = 512 << 20;

/**
 * Reads an annotation file, compressed with gzip or not. What it is, its content says: programs share the ending .json.
 * @throws LABELS_INVALID naming the file, and the format where it is one that is known and not read
 */
export async function readAnnotations(path: string): Promise<AnnotationFile> {
  try {
    return parseAnnotations(decodeText(unzip(await readFile(path))));
  } catch (error) {
    const { message } = toStromaflowError(error);
    const fix = error instanceof StromaflowError ? { fix: error.fix } : {};
    throw new StromaflowError('LABELS_INVALID', `${path}: ${message.split('\n', 1)[0]}`, { cause: error, ...fix });
  }
}

const unzip = (bytes: Buffer): Buffer =>
  bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes, { maxOutputLength: MAX_TEXT }) : bytes;

/** @throws Error saying what is wrong with the text */
function parseAnnotations(text: string): AnnotationFile {
  const start = /[^\s]/.exec(text)?.[0];
  if (start === '<') {
    refuse(/<ASAP_Annotations[\s>/]/.test(text) ? undefined : foreignXml(text));
    return { format: 'ASAP', shapes: parseAsap(text) };
  }
  if (start !== '{' && start !== '[') {
    refuse(foreignTable(text));
    throw new Error('it is neither JSON nor XML');
  }
  const json: unknown = JSON.parse(text);
  refuse(foreignJson(json));
  return isDarwin(json)
    ? { format: 'Darwin', shapes: darwinShapes(json) }
    : { format: 'GeoJSON', shapes: geoJsonShapes(json) };
}

const isDarwin = (json: unknown): boolean => typeof json === 'object' && json !== null && 'annotations' in json;

function refuse(foreign: ForeignFormat | undefined): void {
  if (foreign) {
    throw new StromaflowError('LABELS_INVALID', `it is ${foreign.name}, which is not read`, { fix: foreign.fix });
  }
}
