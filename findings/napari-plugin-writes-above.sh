#!/usr/bin/env bash
# napari-ome-zarr and a label image that stands by itself. One would guess that opening an image to look at it writes nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q napari-ome-zarr==0.10.0 napari==0.9.2 zarr==3.1.6 numpy==2.4.6 2>pip.log || { cat pip.log; exit 2; }
mkdir -p results/slide
cat > show.py <<'PY'
import importlib.metadata, os, sys
import numpy, zarr
from napari_ome_zarr._reader import napari_get_reader

print("napari-ome-zarr", importlib.metadata.version("napari-ome-zarr"), "zarr", zarr.__version__)
store = "results/slide/mask.ome.zarr"
group = zarr.open_group(store, mode="w", zarr_format=2)
group.create_array("0", data=numpy.ones((64, 96), "u1"), chunks=(64, 64), chunk_key_encoding={"name": "v2", "separator": "/"})
scale = [{"type": "scale", "scale": [0.5, 0.5]}]
axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
group.attrs["image-label"] = {"version": "0.4", "colors": [{"label-value": 1, "rgba": [0, 158, 115, 255]}]}

def files():
    return sorted(os.path.join(where, name) for where, _, names in os.walk("results") for name in names)

before = files()
((_, properties, kind),) = napari_get_reader(os.path.abspath(store))(os.path.abspath(store))
written = [name for name in files() if name not in before]
print("layer:", kind, "called", repr(properties["name"]), "visible:", properties["visible"])
print("files written by opening it:", written)
print("One would guess: a visible labels layer, and no file.")
print("It is: it looks for an image two folders up with zarr.open_group's default mode, which makes a group there; the layer is hidden.")
sys.exit(0 if written == ["results/zarr.json"] and properties["visible"] is False else 1)
PY
if venv/bin/python show.py 2>/dev/null | grep -v '^Root group'; then echo "as found"; else echo "this has changed"; exit 1; fi
