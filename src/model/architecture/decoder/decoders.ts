import type { Decoder } from './decoder.js';
import { type FpnConfig, fpn } from './fpn.js';
import { type UnetConfig, unet } from './unet.js';

/** What each decoder is told, by its name in smp. */
export interface DecoderConfigs {
  readonly FPN: FpnConfig;
  readonly Unet: UnetConfig;
}

export type DecoderName = keyof DecoderConfigs;

/** A decoder and its options. */
export type DecoderConfig<Name extends DecoderName = DecoderName> = {
  [N in Name]: DecoderConfigs[N] & { type: N };
}[Name];

/** Every decoder that can be run, by its name in smp (`_model_class`). */
export const DECODERS: { readonly [Name in DecoderName]: Decoder<DecoderConfigs[Name]> } = { FPN: fpn, Unet: unet };

export function isDecoderName(name: unknown): name is DecoderName {
  return typeof name === 'string' && Object.hasOwn(DECODERS, name);
}
