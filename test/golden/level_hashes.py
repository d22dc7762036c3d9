"""Writes level_hashes.json: the SHA-256 of a slide's finest level as OpenSlide 4 shows it, in RGB; by hand. One DICOM file
that OpenSlide refuses is put together from its frames by pydicom and Pillow.

    python test/golden/level_hashes.py [folder of more slides]

Only slides whose pixels are defined to the bit belong here: JPEG by libjpeg's defaults, and what is stored without loss.
"""

import hashlib
import io
import json
import pathlib
import sys

import numpy as np
import openslide
import pydicom
from PIL import Image
from pydicom.encaps import generate_frames

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
if len(sys.argv) > 1:
    name = "small_dicom.dcm"
    data = pydicom.dcmread(pathlib.Path(sys.argv[1]) / name)
    width, height = data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows
    cols, rows = -(-width // data.Columns), -(-height // data.Rows)
    matrix = np.zeros((rows * data.Rows, cols * data.Columns, 3), np.uint8)
    for index, frame in enumerate(generate_frames(data.PixelData, number_of_frames=int(data.NumberOfFrames))):
        row, col = divmod(index, cols)
        picture = np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
        matrix[row * data.Rows :, col * data.Columns :][: data.Rows, : data.Columns] = picture
    hashes[name] = hashlib.sha256(matrix[:height, :width].tobytes()).hexdigest()
(HERE / "level_hashes.json").write_text(json.dumps({"openslide": openslide.__library_version__, **hashes}, indent=1) + "\n")
