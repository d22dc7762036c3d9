import type { ImageResult, ModelResult, SplitResult } from '../metrics.js';
import type { SplitName } from '../split.js';
import { grouped } from './markup.js';

export const count = (n: number, one: string, many = `${one}s`): string => `${grouped(n)} ${n === 1 ? one : many}`;

/** What is drawn with replacement: patients, or images where no name tells a patient. */
export function unitOf(images: readonly Pick<ImageResult, 'patientUnknown'>[]): 'patient' | 'image' {
  return images.length > 0 && images.every(image => image.patientUnknown) ? 'image' : 'patient';
}

export const imagesOf = (models: readonly ModelResult[], split: SplitName): readonly ImageResult[] =>
  models.find(model => model.splits[split])?.images.filter(image => image.split === split) ?? [];

/** '5 images of 4 patients'; '67 images, patients unknown'; '9 images: 6 of 4 patients, 3 of unknown ones'. */
export function imagesOfPatients(
  { images, patients }: Pick<SplitResult, 'images' | 'patients'>,
  scored: readonly Pick<ImageResult, 'patient' | 'patientUnknown'>[],
): string {
  const unknown = scored.filter(image => image.patientUnknown);
  const told = images - unknown.length;
  const of = count(patients - new Set(unknown.map(image => image.patient)).size, 'patient');
  const all = count(images, 'image');
  if (unknown.length === 0) return `${all} of ${of}`;
  return told === 0 ? `${all}, patients unknown` : `${all}: ${told} of ${of}, ${unknown.length} of unknown ones`;
}
