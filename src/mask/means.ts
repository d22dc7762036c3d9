/**
 * Makes a raster of bytes coarser: the mean of each block's pixels inside `width` × `height`, rounded; 0 where none are.
 *
 * @param side of the raster in pixels
 * @param factor pixels of the raster a pixel of the result; a divisor of its side
 */
export function means(raster: Uint8Array, side: number, factor: number, width: number, height: number): Uint8Array {
  if (factor === 1) return raster;
  const out = new Uint8Array((side / factor) ** 2);
  for (let y = 0, at = 0; y < side; y += factor)
    for (let x = 0; x < side; x += factor, at++) {
      const across = Math.max(0, Math.min(factor, width - x));
      const down = Math.max(0, Math.min(factor, height - y));
      if (across === 0 || down === 0) continue;
      let sum = 0;
      for (let dy = 0; dy < down; dy++) for (let dx = 0; dx < across; dx++) sum += raster[(y + dy) * side + x + dx]!;
      out[at] = Math.round(sum / (across * down));
    }
  return out;
}
