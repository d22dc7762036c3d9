/** One component of a frame: sampling factors and the tables it uses. */
export interface JpegComponent {
  readonly across: number;
  readonly down: number;
  readonly quantiser: number;
  readonly dc: number;
  readonly ac: number;
}

/** What the exact decoder must know of a JPEG; places are offsets into the stream. */
export interface ExactHeader {
  readonly width: number;
  readonly height: number;
  /** The components are YCbCr, or RGB or grey as they are. */
  readonly yCbCr: boolean;
  readonly components: readonly JpegComponent[];
  /** By slot: 64 values of 1 or 2 bytes. */
  readonly quantisers: ReadonlyMap<number, { readonly at: number; readonly bytes: 1 | 2 }>;
  /** By slot (DC 0–3, AC 4–7): 16 counts and the symbols. */
  readonly huffman: ReadonlyMap<number, { readonly at: number; readonly length: number }>;
  /** MCUs between restart markers; 0 without. */
  readonly interval: number;
  readonly scanAt: number;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly parts: readonly { id: number; across: number; down: number; quantiser: number }[];
}

/**
 * Reads the headers of a sequential Huffman-coded JPEG of one scan, as all scanners write them; undefined for any other, and
 * for what is not sound. Colours are told as libjpeg tells them: JFIF is YCbCr, else Adobe's marker says it, else the
 * components' names.
 */
export function readExactHeader(stream: Buffer): ExactHeader | undefined {
  const quantisers = new Map<number, { at: number; bytes: 1 | 2 }>();
  const huffman = new Map<number, { at: number; length: number }>();
  let frame: Frame | undefined;
  let interval = 0;
  let jfif = false;
  let adobe: number | undefined;
  if (stream.length < 4 || stream.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 4 <= stream.length; ) {
    if (stream[at] !== 0xff) return undefined;
    const marker = stream[at + 1]!;
    if (marker === 0xff) {
      at++;
      continue;
    }
    const start = at + 4;
    const end = at + 2 + stream.readUInt16BE(at + 2);
    if (end < start || end > stream.length) return undefined;
    if (marker === 0xdb) {
      if (!readQuantisers(stream, start, end, quantisers)) return undefined;
    } else if (marker === 0xc4) {
      if (!readHuffman(stream, start, end, huffman)) return undefined;
    } else if (marker === 0xdd) {
      if (end - start !== 2) return undefined;
      interval = stream.readUInt16BE(start);
    } else if (marker === 0xe0) jfif ||= end - start >= 14 && stream.toString('latin1', start, start + 5) === 'JFIF\0';
    else if (marker === 0xee) {
      if (end - start >= 12 && stream.toString('latin1', start, start + 5) === 'Adobe') adobe = stream[start + 11];
    } else if (marker === 0xc0 || marker === 0xc1) {
      if (frame) return undefined;
      frame = readFrame(stream, start, end);
      if (!frame) return undefined;
    } else if (marker === 0xda) {
      const components = frame && readScan(stream, start, end, frame);
      if (!frame || !components) return undefined;
      const yCbCr = isYCbCr(frame, jfif, adobe);
      if (yCbCr === undefined) return undefined;
      const { width, height } = frame;
      return { width, height, yCbCr, components, quantisers, huffman, interval, scanAt: end };
    } else if (marker < 0xe0 || (marker > 0xef && marker !== 0xfe)) return undefined;
    at = end;
  }
  return undefined;
}

function readQuantisers(stream: Buffer, start: number, end: number, into: Map<number, { at: number; bytes: 1 | 2 }>) {
  for (let at = start; at < end; ) {
    const head = stream[at]!;
    const bytes = head >> 4 === 0 ? 1 : 2;
    if (head >> 4 > 1 || (head & 15) > 3 || at + 1 + 64 * bytes > end) return false;
    into.set(head & 15, { at: at + 1, bytes });
    at += 1 + 64 * bytes;
  }
  return true;
}

function readHuffman(stream: Buffer, start: number, end: number, into: Map<number, { at: number; length: number }>) {
  for (let at = start; at < end; ) {
    const head = stream[at]!;
    if (head >> 4 > 1 || (head & 15) > 3 || at + 17 > end) return false;
    let symbols = 0;
    for (let i = 1; i <= 16; i++) symbols += stream[at + i]!;
    if (symbols > 256 || at + 17 + symbols > end) return false;
    into.set((head >> 4) * 4 + (head & 15), { at: at + 1, length: 16 + symbols });
    at += 17 + symbols;
  }
  return true;
}

function readFrame(stream: Buffer, start: number, end: number): Frame | undefined {
  if (end - start < 6 || stream[start] !== 8) return undefined;
  const count = stream[start + 5]!;
  if ((count !== 1 && count !== 3) || end - start !== 6 + count * 3) return undefined;
  const parts = Array.from({ length: count }, (_, i) => {
    const at = start + 6 + i * 3;
    const sampling = stream[at + 1]!;
    return { id: stream[at]!, across: sampling >> 4, down: sampling & 15, quantiser: stream[at + 2]! };
  });
  const height = stream.readUInt16BE(start + 1);
  const width = stream.readUInt16BE(start + 3);
  // Chroma of half the size is smoothed when there are more than two samples of it in a row.
  const halved = parts[0]!.across === 2 && count === 3;
  if (width < (halved ? 5 : 1) || height < 1 || parts.some(({ quantiser }) => quantiser > 3)) return undefined;
  return { width, height, parts };
}

/** The components of the scan, when it is the only one, complete, and of a sampling that is known. */
function readScan(stream: Buffer, start: number, end: number, { parts }: Frame): JpegComponent[] | undefined {
  const count = parts.length;
  if (stream[start] !== count || end - start !== 4 + count * 2) return undefined;
  const [first, last, bits] = stream.subarray(end - 3, end) as unknown as [number, number, number];
  if (first !== 0 || last !== 63 || bits !== 0) return undefined;
  const components: JpegComponent[] = [];
  for (const [i, { id, across, down, quantiser }] of parts.entries()) {
    const tables = stream[start + 2 + i * 2]!;
    if (stream[start + 1 + i * 2] !== id || tables >> 4 > 3 || (tables & 15) > 3) return undefined;
    const known = i === 0 ? across >= 1 && across <= 2 && down >= 1 && down <= 2 : across === 1 && down === 1;
    // A scan of one component has its blocks one by one, whatever its sampling.
    if (count === 1) components.push({ across: 1, down: 1, quantiser, dc: tables >> 4, ac: tables & 15 });
    else if (!known) return undefined;
    else components.push({ across, down, quantiser, dc: tables >> 4, ac: tables & 15 });
  }
  return components;
}

function isYCbCr({ parts }: Frame, jfif: boolean, adobe: number | undefined): boolean | undefined {
  if (parts.length === 1) return false;
  if (jfif) return true;
  if (adobe !== undefined) return adobe > 1 ? undefined : adobe === 1;
  return String.fromCharCode(...parts.map(({ id }) => id)) !== 'RGB';
}
