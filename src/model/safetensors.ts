import { type FileHandle, open } from 'node:fs/promises';
import { StromaflowError, shown } from '../errors.js';
import { bfloatToFloat, halfToFloat } from './float16.js';

/**
 * Reader of the safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
 * Rules checked here are those of the format's reference implementation (huggingface/safetensors, README "Format"):
 * a header of at most 100 MB that starts with `{`, no duplicate names, offsets in range, no holes and no overlaps.
 */

/** Bytes an element takes, by safetensors dtype name. */
const BYTES: ReadonlyMap<unknown, number> = new Map([
  ...['BOOL', 'U8', 'I8', 'F8_E4M3', 'F8_E5M2'].map(dtype => [dtype, 1] as const),
  ...['I16', 'U16', 'F16', 'BF16'].map(dtype => [dtype, 2] as const),
  ...['I32', 'U32', 'F32'].map(dtype => [dtype, 4] as const),
  ...['I64', 'U64', 'F64'].map(dtype => [dtype, 8] as const),
]);

/** Types weights may have. */
export const FLOATS: readonly string[] = ['F32', 'F16', 'BF16'];

export const notFloat = (path: string, name: string, dtype: string): StromaflowError =>
  new StromaflowError('MODEL_UNSUPPORTED', `${path}: tensor ${name} is ${dtype}`, {
    fix: 'store weights as float32, float16 or bfloat16',
  });

const MAX_HEADER = 100_000_000;

/** Where a tensor lies in the file. */
export interface TensorEntry {
  readonly name: string;
  /** safetensors name of the element type: 'F32', 'F16', 'BF16', 'I64', … */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Absolute position in the file, and length, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Parses and checks a header. `fileBytes` is the whole file's length. Throws MODEL_INVALID, naming `path`. */
export function parseHeader(header: Uint8Array, fileBytes: number, path: string): Map<string, TensorEntry> {
  const invalid = (what: string, cause?: unknown) =>
    new StromaflowError('MODEL_INVALID', `${path}: ${what}`, { cause });
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid('the header is not JSON', cause);
  }
  if (!isRecord(json)) throw invalid('the header is not a JSON object');
  const duplicate = firstDuplicateKey(text);
  if (duplicate !== undefined) throw invalid(`tensor ${duplicate} is listed twice`);

  const start = 8 + header.length;
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of Object.entries(json)) {
    if (name === '__metadata__') continue;
    tensors.set(name, parseEntry(name, entry, start, fileBytes, invalid));
  }

  const ordered = [...tensors.values()].sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = start;
  for (const tensor of ordered) {
    if (tensor.offset < end) throw invalid(`tensor ${tensor.name} overlaps another one`);
    if (tensor.offset > end) throw invalid(`${tensor.offset - end} unused bytes before tensor ${tensor.name}`);
    end = tensor.offset + tensor.bytes;
  }
  if (end !== fileBytes) throw invalid(`the file has ${fileBytes} bytes, its header describes ${end}`);
  return tensors;
}

