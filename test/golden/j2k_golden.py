"""Writes j2k_plain.json: small JPEG 2000 codestreams of the kinds that slides hold, by OpenJPEG, and the SHA-256 of the RGB
that it makes of each. Needs pillow, numpy, openslide; cuts from the CC0 slide in test/fixtures.

    python test/golden/j2k_golden.py
"""

import base64
import hashlib
import io
import json
import pathlib

import numpy as np
import openslide
from PIL import Image

HERE = pathlib.Path(__file__).parent
slide = openslide.OpenSlide(str(HERE.parent / "fixtures" / "CMU-1-Small-Region.svs"))
noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (45, 70, 3), dtype=np.uint8))
cases = {}


def cut(width, height):
    return slide.read_region((1000, 700), 0, (width, height)).convert("RGB")


def add(name, image, plain=True, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG2000", no_jp2=True, **options)
    pixels = np.asarray(Image.open(io.BytesIO(stream.getvalue())).convert("RGB"))
    cases[name] = {
        "width": image.width,
        "height": image.height,
        "plain": plain,
        "j2k": base64.b64encode(stream.getvalue()).decode(),
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
    }


lossy = {"irreversible": True, "quality_mode": "rates"}
add("lossy", cut(128, 128), quality_layers=[20], **lossy)
add("lossy, odd sides", cut(101, 67), quality_layers=[8], **lossy)
add("lossy, layers", cut(96, 80), quality_layers=[40, 20, 5], **lossy)
add("lossy without a component transform", cut(64, 64), quality_layers=[10], mct=0, **lossy)
add("lossless", cut(64, 48))
add("lossless, odd sides", cut(53, 37))
add("lossless without a component transform", cut(40, 40), mct=0)
add("noise", noise)
add("noise, lossy", noise, quality_layers=[3], **lossy)
add("small blocks", cut(64, 64), codeblock_size=(8, 16), quality_layers=[10], **lossy)
add("wide blocks", cut(300, 40), codeblock_size=(256, 16), quality_layers=[20], **lossy)
add("one resolution", cut(40, 30), num_resolutions=1)
add("many resolutions", cut(40, 33), num_resolutions=6)
add("three columns", cut(3, 40), num_resolutions=2)
add("one pixel", cut(1, 1), num_resolutions=1)
for progression in ("RLCP", "RPCL", "PCRL", "CPRL"):
    add(progression, cut(64, 56), progression=progression, quality_layers=[20, 8], **lossy)
add("precincts", cut(128, 96), plain=False, precinct_size=(32, 32), quality_layers=[10], **lossy)
add("tiles", cut(96, 96), plain=False, tile_size=(64, 64), quality_layers=[10], **lossy)
(HERE / "j2k_plain.json").write_text(json.dumps(cases, indent=1) + "\n")
