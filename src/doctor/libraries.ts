import { createRequire } from 'node:module';
import { firstLine } from '../engine/first-line.js';
import { loadOpenSlide } from '../slide/libopenslide.js';
import type { Finding } from './finding.js';

const require = createRequire(import.meta.url);

/** The libraries pictures are read with. */
export async function libraries(): Promise<Finding[]> {
  return [await libvips(), openSlide()];
}

async function libvips(): Promise<Finding> {
  try {
    const { versions } = (await import('sharp')).default;
    const facts = { sharp: versions.sharp, vips: versions.vips };
    return { what: 'sharp', state: 'good', lines: [`sharp ${versions.sharp}, libvips ${versions.vips}`], facts };
  } catch (error) {
    const fix = 'install again on this machine: npm ci (with --os and --cpu where it is prepared on another)';
    return { what: 'sharp', state: 'bad', lines: [`cannot be loaded: ${firstLine(error)}`, fix] };
  }
}

function openSlide(): Finding {
  const koffi = koffiVersion();
  const library = loadOpenSlide();
  const facts = { koffi: koffi ?? null, openslide: library?.version ?? null };
  if (library)
    return { what: 'OpenSlide', state: 'good', lines: [`OpenSlide ${library.version}, through koffi ${koffi}`], facts };
  const fix = koffi
    ? `koffi ${koffi} is installed, libopenslide is not: on Debian, apt-get install libopenslide0`
    : 'koffi, which calls it, is not installed: npm i koffi';
  return { what: 'OpenSlide', state: 'absent', lines: [`TIFF and DICOM only; ${fix}`], facts };
}

function koffiVersion(): string | undefined {
  try {
    return (require('koffi') as { version: string }).version;
  } catch {
    return undefined;
  }
}
