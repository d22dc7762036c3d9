import { describe, expect, it } from 'vitest';
import { twiceNotes } from '#src/evaluate/annotation/drawn-twice.js';

const area = (value: number, ...points: number[]) => ({ value, rings: [Float64Array.from(points)] });

describe('twiceNotes', () => {
  const square = [10, 10, 50, 10, 50, 60, 10, 60];
  const turned = [10, 60, 50, 60, 50, 10, 10, 10];
  const aside = square.map(coordinate => coordinate + 5);

  it('counts polygons that are drawn as two classes, wherever they start', () => {
    expect(twiceNotes([area(1, ...square), area(2, ...turned)])).toEqual([
      '1 area is annotated as two classes, one wholly over the other: only one of them counts, take the other away',
    ]);
    const both = [area(1, ...square), area(2, ...square), area(2, ...aside), area(3, ...aside), area(3, ...aside)];
    expect(twiceNotes(both)).toEqual([expect.stringMatching(/^2 areas are annotated as two classes/)]);
  });

  it('says nothing of one class twice, of areas elsewhere, and of none', () => {
    expect(twiceNotes([area(1, ...square), area(1, ...turned)])).toEqual([]);
    expect(twiceNotes([area(1, ...square), area(2, ...aside)])).toEqual([]);
    expect(twiceNotes([area(1, ...square), area(2, 10, 10, 50, 10, 50, 60)])).toEqual([]);
    expect(twiceNotes([])).toEqual([]);
  });
});
