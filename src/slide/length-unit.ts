/** Micrometres in a unit of length, by what files call it (OME's UnitsLength, ImageJ's unit). */
const MICROMETRES: Readonly<Record<string, number>> = {
  pm: 1e-6,
  Å: 1e-4,
  nm: 1e-3,
  nanometer: 1e-3,
  µm: 1,
  um: 1,
  micron: 1,
  microns: 1,
  micrometer: 1,
  micrometre: 1,
  mm: 1e3,
  millimeter: 1e3,
  cm: 1e4,
  centimeter: 1e4,
  dm: 1e5,
  m: 1e6,
  thou: 25.4,
  pt: 25_400 / 72,
  in: 25_400,
  inch: 25_400,
};

/**
 * Undefined for units that are no length ("pixel", "reference frame") and those that no microscope has. Micro is written with either
 * of its two letters (U+00B5, U+03BC) or as UTF-8 read as Latin-1, the ångström with either of its.
 */
export function micrometresIn(unit: string): number | undefined {
  const name = unit
    .trim()
    .replace(/^Â?[\u00b5\u03bc]/, '\u00b5')
    .replace(/^Î¼/, '\u00b5')
    .replace('\u212b', '\u00c5');
  return Object.hasOwn(MICROMETRES, name) ? MICROMETRES[name] : undefined;
}
