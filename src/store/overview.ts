import sharp from 'sharp';
import type { OverviewCanvas } from '../slide/overview.js';
import { STROMA_RGB } from './colours.js';

export const OVERVIEW_FILE = 'overview.png';

/** The picture as PNG: the slide's thumbnail with the mask tinted and outlined. */
export async function renderOverview(canvas: OverviewCanvas, coverage: Uint8Array): Promise<Uint8Array> {
  const { width, height } = canvas;
  const rgb = Uint8Array.from(new Uint8Array(canvas.shared));
  for (let i = 0; i < width * height; i++) {
    const alpha = (0.35 * coverage[i]!) / 255;
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = rgb[i * 3 + c]! * (1 - alpha) + STROMA_RGB[c]! * alpha;
  }
  return await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 6 })
    .toBuffer();
}
