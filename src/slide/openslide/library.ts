import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import type { LibraryHandle } from 'koffi';

/**
 * libopenslide through koffi. Its parsers are native code that is given anybody's files: only openslide.child.ts loads it.
 * Calls that touch a file run beside the event loop, so that a file that hangs does not keep its process alive.
 */
export interface OpenSlideLibrary {
  readonly version: string;
  /** Undefined when OpenSlide does not know the file. */
  detectVendor(path: string): Promise<string | undefined>;
  open(path: string): Promise<OpenSlideHandle | undefined>;
}

export interface OpenSlideHandle {
  /** What went wrong with this handle; it is of no use afterwards. */
  error(): string | undefined;
  property(name: string): string | undefined;
  levelCount(): number;
  levelSize(level: number): readonly [width: number, height: number];
  levelDownsample(level: number): number;
  /** Reads pre-multiplied ARGB, one 32-bit word a pixel. `x` and `y` are level-0 pixels. */
  readRegion(into: Uint32Array, x: number, y: number, level: number, width: number, height: number): Promise<void>;
  close(): void;
}

/** Names of the library by version and system: 4.x and 3.4.1. */
const NAMES = [
  'libopenslide.so.1',
  'libopenslide.so.0',
  'libopenslide.1.dylib',
  'libopenslide.0.dylib',
  'libopenslide-1.dll',
];

export type Koffi = typeof import('koffi');

/** Undefined where it is not installed; it is optional. */
export function loadKoffi(): Koffi | undefined {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi;
  } catch {
    return undefined;
  }
}

/** Undefined where libopenslide is not installed. */
export function loadOpenSlide(koffi: Koffi): OpenSlideLibrary | undefined {
  const library = loadLibrary(koffi);
  if (!library) return undefined;
  const version = library.func('const char *openslide_get_version(void)');
  const detect = beside(library.func('const char *openslide_detect_vendor(const char *path)'));
  const open = beside(library.func('void *openslide_open(const char *path)'));
  const close = library.func('void openslide_close(void *osr)');
  const error = library.func('const char *openslide_get_error(void *osr)');
  const property = library.func('const char *openslide_get_property_value(void *osr, const char *name)');
  const count = library.func('int32_t openslide_get_level_count(void *osr)');
  const size = library.func(
    'void openslide_get_level_dimensions(void *osr, int32_t level, _Out_ int64_t *w, _Out_ int64_t *h)',
  );
  const downsample = library.func('double openslide_get_level_downsample(void *osr, int32_t level)');
  const read = beside(
    library.func(
      'void openslide_read_region(void *osr, uint32_t *dest, int64_t x, int64_t y, int32_t level, int64_t w, int64_t h)',
    ),
  );
  return {
    version: version(),
    detectVendor: async path => ((await detect(path)) as string | null) ?? undefined,
    async open(path) {
      const osr = await open(path);
      if (!osr) return undefined;
      return {
        error: () => error(osr) ?? undefined,
        property: name => property(osr, name) ?? undefined,
        levelCount: () => count(osr),
        levelSize(level) {
          const [width, height] = [[0], [0]] as const;
          size(osr, level, width, height);
          return [Number(width[0]), Number(height[0])];
        },
        levelDownsample: level => downsample(osr, level),
        readRegion: async (into, x, y, level, width, height) => {
          await read(osr, into, x, y, level, width, height);
        },
        close: () => close(osr),
      };
    },
  };
}

type Beside = (...given: unknown[]) => Promise<unknown>;

const beside = (call: ReturnType<LibraryHandle['func']>): Beside => promisify(call.async) as Beside;

function loadLibrary(koffi: Koffi): LibraryHandle | undefined {
  for (const name of NAMES) {
    try {
      return koffi.load(name);
    } catch {
      // The next name may be the one this system has.
    }
  }
  return undefined;
}
