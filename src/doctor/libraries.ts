import { firstLine } from '../engine/first-line.js';
import { OpenSlideProcess } from '../slide/openslide/openslide-process.js';
import type { Finding } from './finding.js';

/** The libraries pictures are read with. */
export async function libraries(): Promise<Finding[]> {
  return [await libvips(), await openSlide()];
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

/** The first version without the memory errors that are known (CVE-2026-48977, CVE-2026-54604). */
const SAFE = [4, 0, 1] as const;

/** Its process is asked, as for a slide. */
async function openSlide(): Promise<Finding> {
  const what = 'OpenSlide';
  try {
    const { koffi, openslide } = await OpenSlideProcess.versions();
    const facts = { koffi: koffi ?? null, openslide: openslide ?? null };
    if (openslide !== undefined) return { what, state: 'good', lines: found(openslide, koffi), facts };
    const fix = koffi
      ? `koffi ${koffi} is installed, libopenslide is not: on Debian, apt-get install libopenslide0`
      : 'koffi, which calls it, is not installed: npm i koffi';
    return { what, state: 'absent', lines: [`TIFF and DICOM only; ${fix}`], facts };
  } catch (error) {
    return { what, state: 'bad', lines: [`its process ${firstLine(error)}`, 'install it again, or remove it'] };
  }
}

function found(version: string, koffi: string | undefined): string[] {
  const lines = [`OpenSlide ${version}, through koffi ${koffi}, in a process of its own`];
  if (isOlder(version, SAFE))
    lines.push(
      `${version} has memory errors that a file can use (BIF and others; mended in ${SAFE.join('.')}): they cannot reach ` +
        'other slides, but the process has the rights of this user. Newer: docs/slides.md',
    );
  return lines;
}

function isOlder(version: string, than: readonly number[]): boolean {
  const numbers = version.split(/[.-]/).map(part => Number.parseInt(part, 10));
  const at = than.findIndex((wanted, i) => (numbers[i] ?? 0) !== wanted);
  return at >= 0 && !((numbers[at] ?? 0) > (than[at] as number));
}
