"""One reader of slides for `npm run bench -- peers`, in a process of its own.

    peers.py make FROM JPEG444 JPEG420 J2K     writes slides with the pixels of another one
    peers.py run READER SLIDE PATCH THREADS    says {"version": …} or {"absent": …}, then answers each line of its input by
                                               {"cpu": s, "wall": s, "pixels": n}: every patch of the slide, once, from a slide opened anew
"""
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def say(**facts):
    print(json.dumps(facts), flush=True)


def grid(width, height, patch):
    return [(x, y) for y in range(0, height - patch + 1, patch) for x in range(0, width - patch + 1, patch)]


class Cucim:
    def __init__(self, path):
        import cucim
        self.version = cucim.__version__
        self.path = path

    def read(self, patch, threads):
        from cucim import CuImage
        slide = CuImage(self.path)
        width, height = slide.resolutions["level_dimensions"][0]
        places = grid(width, height, patch)
        # Batches are its fast way: its own threads read ahead.
        count = 0
        for image in slide.read_region(places, (patch, patch), 0, num_workers=threads, batch_size=1, prefetch_factor=4 * threads):
            count += 1
        return count


class PatchAtATime:
    """Readers that are asked for a patch by each of their threads."""

    def read(self, patch, threads):
        slide, width, height = self.open()
        places = grid(width, height, patch)
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda place: self.region(slide, *place, patch), places, chunksize=1))


class OpenSlide(PatchAtATime):
    def __init__(self, path):
        import openslide
        self.version = openslide.__library_version__
        self.path = path

    def open(self):
        import openslide
        slide = openslide.OpenSlide(self.path)
        return slide, *slide.dimensions

    def region(self, slide, x, y, patch):
        slide.read_region((x, y), 0, (patch, patch))
        return 1


class FastSlide(PatchAtATime):
    def __init__(self, path):
        import importlib.metadata
        self.version = importlib.metadata.version("fastslide")
        self.path = path
        slide, _, _ = self.open()
        self.region(slide, 0, 0, 64)

    def open(self):
        import fastslide
        slide = fastslide.FastSlide.from_file_path(self.path)
        return slide, *slide.dimensions

    def region(self, slide, x, y, patch):
        slide.read_region((x, y), 0, (patch, patch))
        return 1


