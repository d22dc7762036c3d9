"""Writes level_hashes.json: the SHA-256 of a slide's finest level as OpenSlide 4 shows it, in RGB; by hand.

    python test/golden/level_hashes.py [folder of more slides]

Only slides whose pixels are defined to the bit belong here: JPEG by libjpeg's defaults, and what is stored without loss.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
import openslide

HERE = pathlib.Path(__file__).parent
FIXTURES = HERE.parent / "fixtures"
slides = {"CMU-1-Small-Region.svs": FIXTURES / "CMU-1-Small-Region.svs", "dicom/jpeg.dicom": FIXTURES / "dicom" / "jpeg.dicom"}
if len(sys.argv) > 1:
    slides |= {f"dicom/{name}.dicom": pathlib.Path(sys.argv[1]) / "dicom" / f"{name}.dicom" for name in ("jpeg2000", "raw")}

hashes = {}
for name, path in slides.items():
    slide = openslide.OpenSlide(path)
    pixels = np.array(slide.read_region((0, 0), 0, slide.dimensions))[:, :, :3]
    hashes[name] = hashlib.sha256(pixels.tobytes()).hexdigest()
(HERE / "level_hashes.json").write_text(json.dumps({"openslide": openslide.__library_version__, **hashes}, indent=1) + "\n")