function parseEntry(
  name: string,
  entry: unknown,
  start: number,
  fileBytes: number,
  invalid: (what: string) => StromaflowError,
): TensorEntry {
  if (!isRecord(entry)) throw invalid(`tensor ${name} has no description`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const elementBytes = BYTES.get(dtype);
  if (typeof dtype !== 'string' || elementBytes === undefined)
    throw invalid(`tensor ${name} has the unknown type ${shown(dtype)}`);
  if (!isSizes(shape)) throw invalid(`tensor ${name} has the malformed shape ${shown(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!)
    throw invalid(`tensor ${name} has malformed data_offsets ${shown(offsets)}`);
  const bytes = offsets[1]! - offsets[0]!;
  const offset = start + offsets[0]!;
  const needed = shape.reduce((product, size) => product * size, elementBytes);
  if (needed !== bytes)
    throw invalid(`tensor ${name} of ${dtype} [${shape.join(', ')}] needs ${needed} bytes but is given ${bytes}`);
  if (offset + bytes > fileBytes) throw invalid(`tensor ${name} lies past the end of the file`);
  return { name, dtype, shape, offset, bytes };
}

/** A safetensors file, its header read and checked. Close it. */
export class SafetensorsFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** What the writer noted, text by name. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: FileHandle;

  private constructor(path: string, header: Header, file: FileHandle) {
    this.path = path;
    this.tensors = header.tensors;
    this.metadata = header.metadata;
    this.#file = file;
  }

  /** Throws MODEL_NOT_FOUND or MODEL_INVALID. */
  static async open(path: string): Promise<SafetensorsFile> {
    const file = await open(path, 'r').catch(cause => {
      throw new StromaflowError('MODEL_NOT_FOUND', `${path} cannot be opened`, { cause });
    });
    try {
      if (!(await file.stat()).isFile())
        throw new StromaflowError('MODEL_INVALID', `${path} is no file`, { fix: 'give the .safetensors file itself' });
      return new SafetensorsFile(path, await readHeader(file, path), file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * One tensor as float32 in the file's (C) order. Throws MODEL_TENSOR when it is absent, MODEL_UNSUPPORTED when it
   * is not F32, F16 or BF16, MODEL_INVALID when a value is not finite (training diverged, or the file is damaged).
   */
  async read(name: string): Promise<Float32Array<ArrayBuffer>> {
    const { dtype } = this.#entry(name);
    if (!FLOATS.includes(dtype)) throw notFloat(this.path, name, dtype);
    const bytes = await this.bytes(name);
    const values = widen(bytes, dtype);
    const wrong = values.findIndex(value => !Number.isFinite(value));
    if (wrong >= 0)
      throw new StromaflowError('MODEL_INVALID', `${this.path}: tensor ${name} holds ${values[wrong]} at ${wrong}`);
    return values;
  }

  /** One tensor's bytes as they are stored. Throws MODEL_TENSOR when it is absent. */
  async bytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.#entry(name);
    const bytes = new Uint8Array(entry.bytes);
    const { bytesRead } = await this.#file.read(bytes, 0, entry.bytes, entry.offset);
    if (bytesRead !== entry.bytes)
      throw new StromaflowError('MODEL_INVALID', `${this.path}: cut off in tensor ${name}`);
    return bytes;
  }

  #entry(name: string): TensorEntry {
    const entry = this.tensors.get(name);
    if (entry) return entry;
    throw new StromaflowError('MODEL_TENSOR', `${this.path}: tensor ${name} is missing`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

interface Header {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

async function readHeader(file: FileHandle, path: string): Promise<Header> {
  const invalid = (what: string) => new StromaflowError('MODEL_INVALID', `${path}: ${what}`);
  const { size } = await file.stat();
  const prefix = new Uint8Array(8);
  if ((await file.read(prefix, 0, 8, 0)).bytesRead !== 8) throw invalid('too short to be a safetensors file');
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER) || length + 8n > BigInt(size))
    throw invalid(`not a safetensors file (its first bytes announce a header of ${length} bytes)`);
  const header = new Uint8Array(Number(length));
  await file.read(header, 0, header.length, 8);
  if (header[0] !== 0x7b) throw invalid('not a safetensors file (its header does not start with {)');
  return { tensors: parseHeader(header, size, path), metadata: metadataOf(header) };
}

/** Of a header that has been checked. */
function metadataOf(header: Uint8Array): Record<string, string> {
  const { __metadata__: noted } = JSON.parse(new TextDecoder().decode(header)) as Record<string, unknown>;
  const texts = Object.entries(isRecord(noted) ? noted : {}).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts) as Record<string, string>;
}

function widen(bytes: Uint8Array<ArrayBuffer>, dtype: string): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') return new Float32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer);
  return dtype === 'F16' ? halfToFloat(halves) : bfloatToFloat(halves);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0);
}

/** JSON.parse keeps the last of equal keys, silently; a weight file with two is damaged or hostile. */
function firstDuplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      const begin = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (depth !== 1) continue;
      let after = i + 1;
      while (/\s/.test(text[after] ?? '')) after++;
      if (text[after] !== ':') continue;
      const key = JSON.parse(text.slice(begin, i + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
