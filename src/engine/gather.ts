/**
 * The patches of a batch as one piece of memory that a native library accepts: where they already lie one behind the other in
 * memory that is not shared, that memory itself; else a copy.
 *
 * @param into room for the batch; used only where a copy is needed
 */
export function gather(patches: readonly Uint8Array[], into: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = patches[0]!;
  const inPlace =
    buffer instanceof ArrayBuffer &&
    patches.every((patch, i) => patch.buffer === buffer && patch.byteOffset === byteOffset + i * length);
  if (inPlace) return new Uint8Array(buffer, byteOffset, patches.length * length);
  patches.forEach((patch, i) => void into.set(patch, i * length));
  return into.subarray(0, patches.length * length);
}
