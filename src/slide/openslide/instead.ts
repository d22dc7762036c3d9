import { extname } from 'node:path';
import { StromaflowError } from '../../errors.js';
import type { SlideFacts } from '../slide-facts.js';
import { ForeignTiff } from '../tiff/open-tiff.js';
import { ForeignCoding } from '../tiff/support.js';
import { askOpenSlide } from './ask-openslide.js';
import type { Refusal } from './openslide-process.js';

/** Formats that are no TIFF and that OpenSlide alone reads: by extension, and by how their files begin where that tells. */
const FORMATS: Readonly<Record<string, string>> = {
  '.czi': 'Zeiss CZI',
  '.mrxs': '3DHISTECH MRXS',
  '.svslide': 'Sakura SVSLIDE',
  '.vms': 'Hamamatsu VMS',
  '.vmu': 'Hamamatsu VMU',
};

const MAGIC: readonly (readonly [begins: string, format: string])[] = [
  ['ZISRAWFILE', FORMATS['.czi']!],
  ['SQLite format 3', FORMATS['.svslide']!],
  ['[Virtual Microscope Specimen]', FORMATS['.vms']!],
  ['[Uncompressed Virtual Microscope Specimen]', FORMATS['.vmu']!],
];

/** How many bytes of a file tell its format. */
export const MAGIC_BYTES = 64;

/** The format of a file that is no TIFF, where only OpenSlide reads it. */
export function openSlideFormat(path: string, head: Buffer): string | undefined {
  const text = head.toString('latin1');
  return FORMATS[extname(path).toLowerCase()] ?? MAGIC.find(([begins]) => text.startsWith(begins))?.[1];
}

/**
 * Asks OpenSlide for a file that our reader refused before it came to the pixels.
 *
 * @param format of a file that is no TIFF; of a TIFF everything was sound but what was refused.
 * @throws `refused`, or an error that says what is true of both and what helps; OPENSLIDE_FAILED; the signal's reason.
 */
export async function openSlideInstead(
  path: string,
  refused: StromaflowError,
  format: string | undefined,
  signal: AbortSignal | undefined,
): Promise<SlideFacts | FactsInstead> {
  const foreign = format === undefined ? refused : onlyOpenSlide(path, format);
  const expected = format !== undefined || foreign instanceof ForeignTiff;
  const generic = foreign instanceof ForeignCoding;
  const answer = await askOpenSlide(path, { generic, signal });
  if (!('levels' in answer)) throw expected || generic ? withRefusal(foreign, answer) : refused;
  return expected ? answer : insteadOf(answer, refused.message.replace(`${path}: `, ''));
}

const onlyOpenSlide = (path: string, format: string): StromaflowError =>
  new StromaflowError('SLIDE_UNSUPPORTED', `${path}: is ${format}, which only OpenSlide reads`, {
    fix: 'check that it was copied completely, with the files beside it, or convert it to a tiled TIFF',
  });

const INSTALL = 'install OpenSlide (libopenslide), or convert the slide to a tiled TIFF of 8-bit RGB';

/** The error with what OpenSlide says; what to do about it depends on whether it is installed. */
export function withRefusal({ code, message, fix }: StromaflowError, { version, why }: Refusal): StromaflowError {
  return version === undefined
    ? new StromaflowError(code, message, { fix: INSTALL })
    : new StromaflowError(code, `${message}; OpenSlide ${version}: ${why}`, { fix });
}

/** What OpenSlide says of a slide that our reader might have been expected to read. */
export interface FactsInstead extends SlideFacts {
  /** Why it does not. */
  readonly ours: string;
}

export const insteadOf = (facts: SlideFacts, ours: string): FactsInstead => ({
  ...facts,
  ours,
  notes: [
    ...(facts.notes ?? []),
    { code: 'read-by-openslide', message: `our reader does not read it (${ours}); ${facts.properties['reader']} does` },
  ],
});
