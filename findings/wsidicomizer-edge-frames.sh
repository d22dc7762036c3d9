#!/usr/bin/env bash
# DICOM whole-slide levels that wsidicomizer computes (add_missing_levels): have all frames Rows x Columns pixels?
# Guess: yes; PS3.3 C.7.6.17 knows one size of frames an instance, and edge frames are filled up.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv v
v/bin/pip install -q wsidicomizer==0.26.1 tifffile imagecodecs numpy pillow
v/bin/python - <<'PY'
import glob, importlib.metadata as m, io
import numpy as np, pydicom, tifffile
from PIL import Image
from wsidicomizer import WsiDicomizer
r = np.random.default_rng(0)
picture = r.integers(100, 200, (2321, 2321, 3), dtype=np.uint8)
with tifffile.TiffWriter('p.tiff') as t:
    t.write(picture, tile=(512, 512), photometric='rgb', compression='jpeg', compressionargs={'level': 90}, metadata=None, resolution=(20000, 20000), resolutionunit='CENTIMETER')
WsiDicomizer.convert('p.tiff', 'out', add_missing_levels=True)
odd = 0
for path in sorted(glob.glob('out/**/*.dcm', recursive=True)):
    d = pydicom.dcmread(path)
    frames = pydicom.encaps.generate_frames(d.PixelData, number_of_frames=int(d.NumberOfFrames))
    sizes = [Image.open(io.BytesIO(f)).size for f in frames]
    smaller = [s for s in sizes if s != (d.Columns, d.Rows)]
    odd += len(smaller)
    print(f'{d.TotalPixelMatrixColumns} x {d.TotalPixelMatrixRows}: {len(sizes)} frames of {d.Columns} x {d.Rows}, {len(smaller)} smaller {sorted(set(smaller))}')
print('wsidicomizer', m.version('wsidicomizer'), 'wsidicom', m.version('wsidicom'), 'pydicom', m.version('pydicom'))
assert odd > 0, 'all frames have the stated size now'
print('Frames at the edge of computed levels are encoded smaller than Rows x Columns.')
PY
