#!/usr/bin/env bash
# TIFF with WebP tiles: is OpenSlide one program wherever it is installed from?
# Guess: the newer build reads what the older one does. Debian's libopenslide0 3.4.1 reads such a file, through the system's libtiff.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv v
v/bin/pip install -q openslide-python==1.4.7 openslide-bin==4.0.1.2 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
v/bin/python - <<'PY'
import numpy as np, openslide, tifffile
picture = np.full((512, 512, 3), 99, np.uint8)
tifffile.imwrite('w.tif', picture, tile=(256, 256), photometric='rgb', compression='webp', metadata=None)
assert (tifffile.imread('w.tif') == picture).all() or abs(int(tifffile.imread('w.tif').mean()) - 99) <= 1
print(f'openslide-bin 4.0.1.2 (OpenSlide {openslide.__library_version__}), tifffile {tifffile.__version__}')
print('vendor:', openslide.OpenSlide.detect_format('w.tif'))
try:
    openslide.OpenSlide('w.tif').read_region((0, 0), 0, (1, 1))
    raise SystemExit('it is read now: this has changed')
except openslide.OpenSlideError as error:
    print('OpenSlide:', error)
    assert '50001' in str(error), error
print('The bundled libtiff has no WebP: the same OpenSlide reads other TIFFs when it is installed from another place.')
PY
