import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Preambles } from '#src/live/dicom/preambles.js';
import { temporaryFolder } from '../../support/temporary.js';

const folder = temporaryFolder('preamble');
const DICOM = Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), Buffer.alloc(40, 1)]);
const put = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};
afterEach(() => vi.restoreAllMocks());

describe('a DICOM file', () => {
  it.each(['IM0001', '1.2.840.113619.2.55', 'slide.ima', 'a', 'DICOMDIR'])('is known by its preamble: %s', name => {
    expect(new Preambles().isDicom(put(name, DICOM))).toBe(true);
    expect(new Preambles().isDicom(put(name, Buffer.from('no picture at all'.repeat(20))))).toBe(false);
  });

  it('is known by its name before it is there, under no temporary name, and under no other format’s', () => {
    const preambles = new Preambles();
    expect(['/x/a.dcm', '/x/A.DICOM'].map(path => preambles.isDicom(path))).toEqual([true, true]);
    const others = [
      '.IM0001',
      'IM0001~',
      '~$a',
      'a.dcm.part',
      'a.svs',
      'a.jpg',
      'A.PNG',
      'a.csv',
      'NDTiff.index',
      'a.done',
    ];
    expect(others.filter(name => preambles.isDicom(put(name, DICOM)))).toEqual([]);
  });

  it('is looked at once, however often it is asked about, until it is gone', () => {
    const preambles = new Preambles();
    const path = put('once', DICOM);
    expect(preambles.isDicom(path)).toBe(true);
    put('once', Buffer.alloc(500, 7));
    expect(preambles.isDicom(path)).toBe(true);
    preambles.keep(new Set());
    expect(preambles.isDicom(path)).toBe(false);
  });

  it('is looked at again, from time to time, while its head is not there', () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(0);
    const preambles = new Preambles();
    for (const head of [Buffer.alloc(0), DICOM.subarray(0, 100), Buffer.alloc(4000)]) {
      const path = put(`grows-${head.length}`, head);
      clock.mockReturnValue(0);
      expect(preambles.isDicom(path)).toBe(false);
      put(`grows-${head.length}`, DICOM);
      clock.mockReturnValue(500);
      expect(preambles.isDicom(path)).toBe(false);
      clock.mockReturnValue(1000);
      expect(preambles.isDicom(path)).toBe(true);
    }
  });

  it('is never behind a link', () => {
    put('outside', DICOM);
    symlinkSync(join(folder, 'outside'), join(folder, 'link'));
    expect(new Preambles().isDicom(join(folder, 'link'))).toBe(false);
    rmSync(folder, { recursive: true });
  });
});
