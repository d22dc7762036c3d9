import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './temporary.js';

/** The CC0 slide: 2220 × 2967 px, 0.499 µm/px, 240-px JPEG tiles, 5 × 6 patches of 512 px. */
export const SLIDE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));

export const emptyFolder = async (): Promise<string> => temporaryFolder();
