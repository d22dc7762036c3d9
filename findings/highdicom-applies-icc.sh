#!/usr/bin/env bash
# A DICOM whole slide whose optical path has an ICC profile (Display P3's primaries), as those of scanners do: do its readers give the same pixels?
# Guess: yes, those that were encoded; a profile is for showing, and OpenSlide, which has one too, only hands it out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv write
write/bin/pip install -q wsidicomizer==0.26.1 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0
python3 -m venv read
read/bin/pip install -q highdicom==0.28.2 pydicom==3.0.2 wsidicom==0.36.1 openslide-python==1.4.7 openslide-bin==4.0.1.2 numpy==2.4.6
write/bin/python - <<'PY'
import glob, struct
import numpy as np, pydicom, tifffile
from PIL import ImageCms
from wsidicomizer import WsiDicomizer

profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
(count,) = struct.unpack_from('>I', profile, 128)
places = {bytes(profile[132 + 12 * i:136 + 12 * i]): struct.unpack_from('>I', profile, 136 + 12 * i)[0] for i in range(count)}
PRIMARIES = {b'rXYZ': (0.51512, 0.24120, -0.00105), b'gXYZ': (0.29198, 0.69225, 0.04189), b'bXYZ': (0.15710, 0.06657, 0.78407)}
for tag, xyz in PRIMARIES.items():
    struct.pack_into('>3i', profile, places[tag] + 8, *(round(v * 65536) for v in xyz))

# A pink like eosin's and a violet like haematoxylin's.
picture = np.empty((256, 512, 3), np.uint8)
picture[:, :256], picture[:, 256:] = (230, 120, 180), (90, 60, 150)
with tifffile.TiffWriter('p.tiff') as t:
    t.write(picture, tile=(256, 256), photometric='rgb', compression='jpeg', compressionargs={'level': 95}, metadata=None,
            resolution=(20000, 20000), resolutionunit='CENTIMETER')
WsiDicomizer.convert('p.tiff', 'out', tile_size=256)
(path,) = glob.glob('out/**/*.dcm', recursive=True)
slide = pydicom.dcmread(path)
slide.OpticalPathSequence[0].ICCProfile = bytes(profile)
slide.OpticalPathSequence[0].pop('ColorSpace', None)
slide.save_as('slide.dcm')
PY
read/bin/python - <<'PY'
from importlib.metadata import version
import highdicom, numpy as np, openslide
from pydicom.pixels import pixel_array
from wsidicom import WsiDicom

def pixels(matrix):
    return [tuple(int(v) for v in matrix[128, x][:3]) for x in (128, 384)]

with WsiDicom.open('slide.dcm') as slide:
    wsidicom = pixels(np.asarray(slide.read_region((0, 0), 0, (512, 256))))
slide = openslide.OpenSlide('slide.dcm')
image = highdicom.imread('slide.dcm')
seen = {
    f'pydicom {version("pydicom")}': pixels(np.concatenate(list(pixel_array('slide.dcm')), 1)),
    f'wsidicom {version("wsidicom")}': wsidicom,
    f'OpenSlide {openslide.__library_version__}': pixels(np.asarray(slide.read_region((0, 0), 0, (512, 256)))),
    f'highdicom {version("highdicom")}': pixels(image.get_total_pixel_matrix()),
    'the same, apply_icc_profile=False': pixels(image.get_total_pixel_matrix(apply_icc_profile=False)),
}
for name, (pink, violet) in seen.items():
    print(f'{name:<34} pink {pink}, violet {violet}')
def apart(a, b):
    return max(abs(x - y) for p, q in zip(seen[a], seen[b]) for x, y in zip(p, q))
first, second, third, theirs, without = seen
assert max(apart(first, name) for name in (second, third, without)) <= 2, 'readers that did not are apart now'
assert apart(first, theirs) >= 5, 'this has changed'
print(f'highdicom gives other pixels than the rest, by up to {apart(first, theirs)} of 255, unless told not to: it applies the profile wherever there is one.')
PY
