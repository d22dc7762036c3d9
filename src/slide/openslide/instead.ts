import { extname } from 'node:path';
import { StromaflowError } from '../../errors.js';
import { ForeignTiff } from '../open-tiff.js';
import type { SlideFacts } from '../slide-facts.js';
import { ForeignCoding } from '../tiff-support.js';
import { askOpenSlide } from './ask-openslide.js';
import type { Refusal } from './openslide-process.js';

/** Formats that are no TIFF and that OpenSlide alone reads, by extension. */
const FORMATS: Readonly<Record<string, string>> = {
  '.czi': 'Zeiss CZI',
  '.mrxs': '3DHISTECH MRXS',
  '.svslide': 'Sakura SVSLIDE',
  '.vms': 'Hamamatsu VMS',
  '.vmu': 'Hamamatsu VMU',
};

/**
 * Asks OpenSlide for a file that our reader refused before it came to the pixels.
 *
 * @param tiff it is a TIFF, and sound but for what was refused.
 * @throws `refused`, or an error that says what is true of both and what helps; OPENSLIDE_FAILED; the signal's reason.
 */
export async function openSlideInstead(
  path: string,
  refused: StromaflowError,
  tiff: boolean,
  signal: AbortSignal | undefined,
): Promise<SlideFacts> {
  const format = tiff ? undefined : FORMATS[extname(path).toLowerCase()];
  const foreign = format === undefined ? refused : onlyOpenSlide(path, format);
  const expected = format !== undefined || foreign instanceof ForeignTiff;
  const generic = foreign instanceof ForeignCoding;
  const answer = await askOpenSlide(path, { generic, signal });
  if (!('levels' in answer)) throw expected || generic ? withRefusal(foreign, answer) : refused;
  return expected ? answer : noted(answer, refused.message.replace(`${path}: `, ''));
}

const onlyOpenSlide = (path: string, format: string): StromaflowError =>
  new StromaflowError('SLIDE_UNSUPPORTED', `${path}: is ${format}, which only OpenSlide reads`, {
    fix: 'check that it was copied completely, with the files beside it, or convert it to a tiled TIFF',
  });

/** The error with what OpenSlide says; what to do about it depends on whether it is installed. */
export function withRefusal({ code, message, fix }: StromaflowError, { version, why }: Refusal): StromaflowError {
  return version === undefined
    ? new StromaflowError(code, message, { fix: `install OpenSlide (libopenslide), or ${fix}` })
    : new StromaflowError(code, `${message}; OpenSlide ${version}: ${why}`, { fix });
}

/** What OpenSlide says of a slide that our reader does not read, with a word of it. */
export const noted = (facts: SlideFacts, why: string): SlideFacts => ({
  ...facts,
  notes: [
    ...(facts.notes ?? []),
    { code: 'read-by-openslide', message: `our reader does not read it (${why}); ${facts.properties['reader']} does` },
  ],
});
