import { loadOpenSlide } from './libopenslide.js';
import type { OpenSlideDescription } from './openslide-source.js';
import type { SlideFacts } from './slide-facts.js';

/** Vendors by OpenSlide's names. */
const VENDORS: Readonly<Record<string, string>> = {
  aperio: 'Aperio SVS',
  dicom: 'DICOM',
  hamamatsu: 'Hamamatsu',
  leica: 'Leica SCN',
  mirax: '3DHISTECH MRXS',
  philips: 'Philips TIFF',
  sakura: 'Sakura SVSLIDE',
  trestle: 'Trestle TIFF',
  ventana: 'Ventana BIF',
  zeiss: 'Zeiss CZI',
};

/** Reading more at a time would waste what a patch does not need; less would decode stored tiles twice. */
const DEFAULT_TILE = 512;
const MAX_TILE = 2048;

/**
 * Asks OpenSlide about a file that our own reader refused; undefined without libopenslide, for files it does not know or
 * cannot open either, and for TIFFs without a vendor, of which it knows no more than we do.
 */
export function askOpenSlide(path: string): SlideFacts | undefined {
  const library = loadOpenSlide();
  const vendor = library?.detectVendor(path);
  const handle = vendor && vendor !== 'generic-tiff' ? library?.open(path) : undefined;
  if (!handle || !vendor) return undefined;
  try {
    const number = (name: string) => {
      const value = Number(handle.property(name));
      return value > 0 && Number.isFinite(value) ? value : undefined;
    };
    const levels = Array.from({ length: Math.max(0, handle.levelCount()) }, (_, level) => {
      const [width, height] = handle.levelSize(level);
      const tile = (side: 'width' | 'height') =>
        Math.min(MAX_TILE, number(`openslide.level[${level}].tile-${side}`) ?? DEFAULT_TILE);
      return {
        width,
        height,
        downsample: handle.levelDownsample(level),
        tileWidth: tile('width'),
        tileHeight: tile('height'),
      };
    });
    if (handle.error() || levels.length === 0 || levels.some(({ width, height }) => !(width > 0 && height > 0)))
      return undefined;
    const x = number('openslide.mpp-x');
    const y = number('openslide.mpp-y') ?? x;
    const objective = number('openslide.objective-power');
    return {
      format: `${VENDORS[vendor] ?? vendor.replace(/[^\w -]/g, '')} (OpenSlide)`,
      mpp: x && y ? (x + y) / 2 : undefined,
      levels,
      properties: objective ? { objective: String(objective) } : {},
      describe: (geometry): OpenSlideDescription => ({ kind: 'openslide', path, levels: geometry }),
    };
  } finally {
    handle.close();
  }
}
