import type { OutputStride } from '../encoder/encoder.js';
import type { Options } from '../options.js';
import type { Stem } from './decoder.js';

/** Reads `encoder_output_stride`. Below 32 the encoder's last stages keep their size and look further apart instead. */
export function outputStrideOf(
  options: Options,
  { name, encoder }: Stem,
  otherwise: OutputStride,
  allowed: readonly OutputStride[],
): OutputStride {
  const stride = options.oneOf('encoder_output_stride', otherwise, allowed) as OutputStride;
  if (stride === 32 || encoder.dilates) return stride;
  throw options.unsupported('encoder_output_stride', stride, `${name} is run with 32 only`);
}

/** Image side ÷ side of the deepest feature. */
export const deepest = ({ depth }: Stem, outputStride: OutputStride): number => Math.min(outputStride, 2 ** depth);
