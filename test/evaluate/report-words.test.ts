import { describe, expect, it } from 'vitest';
import type { ImageResult } from '#src/evaluate/metrics.js';
import { imagesOfPatients, unitOf } from '#src/evaluate/report/words.js';

type Scored = Pick<ImageResult, 'patient' | 'patientUnknown'>;
const told = (patient: string): Scored => ({ patient });
const unknown = (patient: string): Scored => ({ patient, patientUnknown: true });

describe('how many patients a score is of', () => {
  it.each([
    [[told('p'), told('p'), told('q')], '3 images of 2 patients', 'patient'],
    [[told('p')], '1 image of 1 patient', 'patient'],
    [[unknown('a'), unknown('b')], '2 images, patients unknown', 'image'],
    [[unknown('slide'), unknown('slide')], '2 images, patients unknown', 'image'],
    [[told('p'), unknown('a'), unknown('b')], '3 images: 1 of 1 patient, 2 of unknown ones', 'patient'],
  ] as [Scored[], string, string][])('%j: %s', (images, words, unit) => {
    const patients = new Set(images.map(image => image.patient)).size;
    expect(imagesOfPatients({ images: images.length, patients }, images)).toBe(words);
    expect(unitOf(images)).toBe(unit);
  });
});
