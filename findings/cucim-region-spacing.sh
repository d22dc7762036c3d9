#!/usr/bin/env bash
# A pyramid of 0.5 µm/px, each level a quarter of the one before: what spacing does cuCIM state for a region that it read of each level?
# Guess: the level's: 0.5, 2 and 8 µm/px.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv v
v/bin/pip install -q cucim-cu12==26.10.0 openslide-python==1.4.7 openslide-bin==4.0.1.2 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
v/bin/python - <<'PY'
from importlib.metadata import version
import numpy as np, openslide, tifffile
from cucim import CuImage

blocks = np.random.default_rng(0).integers(60, 220, (32, 32, 3), dtype=np.uint8)
picture = np.kron(blocks, np.ones((32, 32, 1), np.uint8))
with tifffile.TiffWriter('slide.tiff') as t:
    for i in range(3):
        step = 4 ** i
        t.write(picture[::step, ::step], tile=(64, 64), photometric='rgb', compression='jpeg', compressionargs={'level': 95}, metadata=None,
                resolution=(20000 / step, 20000 / step), resolutionunit='CENTIMETER', subfiletype=int(i > 0))

slide, other = CuImage('slide.tiff'), openslide.OpenSlide('slide.tiff')
print('cucim', version('cucim-cu12'), 'states', slide.spacing()[:2], slide.spacing_units()[:2], 'of the slide, OpenSlide', other.properties['openslide.mpp-x'])
seen = []
for level in range(3):
    region = slide.read_region((0, 0), (64, 64), level=level)
    pixels = np.asarray(other.read_region((0, 0), level, (64, 64)).convert('RGB'))
    assert np.array_equal(np.asarray(region), pixels), 'not the pixels of this level'
    seen.append(region.spacing()[0])
    print(f'level {level}: a pixel is {0.5 * 4 ** level} µm wide; the region says {seen[-1]} {region.spacing_units()[0]}')
assert seen == [0.5, 0.125, 0.03125], 'this has changed'
print('The pixels are those of the level, their spacing is divided by its downsample instead of multiplied: an area measured with it is 256 times too small at level 1.')
PY
