import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The CC0 slide: 2220 × 2967 px, 0.499 µm/px, 240-px JPEG tiles, 5 × 6 patches of 512 px. */
export const SLIDE = fileURLToPath(new URL('../fixtures/CMU-1-Small-Region.svs', import.meta.url));

export const emptyFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'stromaflow-test-'));
