import { StromaflowError } from '../../errors.js';
import { ChildLost } from '../../process/ask-child.js';
import type { SlideNote } from '../note.js';
import type { AxisSpacing, SlideBounds } from '../slide.js';
import type { SlideFacts } from '../slide-facts.js';
import { OpenSlideProcess, type Refusal } from './openslide-process.js';
import type { OpenSlideDescription } from './openslide-source.js';
import type { OpenSlideFacts } from './protocol.js';

/** Vendors by OpenSlide's names. */
const VENDORS: Readonly<Record<string, string>> = {
  aperio: 'Aperio SVS',
  dicom: 'DICOM',
  'generic-tiff': 'generic tiled TIFF',
  hamamatsu: 'Hamamatsu',
  leica: 'Leica SCN',
  mirax: '3DHISTECH MRXS',
  philips: 'Philips TIFF',
  'philips-tiff': 'Philips TIFF',
  sakura: 'Sakura SVSLIDE',
  trestle: 'Trestle TIFF',
  ventana: 'Ventana BIF',
  zeiss: 'Zeiss CZI',
};

/**
 * Side of what is read at a time, in pixels: whole stored tiles, as many as come nearest. Reading more would waste what a patch does
 * not need; less would decode stored tiles twice, and every reading costs two messages.
 */
const TILE = 512;
const MAX_TILE = 2048;

function tileSide(stored: string | undefined): number {
  const side = positive(stored) ?? TILE;
  return Math.min(MAX_TILE, side * Math.max(1, Math.round(TILE / side)));
}

/** A library that is not there is not looked for again: each look starts a process. */
let absent: Refusal | undefined;

export interface AskOptions {
  /** TIFFs without a vendor, too: of what lies in them OpenSlide knows less than our reader, but it may know their codec. */
  readonly generic?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks OpenSlide about a file that our own reader does not read.
 *
 * @returns what it says of it, or why it does not read it.
 * @throws OPENSLIDE_FAILED when it crashes or hangs over the file; the signal's reason.
 */
export async function askOpenSlide(path: string, options: AskOptions = {}): Promise<SlideFacts | Refusal> {
  const { generic = false, signal } = options;
  if (absent) return absent;
  try {
    const opened = await OpenSlideProcess.open(path, { generic, signal });
    if ('process' in opened) {
      await opened.process.close();
      return factsOf(path, opened.facts);
    }
    if (opened.version === undefined) absent = opened;
    return opened;
  } catch (error) {
    if (!(error instanceof ChildLost)) throw error;
    throw new StromaflowError('OPENSLIDE_FAILED', `${path}: OpenSlide ${error.message} when it opened the slide`, {
      cause: error,
    });
  }
}

/** What OpenSlide said, in our terms. */
export function factsOf(
  path: string,
  { version, vendor, levels: stated, properties }: OpenSlideFacts,
): SlideFacts | Refusal {
  const levels = stated.map(({ width, height, downsample, tileWidth, tileHeight }) => ({
    width,
    height,
    downsample,
    tileWidth: tileSide(tileWidth),
    tileHeight: tileSide(tileHeight),
  }));
  const [first] = levels;
  if (!first || levels.some(({ width, height }) => !(width > 0 && height > 0)))
    return { version, why: 'states no level' };
  const objective = positive(properties['openslide.objective-power']);
  const bounds = boundsOf(properties, first);
  return {
    format: `${VENDORS[vendor] ?? vendor.replace(/[^\w -]/g, '')} (OpenSlide)`,
    mpp:
      spacingOf(positive(properties['openslide.mpp-x']), positive(properties['openslide.mpp-y'])) ??
      (vendor === 'generic-tiff' ? resolutionOf(properties) : undefined),
    levels,
    properties: {
      reader: `OpenSlide ${version.replace(/[^\w .+-]/g, '')}`,
      ...(objective ? { objective: String(objective) } : {}),
    },
    ...(bounds ? { bounds, notes: [boundsNote(bounds, first)] } : {}),
    describe: (geometry): OpenSlideDescription => ({
      kind: 'openslide',
      path,
      levels: geometry.map((level, number) => ({ ...level, number })),
    }),
  };
}

/** OpenSlide writes numbers as C does; what vendors write comes through in some of its properties. */
function positive(text: string | undefined): number | undefined {
  const value = Number(text?.trim().replace(',', '.'));
  return value > 0 && Number.isFinite(value) ? value : undefined;
}

function spacingOf(x: number | undefined, y: number | undefined): number | AxisSpacing | undefined {
  return x !== undefined && y !== undefined ? { x, y } : (x ?? y);
}

/** Micrometres per unit of a TIFF's resolution, by OpenSlide's names for it. */
const UNITS: Readonly<Record<string, number>> = { inch: 25_400, centimeter: 10_000 };

/** Spacings that a microscope can have; others are for printers. */
const MICROSCOPIC = { least: 0.05, most: 10 } as const;

/** OpenSlide leaves the resolution of a TIFF without a vendor as it stands. */
function resolutionOf(properties: OpenSlideFacts['properties']): number | AxisSpacing | undefined {
  const unit = UNITS[properties['tiff.ResolutionUnit'] ?? 'inch'];
  const [x, y] = (['tiff.XResolution', 'tiff.YResolution'] as const).map(name => {
    const perUnit = positive(properties[name]);
    const spacing = unit !== undefined && perUnit !== undefined ? unit / perUnit : 0;
    return spacing >= MICROSCOPIC.least && spacing <= MICROSCOPIC.most ? spacing : undefined;
  });
  return spacingOf(x, y);
}

/** The scanned part of the frame, cut to the frame; undefined where it is all of it, or not stated. */
function boundsOf(
  properties: OpenSlideFacts['properties'],
  frame: { readonly width: number; readonly height: number },
): SlideBounds | undefined {
  const [x, y, width, height] = (['x', 'y', 'width', 'height'] as const).map(name =>
    Math.trunc(Number(properties[`openslide.bounds-${name}`] ?? Number.NaN)),
  ) as [number, number, number, number];
  const left = Math.max(0, x);
  const top = Math.max(0, y);
  const right = Math.min(frame.width, x + width);
  const bottom = Math.min(frame.height, y + height);
  // Not a number compares with nothing.
  if (!(right > left && bottom > top)) return undefined;
  if (left === 0 && top === 0 && right === frame.width && bottom === frame.height) return undefined;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

const boundsNote = (
  { x, y, width, height }: SlideBounds,
  frame: { readonly width: number; readonly height: number },
): SlideNote => ({
  code: 'sparse',
  message:
    `${width} × ${height} of its ${frame.width} × ${frame.height} pixels were scanned, from (${x}, ${y}); the rest is no ` +
    'part of the result, and mask.geojson counts from that corner, as QuPath does',
});
