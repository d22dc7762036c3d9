#!/usr/bin/env bash
# An Aperio SVS has the slide, a thumbnail, coarser levels, and photographs of the glass: its paper label and the whole of it (macro). What does GDAL, which reads the
# JPEG tiles well, show where a picture of the slide at an eighth is asked for?
# Guess: the coarser level, or, as it knows no SVS, a reduction of the slide itself; never another picture.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q rasterio==1.4.4 tifffile==2026.3.3 imagecodecs==2026.3.6 openslide-python==1.4.7 openslide-bin==4.0.1.2 numpy==2.4.6 pillow==13.0.0 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import numpy as np, openslide, rasterio, tifffile

TISSUE, PAPER, GLASS = (220, 110, 160), (230, 160, 40), (70, 100, 160)
HEAD = "Aperio Image Library v11.2.1\r\n"

def page(width, height, colour):
    return np.full((height, width, 3), colour, np.uint8)

with tifffile.TiffWriter("slide.svs") as file:
    jpeg = dict(photometric="rgb", compression="jpeg", metadata=None)
    file.write(page(1024, 1536, TISSUE), tile=(256, 256), description=HEAD + "1024x1536 (256x256) JPEG/RGB Q=70|AppMag = 20|MPP = 0.5", **jpeg)
    file.write(page(128, 192, TISSUE), rowsperstrip=16, description=HEAD + "1024x1536 -> 128x192 - |AppMag = 20|MPP = 0.5", **jpeg)
    file.write(page(256, 384, TISSUE), tile=(256, 256), description=HEAD + "1024x1536 (256x256) -> 256x384 JPEG/RGB Q=70", **jpeg)
    file.write(page(200, 240, PAPER), rowsperstrip=240, subfiletype=1, photometric="rgb", compression="lzw", description=HEAD + "label 200x240", metadata=None)
    file.write(page(640, 215, GLASS), rowsperstrip=215, subfiletype=9, description=HEAD + "macro 640x215", **jpeg)

slide = openslide.OpenSlide("slide.svs")
print("rasterio", rasterio.__version__, "with GDAL", rasterio.__gdal_version__ + "; OpenSlide", openslide.__library_version__)
print("OpenSlide: levels", slide.level_dimensions, "besides", sorted(slide.associated_images))
with rasterio.open("slide.svs") as file:
    overviews = file.overviews(1)
    print("GDAL: overviews by", overviews)
    shown = {}
    for factor in (1, 2, 8):
        pixels = file.read(out_shape=(3, 1536 // factor, 1024 // factor))
        shown[factor] = tuple(int(v) for v in np.median(pixels, (1, 2)))
        print(f"GDAL: the slide at 1/{factor}: colour {shown[factor]}")

def near(colour, other):
    return max(abs(a - b) for a, b in zip(colour, other)) < 8

assert slide.level_dimensions == ((1024, 1536), (256, 384)) and sorted(slide.associated_images) == ["label", "macro", "thumbnail"], "not a sound SVS"
assert near(shown[1], TISSUE), "GDAL no longer shows the slide"
assert near(shown[2], GLASS), "GDAL no longer shows the macro for the slide at a half"
assert near(shown[8], PAPER), "GDAL no longer shows the label for the slide at an eighth"
PY
venv/bin/python -W ignore show.py
echo "The whole glass, stretched, at a half; the paper label at an eighth. Both are marked as reduced images, as Aperio marks them; its real coarser levels are not, and are not used."
