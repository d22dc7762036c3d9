"""Means of 16 x 16 pixel blocks of the DICOM fixture, as OpenSlide 4 reads it. By hand: needs openslide-bin, numpy."""

import hashlib
import json
from pathlib import Path

import numpy as np
import openslide

HERE = Path(__file__).parent
SLIDE = HERE.parent / "fixtures" / "dicom" / "jpeg.dicom"
BLOCK = 16

slide = openslide.OpenSlide(SLIDE)
pixels = np.array(slide.read_region((0, 0), 0, slide.dimensions))[:, :, :3].astype(float)
rows, cols = pixels.shape[0] // BLOCK, pixels.shape[1] // BLOCK
means = pixels[: rows * BLOCK, : cols * BLOCK].reshape(rows, BLOCK, cols, BLOCK, 3).mean((1, 3))
golden = {
    "openslide": openslide.__library_version__,
    "sha256": hashlib.sha256(SLIDE.read_bytes()).hexdigest(),
    "block": BLOCK,
    "blocks": [cols, rows],
    "means": np.round(means, 1).reshape(-1).tolist(),
}
(HERE / "dicom").mkdir(exist_ok=True)
(HERE / "dicom" / "jpeg.json").write_text(json.dumps(golden))
