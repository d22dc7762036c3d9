"""NDTiff data sets as Micro-Manager's own library writes them, for test/slide/ndtiff/data-set.test.ts.

    pip install ndstorage==0.1.18 numpy
    python test/golden/ndtiff_golden.py

The library writes grey images only. Pixels are a formula of where they lie on the slide, which the test knows, too:
(3 x + 5 y) modulo 256, in tiles of 12 x 10 whose images overlap by 4 x 2, from row -1 on.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
from ndstorage import NDTiffDataset

OUT = Path(__file__).parent / "ndtiff"
TILE = (12, 10)
OVERLAP = (4, 2)


def pixels(row, column):
    width, height = TILE[0] + OVERLAP[0], TILE[1] + OVERLAP[1]
    x = np.arange(width)[None, :] + column * TILE[0] - OVERLAP[0] // 2
    y = np.arange(height)[:, None] + (row + 1) * TILE[1] - OVERLAP[1] // 2
    return (3 * x + 5 * y).astype(np.uint8)


def write(folder, summary):
    data = NDTiffDataset(str(OUT), name="made", summary_metadata=summary, writable=True)
    for row in (-1, 0):
        for column in range(3):
            if (row, column) != (0, 1):
                data.put_image({"row": row, "column": column}, pixels(row, column), {"PixelSizeUm": 0.5})
    data.finish()
    data.close()
    # The library adds a number to the name.
    folder.parent.mkdir(parents=True, exist_ok=True)
    next(OUT.glob("made*")).rename(folder)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    overlap = {"GridPixelOverlapX": OVERLAP[0], "GridPixelOverlapY": OVERLAP[1], "PixelSize_um": 0.5}
    write(OUT / "pyramid" / "Full resolution", overlap)
    for path in sorted(OUT.rglob("*")):
        print(path, path.stat().st_size if path.is_file() else "", file=sys.stderr)


main()
