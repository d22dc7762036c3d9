/** Values of elements as numbers and text (DICOM PS3.5, section 6.2). */

export const asText = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trim();

/** The values of a DS or IS element; none when one of them is no number. */
export function asNumbers(bytes: Buffer): number[] {
  const numbers = asText(bytes)
    .split('\\')
    .map(text => (text.trim() === '' ? Number.NaN : Number(text)));
  return numbers.every(Number.isFinite) ? numbers : [];
}

export const asUint16 = (bytes: Buffer): number => (bytes.length >= 2 ? bytes.readUInt16LE() : 0);
export const asUint32 = (bytes: Buffer): number => (bytes.length >= 4 ? bytes.readUInt32LE() : asUint16(bytes));
export const asInt32 = (bytes: Buffer): number => (bytes.length >= 4 ? bytes.readInt32LE() : 0);
export const asFloat = (bytes: Buffer): number => (bytes.length >= 4 ? bytes.readFloatLE() : Number.NaN);
