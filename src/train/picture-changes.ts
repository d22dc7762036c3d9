import type { ColourChange } from './augmentation.js';
import { clampByte, type Window } from './window.js';

/** Rec. 601 luma. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Brightness first, then contrast around the picture's mean luma, then saturation around each pixel's luma. */
export function changeColour(window: Window, { brightness, contrast, saturation }: ColourChange): void {
  const mean = meanLuma(window) * brightness;
  const [red, green, blue] = LUMA;
  const offset = mean * (1 - contrast);
  const factor = brightness * contrast;
  each(window, (pixels, at) => {
    const r = offset + pixels[at]! * factor;
    const g = offset + pixels[at + 1]! * factor;
    const b = offset + pixels[at + 2]! * factor;
    const grey = (r * red + g * green + b * blue) * (1 - saturation);
    pixels[at] = clampByte(grey + r * saturation);
    pixels[at + 1] = clampByte(grey + g * saturation);
    pixels[at + 2] = clampByte(grey + b * saturation);
  });
}

function meanLuma(window: Window): number {
  let sum = 0;
  let count = 0;
  each(window, (pixels, at) => {
    sum += pixels[at]! * LUMA[0] + pixels[at + 1]! * LUMA[1] + pixels[at + 2]! * LUMA[2];
    count++;
  });
  return count > 0 ? sum / count : 0;
}

function each({ pixels, stride, left, top, right, bottom }: Window, visit: (pixels: Uint8Array, at: number) => void) {
  for (let y = top; y < bottom; y++)
    for (let x = left, at = (y * stride + left) * 3; x < right; x++, at += 3) visit(pixels, at);
}

/** Gaussian blur, rows then columns; at the window's edge its outermost pixel is repeated. */
export function blur(window: Window, sigma: number): void {
  const { pixels, stride, left, top, right, bottom } = window;
  const weights = gaussian(sigma);
  const [width, height] = [right - left, bottom - top];
  if (width <= 0 || height <= 0) return;
  for (let y = top; y < bottom; y++) convolve(pixels, (y * stride + left) * 3, 3, width, weights);
  for (let x = left; x < right; x++) convolve(pixels, (top * stride + x) * 3, stride * 3, height, weights);
}

/** Weights from the middle outwards; both sides together sum to 1. */
function gaussian(sigma: number): number[] {
  const radius = Math.ceil(3 * sigma);
  const raw = Array.from({ length: radius + 1 }, (_, i) => Math.exp(-(i * i) / (2 * sigma * sigma)));
  const sum = raw[0]! + 2 * raw.slice(1).reduce((a, b) => a + b, 0);
  return raw.map(weight => weight / sum);
}

/** One line of `count` pixels that are `step` bytes apart. */
function convolve(pixels: Uint8Array, start: number, step: number, count: number, weights: readonly number[]): void {
  const line = new Float64Array(count);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < count; i++) line[i] = pixels[start + i * step + c]!;
    for (let i = 0; i < count; i++) {
      let sum = line[i]! * weights[0]!;
      for (let k = 1; k < weights.length; k++)
        sum += weights[k]! * (line[Math.max(0, i - k)]! + line[Math.min(count - 1, i + k)]!);
      pixels[start + i * step + c] = clampByte(sum);
    }
  }
}
