/**
 * NumPy's .npy format, version 1.0 (numpy.lib.format): magic, header length, a Python literal padded to 64 bytes, data.
 * float32, C order, little-endian.
 */
export function encodeNpy(values: Float32Array, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const literal = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + literal.length + 1) / 64) * 64;
  const file = new Uint8Array(length + values.byteLength);
  file.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  new DataView(file.buffer).setUint16(8, length - 10, true);
  file.fill(0x20, 10, length);
  file.set(new TextEncoder().encode(literal), 10);
  file[length - 1] = 0x0a;
  file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), length);
  return file;
}
