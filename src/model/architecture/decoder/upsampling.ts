import type { Options } from '../options.js';

/**
 * Reads `upsampling`, by which the head enlarges the logits. Only `needed`, the image's side ÷ the decoder's output, gives a mask of
 * the patch's size; others are refused.
 */
export function upsamplingOf(options: Options, otherwise: number, needed: number): number {
  const upsampling = options.integer('upsampling', otherwise, 1, 32);
  if (upsampling === needed) return upsampling;
  throw options.unsupported('upsampling', upsampling, `the mask is of the patch's size with ${needed} only`, {
    fix: `state "upsampling": ${needed} in config.json; no weights depend on it`,
  });
}
