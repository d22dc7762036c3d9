#!/usr/bin/env bash
# large-image and its sources. Each source is a package of its own; installed beside large-image it is found by its entry point. One
# would guess that `pip install large-image large-image-source-zarr` reads a Zarr image, or says why it cannot.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q large-image==1.35.6 large-image-source-zarr==1.35.6 zarr==2.18.7 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import importlib.metadata, importlib.util
import large_image, zarr

zarr.open("image.zarr", mode="w", shape=(512, 768), chunks=(256, 256), dtype="u1")[:] = 1
try:
    source = large_image.open("image.zarr/.zarray")
    print("opened by", type(source).__name__)
except Exception as error:
    print(f"{type(error).__name__}: {str(error).split('/')[0]}…")
declared = importlib.metadata.requires("large-image-source-zarr") or []
print("declares:", ", ".join(sorted({entry.split(";")[0].strip() for entry in declared if "extra ==" not in entry})))
print("packaging is", "here" if importlib.util.find_spec("packaging") else "not here")
PY
venv/bin/python show.py | tee without
venv/bin/pip install -q packaging==25.0
venv/bin/python show.py | tee with
echo "It is: the source imports packaging, which neither package asks for; without it the source is left out without a word, and the"
echo "error is that no source is available for the file, as for one that is no image."
if grep -q '^TileSourceError: No available tilesource' without && grep -q '^opened by ZarrFileTileSource' with
then echo "as found"; else echo "this has changed"; exit 1; fi
