#!/usr/bin/env bash
# ndstorage (pycro-manager's storage) writes an NDTiff data set: each image's pixels go to the TIFF, then its entry to NDTiff.index, by which readers find it.
# Guess: an image whose pixels are on disk is listed there, or as soon as put_image has returned.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q ndstorage==0.1.18 numpy==2.4.6 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import contextlib, io, os
from importlib.metadata import version
import ndstorage, numpy as np

print("ndstorage", version("ndstorage"))
IMAGES, SIDE = 60, 16
writer = ndstorage.NDTiffDataset(dataset_path=".", name="scan", summary_metadata={}, writable=True)
path = writer.path

def listed():
    with contextlib.redirect_stdout(io.StringIO()):
        reader = ndstorage.Dataset(path)
    return sum(reader.has_image(row=0, column=i) for i in range(IMAGES))

def on_disk(written):
    stack = next(f"{path}/{name}" for name in os.listdir(path) if name.endswith(".tif"))
    with open(stack, "rb") as file:
        head = file.read(2_000_000)
    return sum(bytes([value + 1]) * SIDE * SIDE in head for value in range(written))

seen = {}
for image in range(IMAGES):
    writer.put_image({"row": 0, "column": image}, np.full((SIDE, SIDE), image + 1, np.uint8), {})
    if image + 1 in (1, 20, 40, IMAGES):
        seen[image + 1] = (on_disk(image + 1), os.path.getsize(f"{path}/NDTiff.index"), listed())
        print(f"after {image + 1} images: pixels of {seen[image + 1][0]} on disk, index of {seen[image + 1][1]} bytes, {seen[image + 1][2]} found by a reader")
writer.finish()
print(f"finished: {listed()} found")
assert all(pixels >= count - 1 for count, (pixels, _, _) in seen.items()), "pixels are held back, too"
assert seen[40][1:] == (0, 0), "the index is written as images come"
assert 0 < seen[IMAGES][2] < IMAGES and listed() == IMAGES, "this has changed"
PY
venv/bin/python -W ignore show.py
echo "The index goes to disk in blocks of 4 KiB, some fifty entries: until then a reader finds no image, though all pixels are there, and a scan of a slide at one field in two seconds seems to stand still for a minute and a half at a time."
