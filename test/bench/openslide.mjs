import { createRequire } from 'node:module';

const NAMES = ['libopenslide.so.1', 'libopenslide.so.0', 'libopenslide.1.dylib', 'libopenslide-1.dll'];

/** libopenslide through koffi, with the calls the benchmark needs; undefined where either is missing. */
export function loadOpenSlide() {
  const library = load();
  if (!library) return undefined;
  const open = library.func('void *openslide_open(const char *path)');
  const close = library.func('void openslide_close(void *osr)');
  const error = library.func('const char *openslide_get_error(void *osr)');
  const read = library.func(
    'void openslide_read_region(void *osr, _Out_ uint32_t *dest, int64_t x, int64_t y, int32_t level, int64_t w, int64_t h)',
  );
  return {
    open(path) {
      const osr = open(path);
      if (!osr) throw new Error(`OpenSlide cannot open ${path}`);
      return {
        readRegion: (pixels, x, y, level, width, height) =>
          new Promise((resolve, reject) => {
            read.async(osr, pixels, x, y, level, width, height, failure => {
              const message = failure?.message ?? error(osr);
              if (message) reject(new Error(message));
              else resolve();
            });
          }),
        close: () => close(osr),
      };
    },
  };
}

function load() {
  let koffi;
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
