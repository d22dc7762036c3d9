import jpegTurbo from '@julusian/jpeg-turbo';
import { ExactJpeg } from './exact-jpeg.js';

const RGB = { format: jpegTurbo.FORMAT_RGB };

let exact: ExactJpeg | undefined;

/** Compiles the decoder, once a thread, so that the first tile does not wait for it. */
export function loadJpeg(): ExactJpeg {
  exact ??= new ExactJpeg();
  return exact;
}

/**
 * Decodes a whole JPEG stream to RGB, as its own markers tell its colours, to the very pixels that libjpeg gives by default.
 * Streams that no scanner writes (progressive, arithmetic, odd samplings) and damaged ones are libjpeg-turbo's: its binding
 * takes warnings for errors, but knows only the fast inverse DCT, which is off by up to 20 where quantisation is fine.
 *
 * @param into width × height × 3 bytes or more; the caller has checked the size, the decoders trust it.
 * @throws libjpeg's message where the stream is damaged; `into` is then undefined.
 */
export function decodeJpeg(stream: Buffer, into: Uint8Array): void {
  if (loadJpeg().decode(stream, into)) return;
  jpegTurbo.decompressSync(stream, Buffer.from(into.buffer, into.byteOffset, into.byteLength), RGB);
}
