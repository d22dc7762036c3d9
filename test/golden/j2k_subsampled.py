"""Writes j2k_subsampled.json: JPEG 2000 codestreams of YCbCr with chroma at half the width or height, as some Aperio scanners
write them (compression 33003), and the SHA-256 of the RGB that OpenSlide makes of each as a tile. Needs opj_compress (OpenJPEG's
tools), numpy, pillow, tifffile, openslide; cuts from the CC0 slide in test/fixtures.

    python test/golden/j2k_subsampled.py
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import openslide
import tifffile

HERE = pathlib.Path(__file__).parent
slide = openslide.OpenSlide(str(HERE.parent / "fixtures" / "CMU-1-Small-Region.svs"))
cases = {}


def planes(width, height, across, down):
    image = slide.read_region((1000, 700), 0, (width, height)).convert("RGB").convert("YCbCr")
    y, cb, cr = (np.asarray(band, np.float64) for band in image.split())
    half = lambda a: a.reshape(height // down, down, width // across, across).mean((1, 3)).round()
    return b"".join(a.astype(np.uint8).tobytes() for a in (y, half(cb), half(cr)))


def add(name, width, height, across, down, *options, plain=True):
    with tempfile.TemporaryDirectory() as folder:
        raw, stream, svs = (f"{folder}/{n}" for n in ("a.raw", "a.j2k", "a.svs"))
        pathlib.Path(raw).write_bytes(planes(width, height, across, down))
        shape = f"{width},{height},3,8,u@1x1:{across}x{down}:{across}x{down}"
        subprocess.run(["opj_compress", "-i", raw, "-o", stream, "-F", shape, "-mct", "0", *options], check=True, stdout=subprocess.DEVNULL)
        bytes_ = pathlib.Path(stream).read_bytes()
        tifffile.imwrite(
            svs, iter([bytes_]), shape=(height, width, 3), dtype=np.uint8, tile=(height, width), photometric="rgb",
            compression=33003, metadata=None, description=f"Aperio Image Library\r\n{width}x{height}|MPP = 0.5",
        )
        pixels = np.asarray(openslide.OpenSlide(svs).read_region((0, 0), 0, (width, height)).convert("RGB"))
    cases[name] = {
        "width": width,
        "height": height,
        "plain": plain,
        "j2k": base64.b64encode(bytes_).decode(),
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
        # What OpenJPEG decodes for us it rounds in its own way.
        **({} if plain else {"rgb": base64.b64encode(pixels.tobytes()).decode()}),
    }


lossy = ("-I", "-r", "12")
add("half the width", 96, 64, 2, 1, *lossy)
add("half the width, lossless", 64, 48, 2, 1)
add("half the width and height", 64, 64, 2, 2, *lossy)
add("half the height", 64, 48, 1, 2, *lossy)
add("half the width, RPCL", 80, 64, 2, 1, *lossy, "-p", "RPCL")
add("half the width, CPRL, two layers", 80, 64, 2, 1, "-I", "-r", "40,10", "-p", "CPRL")
add("half the width, in tiles", 48, 32, 2, 1, *lossy, "-t", "32,32", plain=False)
add("half the width, in precincts", 48, 32, 2, 1, *lossy, "-n", "3", "-c", "[32,32]", plain=False)
(HERE / "j2k_subsampled.json").write_text(json.dumps(cases, indent=1) + "\n")
