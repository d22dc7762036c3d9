#!/usr/bin/env bash
# large-image and square label images. An OME-Zarr 0.4 label image has axes in its metadata and no 'omero' block, which belongs
# to intensity images. One would guess that large-image takes the axes from the metadata.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q large-image==1.35.6 large-image-source-zarr==1.35.6 zarr==2.18.7 numpy==2.2.6 packaging==25.0 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import importlib.metadata, json, sys
import numpy, zarr
import large_image_source_zarr

print("large-image", importlib.metadata.version("large-image-source-zarr"), "zarr", zarr.__version__)

def read(name, height, width, extra):
    group = zarr.open_group(f"{name}.ome.zarr", mode="w")
    group.create_dataset("0", shape=(height, width), chunks=(256, 256), dtype="u1", dimension_separator="/")[:] = 1
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    group.attrs["image-label"] = {"version": "0.4", "colors": [{"label-value": 1, "rgba": [0, 158, 115, 255]}]}
    if extra:
        group.attrs["omero"] = {"channels": []}
    try:
        source = large_image_source_zarr.open(f"{name}.ome.zarr/.zattrs")
        frames = len(source.getMetadata().get("frames", [0]))
        pixels = source.getRegion(format="numpy")[0].shape
        seen = f"{frames} frame(s), a region of {pixels}"
    except Exception as error:
        frames, seen = None, f"{frames} frame(s), then {type(error).__name__}: {error}"
    print(f"{name}: {height} x {width}: {seen}")
    return frames

wide = read("wide", 512, 768, False)
square = read("square", 512, 512, False)
block = read("square-with-empty-omero", 512, 512, True)
print("One would guess: all three are one frame of that size.")
print("It is: axes are guessed by length unless there is an omero block; in a square both guesses are the first axis.")
sys.exit(0 if wide == 1 and square != 1 and block == 1 else 1)
PY
if venv/bin/python show.py; then echo "as found"; else echo "this has changed"; exit 1; fi
