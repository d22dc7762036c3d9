import type { ConvWeights } from '../weights.js';

/** Bytes that stand for numbers: x ≈ scale × (byte − zero). */
export interface Affine {
  readonly scale: number;
  /** 0 to 255. */
  readonly zero: number;
}

/** Lowest and highest value of a tensor. */
export type Range = readonly [low: number, high: number];

/** The bytes for a range, widened to hold 0, which padding and relu need exactly. */
export function affineOf([low, high]: Range): Affine {
  const [least, most] = [Math.min(low, 0), Math.max(high, 0)];
  const scale = Math.fround((most - least) / 255) || 1;
  return { scale, zero: Math.min(255, Math.max(0, Math.round(-least / scale))) };
}

/** A convolution in whole numbers: weight ≈ scales[out] × kernel, bias ≈ inputScale × scales[out] × bias. */
export interface Int8Conv {
  readonly kernel: Int8Array<ArrayBuffer>;
  /** One an output channel. */
  readonly scales: Float32Array<ArrayBuffer>;
  readonly bias: Int32Array<ArrayBuffer>;
}

/**
 * Seven bits: processors without VNNI add two products of a byte and a weight in 16 bits, and 2 · 255 · 64 fits where
 * 2 · 255 · 127 is cut off (onnxruntime, "Quantize ONNX models": reduce_range).
 */
const LARGEST_WEIGHT = 64;
/** Sums of products are added to the bias in 32 bits; this leaves them half. */
const LARGEST_BIAS = 2 ** 30;

/** Rounds a convolution, each output channel by a scale of its own. */
export function quantiseConv({ kernel, bias }: ConvWeights, outputs: number, inputScale: number): Int8Conv {
  const perChannel = kernel.length / outputs;
  const whole: Int8Conv = {
    kernel: new Int8Array(kernel.length),
    scales: new Float32Array(outputs),
    bias: new Int32Array(outputs),
  };
  for (let c = 0; c < outputs; c++) {
    const [start, end] = [c * perChannel, (c + 1) * perChannel];
    let most = 0;
    for (let i = start; i < end; i++) most = Math.max(most, Math.abs(kernel[i]!));
    const shift = bias?.[c] ?? 0;
    const scale = Math.max(most / LARGEST_WEIGHT, Math.abs(shift) / (inputScale * LARGEST_BIAS));
    // The stored scale is what the numbers are divided by, so that rounding it costs nothing.
    const stored = Math.fround(scale >= 1e-30 ? scale : 1);
    whole.scales[c] = stored;
    for (let i = start; i < end; i++)
      whole.kernel[i] = Math.max(-LARGEST_WEIGHT, Math.min(LARGEST_WEIGHT, Math.round(kernel[i]! / stored)));
    whole.bias[c] = Math.round(shift / (inputScale * stored));
  }
  return whole;
}
