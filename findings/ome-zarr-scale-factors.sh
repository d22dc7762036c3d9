#!/usr/bin/env bash
# ome-zarr-py writes the levels one asks for by `scale_factors`. A slide's own levels are mostly 1, 4 and 16, and a mask that is to lie on them asks for [4, 16].
# Guess: levels of a quarter and a sixteenth, of the image and of its labels alike.
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

print("ome-zarr", version("ome-zarr"))
mask = np.zeros((512, 512), np.uint8)

def sides(group):
    return [group[level["path"]].shape[0] for level in group.attrs["ome"]["multiscales"][0]["datasets"]]

seen = {}
for number, asked in enumerate(([4, 16], [3, 9], [{"y": 4, "x": 4}, {"y": 16, "x": 16}], [4])):
    group = zarr.open_group(f"{number}.zarr", mode="w")
    copies = [[dict(f) if isinstance(f, dict) else f for f in asked] for _ in range(3)]
    write_image(mask, group, axes="yx", scale_factors=copies[0])
    write_labels(mask, group, name="asked", axes="yx", scale_factors=copies[1])
    write_labels(mask, group, name="scaler-none", axes="yx", scale_factors=copies[2], scaler=None)
    seen[number] = [sides(group), sides(group["labels/asked"]), sides(group["labels/scaler-none"])]
    print(f"scale_factors={asked}: image {seen[number][0]}, labels {seen[number][1]}, labels with scaler=None {seen[number][2]}")
halves = [512, 256, 128]
assert seen[0][0] == seen[1][0] == halves, "whole numbers are taken as they are now"
assert seen[2][0] == seen[2][2] == [512, 128, 32], "factors by axis are no longer taken as they are"
assert all(labels == [512, 256, 128, 64, 32] for _, labels, _ in seen.values()), "labels get the levels asked for now"
assert seen[3][2] == [512, 256], "whole numbers are taken as they are now, for labels with scaler=None"
PY
venv/bin/python -W ignore show.py
echo "Of whole numbers only how many there are counts: every level is half of the one before. write_labels goes by a scaler that is its own default, and by no factors at all, unless told scaler=None."
echo "Factors by axis, with scaler=None for labels, give the levels asked for."