class Microtome:
    """Decodes stored tiles; puts no patch together."""

    def __init__(self, path):
        import importlib.metadata
        import microtome
        self.version = importlib.metadata.version("microtome-wsi") + ", tiles alone"
        self.path = path
        microtome.open(path).read_tile(0, 0, 0)

    def read(self, patch, threads):
        import microtome
        slide = microtome.open(self.path)
        width, height = slide.dimensions
        size = slide.levels[0]
        size = size if isinstance(size, dict) else {name: getattr(size, name) for name in dir(size) if not name.startswith("_")}
        across, down = -(-width // size["tile_width"]), -(-height // size["tile_height"])
        for row in range(0, down, 4):
            tiles = range(row * across, min(down, row + 4) * across)
            slide.read_batch(0, list(tiles), threads)
        return len(grid(width, height, patch))


class Stored:
    """The stored tiles of a TIFF's first level, by tifffile."""

    def pages(self):
        import tifffile
        tiff = tifffile.TiffFile(self.path)
        page = tiff.pages[0]
        return tiff, page, page.imagewidth, page.imagelength, page.tilewidth, page.tilelength


class Tifffile(Stored, PatchAtATime):
    """tifffile decodes each tile once; tiles are kept until the row of patches below has used them."""

    def __init__(self, path):
        import imagecodecs
        import tifffile
        self.version = f"{tifffile.__version__}, imagecodecs {imagecodecs.__version__}"
        self.path = path

    def open(self):
        tiff, page, width, height, tw, th = self.pages()
        self.tiles, self.lock, self.reading = {}, threading.Lock(), threading.Lock()
        self.page, self.tiff, self.tw, self.th, self.across = page, tiff, tw, th, -(-width // tw)
        return page, width, height

    def tile(self, col, row):
        index = row * self.across + col
        with self.lock:
            known = self.tiles.get(index)
        if known is not None:
            return known
        with self.reading:
            handle = self.tiff.filehandle
            handle.seek(self.page.dataoffsets[index])
            data = handle.read(self.page.databytecounts[index])
        pixels = self.page.decode(data, index, jpegtables=self.page.jpegtables)[0][0]
        with self.lock:
            self.tiles[index] = pixels
            while len(self.tiles) > 3 * self.across:
                self.tiles.pop(next(iter(self.tiles)))
        return pixels

    def region(self, page, x, y, patch):
        import numpy
        out = numpy.empty((patch, patch, 3), numpy.uint8)
        for row in range(y // self.th, -(-(y + patch) // self.th)):
            for col in range(x // self.tw, -(-(x + patch) // self.tw)):
                left, top = max(x, col * self.tw), max(y, row * self.th)
                right, bottom = min(x + patch, (col + 1) * self.tw), min(y + patch, (row + 1) * self.th)
                part = self.tile(col, row)[top - row * self.th : bottom - row * self.th, left - col * self.tw : right - col * self.tw]
                out[top - y : bottom - y, left - x : right - x] = part
        return 1


class Bare(Stored):
    """The codec alone: every tile decoded once from memory, into the same array; nothing else."""

    def __init__(self, path):
        import imagecodecs
        self.path = path
        tiff, page, self.width, self.height, self.tw, self.th = self.pages()
        handle = tiff.filehandle
        self.data = []
        for offset, count in zip(page.dataoffsets, page.databytecounts):
            handle.seek(offset)
            self.data.append(handle.read(count))
        compression = int(page.compression)
        if compression == 7:
            self.version = imagecodecs.jpeg8_version()
            tables = page.jpegtables
            space = {2: "RGB", 6: "YCBCR"}[int(page.photometric)]
            self.decode = lambda data, out: imagecodecs.jpeg8_decode(data, tables=tables, colorspace=space, outcolorspace="RGB", out=out)
        else:
            self.version = imagecodecs.jpeg2k_version()
            self.decode = lambda data, out: imagecodecs.jpeg2k_decode(data, out=out)

    def read(self, patch, threads):
        import numpy
        local = threading.local()

        def one(data):
            if not hasattr(local, "out"):
                local.out = numpy.empty((self.th, self.tw, 3), numpy.uint8)
            self.decode(data, local.out)

        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(one, self.data, chunksize=8):
                pass
        # Tiles cover more than whole patches: their pixels count, as many as were decoded.
        self.decoded = len(self.data) * self.tw * self.th
        return len(grid(self.width, self.height, patch))


READERS = {
    "cuCIM": Cucim,
    "tifffile": Tifffile,
    "microtome-wsi": Microtome,
    "fastslide": FastSlide,
    "OpenSlide": OpenSlide,
    "bare decode": Bare,
}


def run(name, path, patch, threads):
    try:
        reader = READERS[name](path)
        reader.read(patch, threads)
    except BaseException as error:
        say(absent=f"{type(error).__name__}: {error}".split("\n")[0][:200])
        return
    say(version=reader.version)
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        patches = reader.read(patch, threads)
        spent = dict(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall)
        say(**spent, pixels=getattr(reader, "decoded", patches * patch * patch))


def make(source, jpeg444, jpeg420, j2k):
    import tifffile
    pixels = tifffile.imread(source, key=0)
    pixels = pixels[: pixels.shape[0] // 256 * 256, : pixels.shape[1] // 256 * 256]
    common = dict(tile=(256, 256), photometric="rgb", resolution=(20040, 20040), resolutionunit="CENTIMETER", metadata=None)
    for path, sub in ((jpeg444, (1, 1)), (jpeg420, (2, 2))):
        tifffile.imwrite(path, pixels, compression="jpeg", compressionargs=dict(level=80), subsampling=sub, **common)
    tifffile.imwrite(j2k, pixels, compression="aperio_jp2000_rgb", compressionargs=dict(level=32), **common)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*sys.argv[2:])
    else:
        run(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
