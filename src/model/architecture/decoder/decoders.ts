import type { Decoder } from './decoder.js';
import { type DeepLabConfig, deepLabV3 } from './deeplabv3.js';
import { deepLabV3Plus } from './deeplabv3plus.js';
import { type FpnConfig, fpn } from './fpn.js';
import { type LinknetConfig, linknet } from './linknet.js';
import { type ManetConfig, manet } from './manet.js';
import { type PanConfig, pan } from './pan.js';
import { type PspnetConfig, pspnet } from './pspnet.js';
import { type SegformerConfig, segformer } from './segformer.js';
import { type UnetConfig, unet } from './unet.js';
import { unetPlusPlus } from './unetplusplus.js';
import { type UpernetConfig, upernet } from './upernet.js';

/** What each decoder is told, by its name in smp. */
export interface DecoderConfigs {
  readonly FPN: FpnConfig;
  readonly Unet: UnetConfig;
  readonly UnetPlusPlus: UnetConfig;
  readonly Linknet: LinknetConfig;
  readonly MAnet: ManetConfig;
  readonly PSPNet: PspnetConfig;
  readonly PAN: PanConfig;
  readonly DeepLabV3: DeepLabConfig;
  readonly DeepLabV3Plus: DeepLabConfig;
  readonly Segformer: SegformerConfig;
  readonly UPerNet: UpernetConfig;
}

export type DecoderName = keyof DecoderConfigs;

/** A decoder and its options. */
export type DecoderConfig<Name extends DecoderName = DecoderName> = {
  [N in Name]: DecoderConfigs[N] & { type: N };
}[Name];

/** Every decoder that can be run, by its name in smp (`_model_class`). */
export const DECODERS: { readonly [Name in DecoderName]: Decoder<DecoderConfigs[Name]> } = {
  FPN: fpn,
  Unet: unet,
  UnetPlusPlus: unetPlusPlus,
  Linknet: linknet,
  MAnet: manet,
  PSPNet: pspnet,
  PAN: pan,
  DeepLabV3: deepLabV3,
  DeepLabV3Plus: deepLabV3Plus,
  Segformer: segformer,
  UPerNet: upernet,
};

export function isDecoderName(name: unknown): name is DecoderName {
  return typeof name === 'string' && Object.hasOwn(DECODERS, name);
}
