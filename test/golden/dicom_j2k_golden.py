"""Frames of JPEG 2000, lossless, for test/slide/dicom: with and without component transform. By hand: needs imagecodecs, numpy."""

import json
from base64 import b64encode
from pathlib import Path

import imagecodecs
import numpy as np

WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT = 64, 48, 32, 24

y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
picture = (np.stack([x * 3, y * 3, x + y], axis=-1) & 255).astype(np.uint8)


def frames(mct: bool) -> list[str]:
    tiles = (
        picture[top : top + TILE_HEIGHT, left : left + TILE_WIDTH]
        for top in range(0, HEIGHT, TILE_HEIGHT)
        for left in range(0, WIDTH, TILE_WIDTH)
    )
    encoded = (
        imagecodecs.jpeg2k_encode(np.ascontiguousarray(tile), level=0, codecformat="j2k", mct=mct, reversible=True)
        for tile in tiles
    )
    return [b64encode(tile).decode() for tile in encoded]


golden = {"tile": [TILE_WIDTH, TILE_HEIGHT], "size": [WIDTH, HEIGHT], "YBR_RCT": frames(True), "RGB": frames(False)}
folder = Path(__file__).parent / "dicom"
folder.mkdir(exist_ok=True)
(folder / "jpeg2000-frames.json").write_text(json.dumps(golden))
