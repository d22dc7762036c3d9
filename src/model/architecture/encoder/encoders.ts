import type { Encoder } from './encoder.js';
import { RESNETS } from './resnet.js';
import { VGGS } from './vgg.js';

/** Every encoder that can be run, by its name in smp. */
export const ENCODERS: ReadonlyMap<string, Encoder> = new Map<string, Encoder>([...RESNETS, ...VGGS]);
