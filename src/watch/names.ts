import { basename } from 'node:path';
import { isPartOfNdTiff } from '../slide/ndtiff/layout.js';
import { isTileManifest } from '../slide/tile-folder/read-tile-set.js';

/** Names a scanner, a copy tool or a share gives to files that are not (yet) slides. */
const TEMPORARY = [/^\./, /^~\$/, /~$/, /\.(tmp|temp|part|partial|crdownload|filepart|lock|bak)$/i];

/** Extensions of the formats that are opened from one file, our own and OpenSlide's. */
const SLIDE = /\.(svs|tiff?|btf|tf8|ndpi|mrxs|scn|bif|vms|vmu|svslide|czi)$/i;

/** True for DICOM files, of which one or many are a slide (slide-parts.ts). */
export const isDicomName = (path: string): boolean => /\.(dcm|dicom)$/i.test(path) && !isTemporaryName(path);

/** True for names that will be replaced by the real one, or never matter. */
export const isTemporaryName = (path: string): boolean => TEMPORARY.some(pattern => pattern.test(basename(path)));

export const isSlideName = (path: string): boolean =>
  (SLIDE.test(path) || isTileManifest(path)) && !isTemporaryName(path) && !isPartOfNdTiff(path);

/**
 * Says whether a path below the watched folder matches one of some patterns, separated by commas: `*` stands for anything in
 * one name, `**` for anything, `?` for one character. A pattern without a slash is held against every name of the path, so
 * that a folder's name leaves out what is in it. Letters count alike in either case.
 */
export function matcher(patterns: string | undefined): (path: string) => boolean {
  const expressions = (patterns ?? '')
    .split(',')
    .map(pattern => pattern.trim())
    .filter(pattern => pattern !== '')
    .map(pattern => ({ expression: new RegExp(`^${translate(pattern)}$`, 'i'), whole: pattern.includes('/') }));
  if (expressions.length === 0) return () => false;
  return path => {
    const names = path.split('/');
    return expressions.some(({ expression, whole }) =>
      whole ? expression.test(path) : names.some(name => expression.test(name)),
    );
  };
}

const WILD: Readonly<Record<string, string>> = { '**': '.*', '*': '[^/]*', '?': '[^/]' };

const translate = (pattern: string): string =>
  pattern.replace(/\*\*|[*?]|[.+^${}()|[\]\\]/g, found => WILD[found] ?? `\\${found}`);
