import { basename } from 'node:path';

/** Names a scanner, a copy tool or a share gives to files that are not (yet) slides. */
const TEMPORARY = [/^\./, /^~\$/, /~$/, /\.(tmp|temp|part|partial|crdownload|filepart|lock|bak)$/i];

/** Extensions of the formats that are opened from one file. */
const SLIDE = /\.(svs|tiff?|btf|tf8)$/i;

/** True for names that will be replaced by the real one, or never matter. */
export const isTemporaryName = (path: string): boolean => TEMPORARY.some(pattern => pattern.test(basename(path)));

export const isSlideName = (path: string): boolean => SLIDE.test(path) && !isTemporaryName(path);
