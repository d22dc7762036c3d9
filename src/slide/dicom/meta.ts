import { type ByteReader, type ByteSource, ByteReader as Reader } from './byte-reader.js';
import { damaged, readElement } from './data-set.js';
import { TAG } from './tags.js';
import { asText } from './values.js';

/** Preamble of 128 bytes and 'DICM' (PS3.10, section 7.1). */
const META_AT = 132;

/** From the file meta information: what the object is and its transfer syntax, and where the data set starts. */
export function readMeta(file: ByteSource): { sopClass: string; syntax: string; end: number } {
  const reader = new Reader(file, META_AT);
  let sopClass = '';
  let syntax = '';
  let end: number | undefined;
  while (end === undefined ? isMeta(reader) : reader.position < end) {
    const { tag, length } = readElement(reader, true);
    if (length > reader.left) throw reader.truncated();
    if (tag === TAG.fileMetaInformationGroupLength && length === 4) end = reader.uint32() + reader.position;
    else if (tag === TAG.transferSyntaxUid && length <= 64) syntax = asText(reader.bytes(length));
    else if (tag === TAG.mediaStorageSopClassUid && length <= 64) sopClass = asText(reader.bytes(length));
    else reader.skip(length);
  }
  if (end !== undefined && reader.position !== end) throw damaged(reader, 'has meta information of the wrong length');
  return { sopClass, syntax, end: reader.position };
}

function isMeta(reader: ByteReader): boolean {
  const group = reader.uint16();
  reader.position -= 2;
  return group === 0x0002;
}
