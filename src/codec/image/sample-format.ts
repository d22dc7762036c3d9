import type { Metadata } from 'sharp';

/** By libvips' names of formats; uchar is the one that is read. */
const DEPTHS: Readonly<Record<string, string>> = {
  char: 'signed samples of 8 bits',
  ushort: '16 bits a sample',
  short: 'signed samples of 16 bits',
  uint: '32 bits a sample',
  int: 'signed samples of 32 bits',
  float: 'floating-point samples of 32 bits',
  double: 'floating-point samples of 64 bits',
  complex: 'complex samples',
  dpcomplex: 'complex samples',
};

/**
 * What of a sound image is no picture of 8 bits a sample, going on from its name; undefined where nothing is. Deeper samples are not
 * scaled: nothing says which of their bits the camera filled, and 12 bits in 16 would come out black.
 */
export function foreignSamples({ depth, space }: Pick<Metadata, 'depth' | 'space'>): string | undefined {
  if (depth !== 'uchar') return `has ${DEPTHS[depth] ?? `samples of the kind ${depth}`}`;
  return space === 'cmyk' ? CMYK : undefined;
}

/** Printing inks: which colours they are says a profile, which is not followed. */
export const CMYK = 'has 4 components (CMYK)';

/** What to do with images of another kind. */
export const SAMPLES_FIX =
  'convert the images to RGB (or grey) with 8 bits a sample, with the window of values you want';
