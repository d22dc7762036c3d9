import { firstLine } from '../engine/first-line.js';
import { OpenSlideProcess } from '../slide/openslide/openslide-process.js';
import type { Versions } from '../slide/openslide/protocol.js';
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
  try {
    return openSlideFinding(await OpenSlideProcess.versions());
  } catch (error) {
    const lines = [`its process ${firstLine(error)}`, 'install it again, or remove it'];
    return { what: 'OpenSlide', state: 'bad', lines };
  }
}

/** What is installed, as a finding: old versions are told apart. */
export function openSlideFinding({ koffi, openslide }: Omit<Versions, 'type'>): Finding {
  const what = 'OpenSlide';
  const outdated = openslide !== undefined && isOlder(openslide, SAFE);
  const facts = { koffi: koffi ?? null, openslide: openslide ?? null, ...(outdated && { outdated }) };
  if (openslide === undefined) {
    const fix = koffi
      ? `koffi ${koffi} is installed, libopenslide is not: on Debian, apt-get install libopenslide0`
      : 'koffi, which calls it, is not installed: npm i koffi';
    return { what, state: 'absent', lines: [`TIFF and DICOM only; ${fix}`], facts };
  }
  const lines = [`OpenSlide ${openslide}, through koffi ${koffi}, in a process of its own`];
  if (outdated)
    lines.push(
      `warning: before ${SAFE.join('.')} a file can make it write where it must not (BIF, CVE-2026-48977; CVE-2026-54604). That ` +
        'reaches no other slide, but the process has the rights of this user; docs/slides.md says how to have a newer one',
    );
  return { what, state: 'good', lines, facts };
}

/** Behind the numbers of a version may stand more, such as `-dev`. */
function isOlder(version: string, than: readonly number[]): boolean {
  const numbers = version.split(/[.-]/).map(part => Number.parseInt(part, 10) || 0);
  const at = than.findIndex((wanted, i) => (numbers[i] ?? 0) !== wanted);
  return at >= 0 && (numbers[at] ?? 0) < (than[at] as number);
}
