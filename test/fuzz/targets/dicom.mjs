import { truncateSync } from 'node:fs';
import { seedsOf } from '../corpus.mjs';
import { mutateBytes } from '../mutate.mjs';
import { MIB, readSlide, SLIDE_CODES } from './read-slide.mjs';

/** Where value representations stand: tag, length and value are around them. */
function elements(bytes) {
  const places = [];
  const end = Math.min(bytes.length - 2, 8192);
  for (let at = 132; at < end; at++) {
    const isVr = bytes[at] >= 65 && bytes[at] <= 90 && bytes[at + 1] >= 65 && bytes[at + 1] <= 90;
    if (isVr) places.push(at - 4, at - 2, at, at + 2, at + 4, at + 6, at + 8);
    // Items and delimiters of sequences and of pixel data.
    if (bytes[at] === 0xfe && bytes[at + 1] === 0xff) places.push(at, at + 2, at + 4);
  }
  return places;
}

const small = () => seedsOf('corpus', 'dicom', /\.dcm$/);

/** DICOM whole slides: the data set, offset tables, frames. */
export const DICOM = [
  {
    name: 'dicom',
    seeds: () => [...small(), ...seedsOf('fixtures', 'dicom', /\.dicom$/)],
    mutate: mutateBytes,
    places: elements,
    codes: SLIDE_CODES,
    bound: { base: 96 * MIB, perByte: 64 },
    run: (bytes, files) => readSlide(files.write('slide.dcm', bytes), bytes.length > 64 * 1024 ? 2 : 4),
  },
  {
    name: 'dicom-sparse',
    seeds: small,
    mutate: mutateBytes,
    places: elements,
    codes: SLIDE_CODES,
    bound: { base: 640 * MIB, perByte: 64 },
    run: async (bytes, files) => {
      const path = files.write('slide.dcm', bytes);
      truncateSync(path, 2 ** 40);
      await readSlide(path, 1);
    },
  },
];
