/** Names of annotated classes, as annotators write them and as QuPath derives one from another ('Stroma: Inflamed'). */

/** Class names compared as people write them: case, spelling of tumour, and kind of blank do not matter. */
export const normaliseName = (name: string): string =>
  name
    .trim()
    .toLowerCase()
    .replaceAll('tumour', 'tumor')
    .replace(/[\s_]{1,64}/g, ' ')
    .replace(/ ?: ?/g, ': ');

/** What stands between a class and one derived from it, as QuPath shows them. */
const DERIVED = ': ';

/** One name of the names a derived class consists of, the base class first. */
export const derivedName = (names: readonly string[]): string => names.join(DERIVED);

/** The class itself and those it is derived from, nearest first, normalised: 'A: B: C', 'A: B', 'A'. */
export function* lineage(name: string): Generator<string> {
  const names = normaliseName(name).split(DERIVED);
  for (let length = names.length; length > 0; length--) yield names.slice(0, length).join(DERIVED);
}

/** QuPath's convention: a class whose name ends in an asterisk ('Ignore*', 'Artefact*') says of an area that it takes no part. */
export const isIgnoredName = (name: string): boolean => name.trimEnd().endsWith('*');

/** Frames within which everything was annotated: TIGER's 'roi', QuPath's 'Region*', 'ROI (segmentation)'. */
export const isRegionOfInterest = (name: string): boolean =>
  /^(roi\b|rois\b|region\b|region\*)/.test(normaliseName(name));
