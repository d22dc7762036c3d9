#!/usr/bin/env bash
# Which pixels of a label image do the coarser levels show that ome-zarr-py makes of it? A level's metadata say that its first pixel lies at the middle of the block that it stands for.
# Guess: one of the pixels nearest to that middle; for a level of a sixteenth, the seventh or eighth.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q ome-zarr==0.18.0 zarr==3.1.6 numpy==2.4.6 scikit-image==0.26.0 dask==2026.8.0 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
from importlib.metadata import version
import numpy as np, zarr
from ome_zarr.writer import write_image, write_labels

print("ome-zarr", version("ome-zarr"), "scikit-image", version("scikit-image"))
SIDE = 256
number = np.arange(SIDE * SIDE, dtype=np.uint32).reshape(SIDE, SIDE)
group = zarr.open_group("labels.zarr", mode="w")
write_image(np.zeros((SIDE, SIDE), np.uint8), group, axes="yx")
write_labels(number, group, name="number", axes="yx")
labels = group["labels/number"]
for level in labels.attrs["ome"]["multiscales"][0]["datasets"][1:]:
    factor = int(level["coordinateTransformations"][0]["scale"][0])
    middle = level["coordinateTransformations"][1]["translation"][0]
    rows, columns = np.divmod(labels[level["path"]][:], SIDE)
    within = {(int(r) % factor, int(c) % factor) for r, c in zip(rows.ravel(), columns.ravel())}
    print(f"level 1/{factor}: said to lie at {middle} of 0 to {factor - 1}, shows pixel {sorted(within)} of each block")
    assert middle == (factor - 1) / 2, "the metadata changed"
    assert within == {(factor - 1, factor - 1)}, "another pixel is shown now"
PY
venv/bin/python -W ignore show.py
echo "Each level shows the last pixel, bottom right, of every block: labels slip up and left by half a pixel of the level shown, against the image under them, whose levels are means."
