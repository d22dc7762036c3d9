"""Writes jpeg_islow.json: small JPEGs and the SHA-256 of the RGB that libjpeg-turbo makes of each by default
(accurate inverse DCT, smooth upsampling). Needs pillow, numpy, openslide and cjpeg; cuts from the CC0 slide in test/fixtures.

    python test/golden/jpeg_golden.py
"""

import base64
import hashlib
import io
import json
import pathlib
import subprocess

import numpy as np
import openslide
from PIL import Image

HERE = pathlib.Path(__file__).parent
SLIDE = HERE.parent / "fixtures" / "CMU-1-Small-Region.svs"

slide = openslide.OpenSlide(str(SLIDE))
stain = slide.read_region((1000, 700), 0, (75, 53)).convert("RGB")
noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (37, 41, 3), dtype=np.uint8))
cases = {}


def add(name, image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    add_stream(name, image, stream.getvalue())


def add_stream(name, image, stream):
    pixels = np.asarray(Image.open(io.BytesIO(stream)).convert("RGB"))
    cases[name] = {
        "width": image.width,
        "height": image.height,
        "jpeg": base64.b64encode(stream).decode(),
        "sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
    }


for quality in (30, 75, 95, 100):
    for name, subsampling in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        add(f"{name} of quality {quality}", stain, quality=quality, subsampling=subsampling)
add("noise", noise, quality=98, subsampling=2)
add("narrow", stain.crop((0, 0, 6, 40)), quality=90, subsampling=2)
add("one row", stain.crop((0, 0, 40, 1)), quality=90, subsampling=2)
add("RGB", stain, quality=85, subsampling=0, keep_rgb=True)
add("grey", stain.convert("L"), quality=85)
add("restart markers", stain, quality=85, subsampling=2, restart_marker_blocks=3)
add("its own Huffman codes", stain, quality=85, subsampling=1, optimize=True)
ppm = io.BytesIO()
stain.save(ppm, "PPM")
command = ["cjpeg", "-quality", "85", "-sample", "1x2"]
half_high = subprocess.run(command, input=ppm.getvalue(), capture_output=True, check=True).stdout
add_stream("4:4:0", stain, half_high)
add("progressive", stain, quality=85, subsampling=0, progressive=True)
(HERE / "jpeg_islow.json").write_text(json.dumps(cases, indent=1) + "\n")
