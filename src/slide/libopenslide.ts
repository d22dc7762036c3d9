import { createRequire } from 'node:module';

/** The calls of libopenslide that are used. Handles are opaque; errors come back through `error`. */
export interface OpenSlideLibrary {
  readonly version: string;
  /** Undefined when OpenSlide does not know the file. */
  detectVendor(path: string): string | undefined;
  open(path: string): OpenSlideHandle | undefined;
}

export interface OpenSlideHandle {
  /** What went wrong with this handle; it is of no use afterwards. */
  error(): string | undefined;
  property(name: string): string | undefined;
  levelCount(): number;
  levelSize(level: number): readonly [width: number, height: number];
  levelDownsample(level: number): number;
  /** Reads pre-multiplied ARGB, one 32-bit word a pixel. `x` and `y` are level-0 pixels. */
  readRegion(into: Uint32Array, x: number, y: number, level: number, width: number, height: number): void;
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

let loaded: OpenSlideLibrary | undefined | null = null;

/** libopenslide through koffi; undefined where either is not installed. Both are optional. */
export function loadOpenSlide(): OpenSlideLibrary | undefined {
  if (loaded === null) loaded = load();
  return loaded;
}

function load(): OpenSlideLibrary | undefined {
  const library = loadLibrary();
  if (!library) return undefined;
  const version = library.func('const char *openslide_get_version(void)');
  const detect = library.func('const char *openslide_detect_vendor(const char *path)');
  const open = library.func('void *openslide_open(const char *path)');
  const close = library.func('void openslide_close(void *osr)');
  const error = library.func('const char *openslide_get_error(void *osr)');
  const property = library.func('const char *openslide_get_property_value(void *osr, const char *name)');
  const count = library.func('int32_t openslide_get_level_count(void *osr)');
  const size = library.func(
    'void openslide_get_level_dimensions(void *osr, int32_t level, _Out_ int64_t *w, _Out_ int64_t *h)',
  );
  const downsample = library.func('double openslide_get_level_downsample(void *osr, int32_t level)');
  const read = library.func(
    'void openslide_read_region(void *osr, uint32_t *dest, int64_t x, int64_t y, int32_t level, int64_t w, int64_t h)',
  );
  return {
    version: version(),
    detectVendor: path => detect(path) ?? undefined,
    open(path) {
      const osr = open(path);
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
        readRegion: (into, x, y, level, width, height) => read(osr, into, x, y, level, width, height),
        close: () => close(osr),
      };
    },
  };
}

function loadLibrary(): import('koffi').LibraryHandle | undefined {
  let koffi: typeof import('koffi');
  try {
    koffi = createRequire(import.meta.url)('koffi');
  } catch {
    return undefined;
  }
  for (const name of NAMES) {
    try {
      return koffi.load(name);
    } catch {
      // The next name may be the one this system has.
    }
  }
  return undefined;
}
