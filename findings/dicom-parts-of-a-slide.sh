#!/usr/bin/env bash
# A DICOM whole slide, TILED_FULL, in two parts of a concatenation (ConcatenationFrameOffsetNumber 0 and 8): where do readers show the second part's frames?
# Guess: in the lower half of the total pixel matrix, where OpenSlide and wsidicom show them; a reader that knows no concatenations says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv write
write/bin/pip install -q wsidicomizer==0.26.1 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
python3 -m venv read
read/bin/pip install -q highdicom==0.28.2 slideio==2.10.0 wsidicom==0.36.1 openslide-python==1.4.7 openslide-bin==4.0.1.2 numpy==2.4.6
write/bin/python - <<'PY'
import glob, os
import numpy as np, pydicom, tifffile
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import generate_uid
from wsidicomizer import WsiDicomizer

# Each quarter of the height has a colour of its own.
rows = np.array([(200, 60, 60), (60, 200, 60), (60, 60, 200), (200, 200, 60)], np.uint8)
picture = np.repeat(np.repeat(rows[:, None], 1024, 1), 256, 0)
with tifffile.TiffWriter('p.tiff') as t:
    t.write(picture, tile=(256, 256), photometric='rgb', compression='jpeg', compressionargs={'level': 95}, metadata=None,
            resolution=(20000, 20000), resolutionunit='CENTIMETER')
WsiDicomizer.convert('p.tiff', 'whole', tile_size=256)
(path,) = glob.glob('whole/**/*.dcm', recursive=True)
whole = pydicom.dcmread(path)
frames = list(generate_frames(whole.PixelData, number_of_frames=16))
concatenation, source = generate_uid(), whole.SOPInstanceUID
os.mkdir('parts')
for number, first in ((1, 0), (2, 8)):
    part = pydicom.dcmread(path)
    part.SOPInstanceUID = part.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    part.NumberOfFrames = 8
    part.PixelData = encapsulate(frames[first:first + 8])
    part['PixelData'].VR = 'OB'
    for name in ('ExtendedOffsetTable', 'ExtendedOffsetTableLengths'):
        part.pop(name, None)
    part.ConcatenationUID, part.SOPInstanceUIDOfConcatenationSource = concatenation, source
    part.InConcatenationNumber, part.InConcatenationTotalNumber, part.ConcatenationFrameOffsetNumber = number, 2, first
    part.save_as(f'parts/{number}.dcm')
PY
read/bin/python - <<'PY'
from importlib.metadata import version
import highdicom, numpy as np, openslide, slideio
from wsidicom import WsiDicom

middles = [(128, 128 + 256 * row) for row in range(4)]
NAMES = {(200, 60, 60): 'red', (60, 200, 60): 'green', (60, 60, 200): 'blue', (200, 200, 60): 'yellow', (0, 0, 0): 'black', (255, 255, 255): 'white'}
def nearest(pixel):
    return min(NAMES, key=lambda colour: sum(abs(int(a) - b) for a, b in zip(pixel, colour)))
def named(pixels):
    return [NAMES[nearest(pixel)] for pixel in pixels]

with WsiDicom.open('parts') as slide:
    truth = named(np.asarray(slide.read_region(at, 0, (1, 1)))[0, 0] for at in middles)
slide = openslide.OpenSlide('parts/1.dcm')
print('from above, wsidicom', version('wsidicom'), truth)
print('from above, OpenSlide', openslide.__library_version__, named(np.asarray(slide.read_region(at, 0, (1, 1)).convert('RGB'))[0, 0] for at in middles))
seen = []
for part in (1, 2):
    matrix = highdicom.imread(f'parts/{part}.dcm').get_total_pixel_matrix()
    seen.append(named(matrix[y, x] for x, y in middles))
    print(f'from above, highdicom {version("highdicom")}, part {part}: {matrix.shape[1]} x {matrix.shape[0]}', seen[-1])
folder = slideio.open_slide('parts', 'DCM')
matrix = folder.get_scene(0).read_block()
whole = named(matrix[y, x] for x, y in middles)
print(f'from above, slideio {version("slideio")}, the folder of both: {folder.num_scenes} scene of {matrix.shape[1]} x {matrix.shape[0]}', whole)
assert truth == ['red', 'green', 'blue', 'yellow']
assert seen == [['red', 'green', 'black', 'black'], ['blue', 'yellow', 'black', 'black']], 'this has changed in highdicom'
# Which of the two it is goes by the order in which the folder lists them.
assert folder.num_scenes == 1 and whole in (['red', 'green', 'white', 'white'], ['blue', 'yellow', 'white', 'white']), 'this has changed in slideio'
print('highdicom shows each part as the whole slide: its frames from the top, black for the rest. slideio takes one of the two for the slide, and white for the rest. Neither says a word.')
PY
