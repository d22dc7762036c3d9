import { closeSync, openSync } from 'node:fs';
import { extname } from 'node:path';
import { SAFELY } from '../../slide/regular-file.js';
import { readBytes } from '../../slide/tiff/probe.js';
import { isDicomName, isTemporaryName } from '../../watch/names.js';

/** PS3.10, section 7.1: 128 bytes for anybody's use, then four letters. */
const PREAMBLE = 132;
/** A file whose head is not there yet is not asked more often. */
const ASK_AGAIN_MS = 1000;

/** Endings of slides, and of what lies beside them and is none: thousands of tiles, tables, pictures, markers. */
const OTHERS = new Set(
  `svs tif tiff btf tf8 ndpi mrxs scn bif vms vmu svslide czi dzi index jpg jpeg png bmp gif webp j2k j2c jp2 json xml csv tsv txt
log ini yaml yml md htm html pdf done db sqlite zip gz tar 7z exe dll dat tmp temp part partial lock bak`.split(/\s+/),
);

/**
 * Tells DICOM files by their preamble where their names do not: scanners and archives name them by UIDs and numbers. A file is
 * looked at once; again only while its head is still to come.
 */
export class Preambles {
  readonly #verdicts = new Map<string, boolean>();
  /** Files whose head is not there: when they are asked again (performance.now()). */
  readonly #pending = new Map<string, number>();

  isDicom(path: string): boolean {
    if (OTHERS.has(extname(path).slice(1).toLowerCase())) return false;
    const known = this.#verdicts.get(path);
    if (known !== undefined) return known;
    if (isTemporaryName(path)) return false;
    if (isDicomName(path)) return true;
    const now = performance.now();
    if (now < (this.#pending.get(path) ?? 0)) return false;
    const head = headOf(path);
    if (head === undefined || head.length < PREAMBLE || head.every(byte => byte === 0)) {
      this.#pending.set(path, now + ASK_AGAIN_MS);
      return false;
    }
    this.#pending.delete(path);
    const isDicom = head.toString('latin1', PREAMBLE - 4) === 'DICM';
    this.#verdicts.set(path, isDicom);
    return isDicom;
  }

  /** Forgets the files that are gone: another one may come to have the name. */
  keep(paths: ReadonlySet<string>): void {
    for (const known of [this.#verdicts, this.#pending])
      for (const path of known.keys()) if (!paths.has(path)) known.delete(path);
  }
}

/** Undefined for one that cannot be read now. */
function headOf(path: string): Buffer | undefined {
  try {
    const fd = openSync(path, SAFELY);
    try {
      return readBytes(fd, 0, PREAMBLE);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
