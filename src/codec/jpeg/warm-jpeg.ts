import jpegTurbo from '@julusian/jpeg-turbo';
import { decodeJpeg } from './decode-jpeg.js';

const SIDE = 240;
/** After as many tiles V8 has compiled the loops for speed; it begins with a form that is quick to compile and slow. */
const ROUNDS = 16;

/** Decodes noise, so that the first tile of a slide is decoded as fast as the later ones. */
export function warmJpeg(): void {
  const noise = Buffer.from(Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 26));
  const picture = { width: SIDE, height: SIDE, format: jpegTurbo.FORMAT_RGB, quality: 50 };
  const into = new Uint8Array(noise.length);
  for (const subsampling of [jpegTurbo.SAMP_444, jpegTurbo.SAMP_420]) {
    const stream = jpegTurbo.compressSync(noise, { ...picture, subsampling });
    for (let round = 0; round < ROUNDS; round++) decodeJpeg(stream, into);
  }
}
