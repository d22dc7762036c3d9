import { ANNOTATIONS } from './annotations.mjs';
import { BROKEN } from './broken.mjs';
import { DICOM } from './dicom.mjs';
import { EVENTS } from './events.mjs';
import { FIELDS } from './fields.mjs';
import { MASKS } from './masks.mjs';
import { MODELS } from './models.mjs';
import { NDTIFF } from './ndtiff.mjs';
import { SLIDES } from './slides.mjs';
import { TILE_FOLDERS } from './tile-folders.mjs';
import { TILES } from './tiles.mjs';

/**
 * Every reader of files or messages that others made. A target:
 *
 *     name     of the command line
 *     seeds    () → [{ name, bytes }], sound inputs
 *     mutate   (bytes, random, { others, places }) → bytes
 *     places   (bytes) → positions of fields, optional
 *     codes    errors that a damaged input may end in; every other is a finding
 *     bound    binary memory it may ask for: base + perByte × the input's bytes
 *     setUp    (files) → what the input needs around it, optional
 *     run      (bytes, files) → reads all of it
 */
export const TARGETS = [
  ...SLIDES,
  ...TILES,
  ...DICOM,
  ...TILE_FOLDERS,
  ...FIELDS,
  ...NDTIFF,
  ...MASKS,
  ...ANNOTATIONS,
  ...MODELS,
  ...EVENTS,
];

export function targetNamed(name) {
  const target = [...TARGETS, ...BROKEN].find(known => known.name === name);
  if (!target) throw new Error(`there is no target ${name}: ${TARGETS.map(known => known.name).join(', ')}`);
  return target;
}
