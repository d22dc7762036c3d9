#!/usr/bin/env bash
# ngff-zarr and Zarr v2 arrays in zlib. The Zarr v2 specification names zlib among its codecs, zarr-python reads it. One
# would guess that ngff-zarr, which reads through zarr-python's formats, reads it too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q ngff-zarr==0.50.0 zarr==3.1.6 numpy==2.4.6 numcodecs==0.16.6 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import importlib.metadata, sys
import numcodecs, numpy, zarr
import ngff_zarr

print("ngff-zarr", ngff_zarr.__version__, "zarr", zarr.__version__)

def read(name, codec):
    store = f"{name}.ome.zarr"
    group = zarr.open_group(store, mode="w", zarr_format=2)
    group.create_array("0", data=numpy.ones((64, 96), "u1"), chunks=(64, 64), compressors=codec, chunk_key_encoding={"name": "v2", "separator": "/"})
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    group.attrs["multiscales"] = [{"version": "0.4", "name": name, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}]
    plain = int(zarr.open_array(f"{store}/0", mode="r")[:].sum())
    try:
        seen = int(numpy.asarray(ngff_zarr.from_ngff_zarr(store).images[0].data).sum())
    except Exception as error:
        seen = f"{type(error).__name__}: {str(error)[:160]}"
    print(f"{name}: zarr-python sums {plain}, ngff-zarr: {seen}")
    return seen

gzip = read("gzip", numcodecs.GZip(1))
zlib = read("zlib", numcodecs.Zlib(1))
print("One would guess: 6144 twice.")
sys.exit(0 if gzip == 6144 and zlib != 6144 else 1)
PY
if venv/bin/python show.py 2>/dev/null; then echo "as found"; else echo "this has changed"; exit 1; fi
