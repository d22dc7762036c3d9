import { writeFileSync } from 'node:fs';
import { writeAt } from '../../process/shared-file.js';
import { type Koffi, loadKoffi, loadOpenSlide, type OpenSlideHandle, type OpenSlideLibrary } from './library.js';
import { overWhite } from './over-white.js';
import { type LevelRegion, type OpenSlideReply, type OpenSlideRequest, PIXELS_FD, PROPERTIES } from './protocol.js';

/**
 * OpenSlide's process: holds one slide, so that what its file does to the library's memory is nobody else's. One request at a
 * time; it ends with its parent.
 */

// An interrupt goes to all processes of a terminal; the parent still needs the tile that is under way.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
// An orderly end would wait for a call that hangs.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

/** What a file may make the library allocate. Slides take tens of megabytes. */
const MEMORY_BYTES = 4 * 2 ** 30;
/** Linux' number for the limit of a process' data. */
const RLIMIT_DATA = 2;

const koffi = loadKoffi();
if (koffi && process.platform === 'linux') confine(koffi);
const library = koffi && loadOpenSlide(koffi);

/** Out of memory, this process goes and not its parent; where a system does not let it say so, all are alike. */
function confine({ load }: Koffi): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
    load(null).func('int setrlimit(int resource, const uint64_t *limits)')(RLIMIT_DATA, [MEMORY_BYTES, MEMORY_BYTES]);
  } catch {
    // What it confines is a file that is out of the ordinary.
  }
}

let path = '';
let handle: OpenSlideHandle | undefined;
let argb = new Uint32Array(0);
let rgb = new Uint8Array(0);

async function answer(request: OpenSlideRequest): Promise<OpenSlideReply> {
  if (request.type === 'versions')
    return {
      type: 'versions',
      ...(koffi && { koffi: koffi.version }),
      ...(library && { openslide: library.version }),
    };
  if (!library) return { type: 'refused', why: 'is not installed' };
  return request.type === 'open' ? open(library, request) : read(library, request);
}

async function open(
  library: OpenSlideLibrary,
  request: Extract<OpenSlideRequest, { type: 'open' }>,
): Promise<OpenSlideReply> {
  const { version } = library;
  path = request.path;
  const vendor = await library.detectVendor(path);
  if (vendor === undefined) return { type: 'refused', version, why: 'does not know this kind of file' };
  if (vendor === 'generic-tiff' && !request.generic)
    return { type: 'refused', version, why: 'knows no more than that it is a TIFF' };
  const opened = await openHandle(library);
  if (typeof opened === 'string') return { type: 'refused', version, why: opened };
  handle = opened;
  const levels = Array.from({ length: Math.max(0, opened.levelCount()) }, (_, level) => {
    const [width, height] = opened.levelSize(level);
    const tileWidth = opened.property(`openslide.level[${level}].tile-width`);
    const tileHeight = opened.property(`openslide.level[${level}].tile-height`);
    const tile = tileWidth === undefined || tileHeight === undefined ? {} : { tileWidth, tileHeight };
    return { width, height, downsample: opened.levelDownsample(level), ...tile };
  });
  const properties = Object.fromEntries(
    PROPERTIES.flatMap(name => {
      const value = opened.property(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const why = opened.error();
  return why === undefined
    ? { type: 'opened', version, vendor, levels, properties }
    : { type: 'refused', version, why };
}

/** The slide at `path`, or why it cannot be opened. */
async function openHandle(library: OpenSlideLibrary): Promise<OpenSlideHandle | string> {
  const opened = await library.open(path);
  const error = opened ? opened.error() : 'does not know this kind of file';
  if (opened && error === undefined) return opened;
  opened?.close();
  return error ?? 'cannot open it';
}

async function read(library: OpenSlideLibrary, region: LevelRegion): Promise<OpenSlideReply> {
  const { level, x, y, width, height, stride } = region;
  if (argb.length < width * height) argb = new Uint32Array(width * height);
  if (rgb.length < stride * height) rgb = new Uint8Array(stride * height);
  if (!handle) {
    const opened = await openHandle(library);
    if (typeof opened === 'string') return { type: 'failed', why: opened };
    handle = opened;
  }
  await handle.readRegion(argb, x, y, level, width, height);
  const why = handle.error();
  if (why !== undefined) {
    // A handle that failed once fails for ever; one bad tile must not take the rest of the slide with it.
    handle.close();
    handle = undefined;
    return { type: 'failed', why };
  }
  const gaps = overWhite(argb, width, height, rgb, stride);
  writeAt(PIXELS_FD, rgb.subarray(0, (height - 1) * stride + width * 3), 0);
  return { type: 'pixels', gaps };
}

process.on('message', (request: OpenSlideRequest) => {
  answer(request)
    .catch(
      (error: unknown): OpenSlideReply => ({
        type: 'failed',
        why: error instanceof Error ? error.message : String(error),
      }),
    )
    .then(reply => process.send?.(reply));
});
