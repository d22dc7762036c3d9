import { describe, expect, it } from 'vitest';
import type { TiffPage } from '#src/slide/tiff/page.js';
import { checkSupported } from '#src/slide/tiff/support.js';
import { failureOf } from '../fixture.js';
import { tiffPage } from './page-fixture.js';

const PAGE = tiffPage({ compression: 1, photometric: 2 });
const GREY = { photometric: 1, samplesPerPixel: 1, bitsPerSample: [8] } as const;

describe('checkSupported', () => {
  it.each<[string, Partial<TiffPage>, string]>([
    ['CCITT', { compression: 4 }, 'compression 4 (CCITT fax 4) is not supported'],
    ['old JPEG', { compression: 6 }, 'compression 6 (old-style JPEG) is not supported'],
    ['a palette', { photometric: 3 }, 'colour model 3 (a palette) is not supported'],
    ['CMYK', { photometric: 5, samplesPerPixel: 4 }, 'colour model 5 (CMYK) is not supported'],
    ['JPEG 2000 of grey', { ...GREY, compression: 33005 }, 'JPEG 2000 of 1 samples is not supported'],
    ['YCbCr that is not JPEG', { photometric: 6 }, 'YCbCr without JPEG is not supported'],
    ['inverted JPEG', { ...GREY, photometric: 0, compression: 7 }, 'inverted JPEG is not supported'],
    ['16 bits', { bitsPerSample: [16, 16, 16] }, '16-bit samples are not supported, only 8-bit'],
    ['one channel of 16 bits', { bitsPerSample: [8, 8, 16] }, 'samples are not supported, only 8-bit'],
    ['signed samples', { sampleFormat: 2 }, 'signed samples of 8 bits are not supported, only unsigned ones of 8'],
    ['an unnamed compression', { compression: 65_000 }, 'compression 65000 is not supported'],
    ['RGB of two samples', { samplesPerPixel: 2 }, '2 samples a pixel are not supported'],
    ['RGB of six samples', { samplesPerPixel: 6 }, '6 samples a pixel are not supported'],
    ['JPEG of four samples', { samplesPerPixel: 4, compression: 7 }, '4 samples a pixel are not supported'],
    ['grey of three samples', { ...GREY, samplesPerPixel: 3 }, '3 samples a pixel are not supported'],
    ['grey of no sample', { ...GREY, samplesPerPixel: 0 }, '0 samples a pixel are not supported'],
    ['JPEG of grey and alpha', { ...GREY, samplesPerPixel: 2, compression: 7 }, 'grey and alpha is not supported'],
    ['separate planes', { planarConfiguration: 2 }, 'separate colour planes are not supported'],
    ['floating-point differences', { predictor: 3 }, 'predictor 3 is not supported'],
    ['a tile beyond 256 MiB', { tileWidth: 2 ** 14, tileHeight: 2 ** 13 }, '16384 × 8192 pixels, too large to stream'],
    ['a grey one likewise, shown as RGB', { ...GREY, tileWidth: 2 ** 14, tileHeight: 5462 }, 'too large to stream'],
  ])('refuses %s by name', async (_, change, message) => {
    const failure = await failureOf(() => checkSupported('/scan/a.tif', { ...PAGE, ...change }));
    expect(failure.code).toBe('SLIDE_UNSUPPORTED');
    expect(failure.message).toMatch(/^\/scan\/a\.tif: /);
    expect(failure.message).toContain(message);
    expect(failure.fix).toContain('convert');
  });

  it.each<[string, Partial<TiffPage>]>([
    ['RGB', {}],
    ['RGB and two more samples', { samplesPerPixel: 5 }],
    ['grey and alpha', { ...GREY, samplesPerPixel: 2 }],
    ['planes of one sample, which are none', { ...GREY, planarConfiguration: 2 }],
    ['YCbCr of JPEG', { photometric: 6, compression: 7 }],
    ['YCbCr of JPEG 2000', { photometric: 6, compression: 33003 }],
    ['samples of no kind', { sampleFormat: 4 }],
    ['grey JPEG', { ...GREY, compression: 7 }],
    ['the largest grey tile', { ...GREY, tileWidth: 2 ** 14, tileHeight: 5461 }],
  ])('takes %s', (_, change) => {
    expect(() => checkSupported('a.tif', { ...PAGE, ...change })).not.toThrow();
  });
});
