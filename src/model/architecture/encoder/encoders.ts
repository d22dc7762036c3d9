import { DENSENETS } from './densenet.js';
import { EFFICIENTNETS } from './efficientnet.js';
import type { Encoder } from './encoder.js';
import { MIX_TRANSFORMERS } from './mix-transformer.js';
import { MOBILENETS } from './mobilenet.js';
import { RESNETS } from './resnet.js';
import { SENETS } from './senet.js';
import { TIMM_EFFICIENTNETS } from './timm-efficientnet.js';
import { VGGS } from './vgg.js';

/** Every encoder that can be run, by its name in smp. */
export const ENCODERS: ReadonlyMap<string, Encoder> = new Map<string, Encoder>([
  ...RESNETS,
  ...VGGS,
  ...SENETS,
  ...DENSENETS,
  ...MOBILENETS,
  ...EFFICIENTNETS,
  ...TIMM_EFFICIENTNETS,
  ...MIX_TRANSFORMERS,
]);
