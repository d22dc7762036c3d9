#!/usr/bin/env bash
# A TIFF with a fourth sample of unstated meaning (ExtraSamples 0 = unspecified, TIFF 6.0 p. 31): is it transparency?
# Guess: no; only ExtraSamples 1 and 2 are alpha.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv v
v/bin/pip install -q openslide-python==1.4.7 openslide-bin==4.0.1.2 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0
v/bin/python - <<'PY'
import numpy as np, openslide, PIL, tifffile
from PIL import Image
colour = (200, 100, 150)
for name, fourth in (('zeros', 0), ('full', 255)):
    pixels = np.full((256, 256, 4), colour + (fourth,), np.uint8)
    tifffile.imwrite(f'{name}.tif', pixels, tile=(256, 256), photometric='rgb', extrasamples=['UNSPECIFIED'], metadata=None)
seen = {name: openslide.OpenSlide(f'{name}.tif').read_region((0, 0), 0, (1, 1)).getpixel((0, 0)) for name in ('zeros', 'full')}
pillow = Image.open('zeros.tif')
mode, first = pillow.mode, pillow.convert('RGB').getpixel((0, 0))
print(f'OpenSlide {openslide.__library_version__}, Pillow {PIL.__version__}, tifffile {tifffile.__version__}')
print(f'fourth sample 0: OpenSlide reads {seen["zeros"]}, Pillow opens {mode} and reads {first}')
print(f'fourth sample 255: OpenSlide reads {seen["full"]}')
assert seen['zeros'][3] == 0, 'OpenSlide no longer takes it for alpha'
assert seen['full'] == colour + (255,), 'the other file changed'
assert first == colour, 'Pillow changed'
print('OpenSlide takes a sample of unstated meaning for alpha: such a slide is transparent where it is 0.')
PY
