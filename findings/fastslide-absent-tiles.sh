#!/usr/bin/env bash
# A tile that a TIFF lists with no offset and no bytes, as writers do where nothing was scanned: what do readers show there?
# Guess: each reader one background of its own, whatever the file is called; fastslide, made to stand in for OpenSlide, nothing (transparent) too.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv v
v/bin/pip install -q fastslide==0.8.1 openslide-python==1.4.7 openslide-bin==4.0.1.2 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6 pillow==13.0.0
v/bin/python - 2>messages <<'PY'
from importlib.metadata import version
import fastslide, numpy as np, openslide, tifffile

SIDE, COLOUR = 256, (220, 110, 160)
HEAD = 'Aperio Image Library v11.2.1\r\n512x512 [0,0 512x512] (256x256) JPEG/RGB Q=70|AppMag = 20|MPP = 0.5'
for name, description in (('aperio.svs', HEAD), ('plain.tif', None)):
    tiles = [np.full((SIDE, SIDE, 3), COLOUR, np.uint8)] * 4
    tiles[1] = None  # tifffile then writes offset 0 and byte count 0
    tifffile.imwrite(name, iter(tiles), shape=(512, 512, 3), dtype='uint8', tile=(SIDE, SIDE), photometric='rgb', compression='jpeg',
                     description=description, metadata=None)

def near(pixel):
    return tuple(int(v) for v in pixel)

def with_fastslide(name):
    slide = fastslide.FastSlide.from_file_path(name)
    try:
        pixels = slide.read_region((0, 0), 0, (512, 512)).numpy()
    except RuntimeError as error:
        return 'no region: ' + str(error).splitlines()[0]
    return near(pixels[128, 384])

seen = {}
for name in ('aperio.svs', 'plain.tif'):
    page = tifffile.TiffFile(name).pages[0]
    assert page.databytecounts[1] == page.dataoffsets[1] == 0, 'the tile is stored'
    seen[name] = {
        'OpenSlide': openslide.OpenSlide(name).read_region((384, 128), 0, (1, 1)).getpixel((0, 0)),
        'tifffile': near(page.asarray()[128, 384]),
        'fastslide': with_fastslide(name),
    }
print(f'fastslide {version("fastslide")}, OpenSlide {openslide.__library_version__}, tifffile {tifffile.__version__}')
for name, answers in seen.items():
    for reader, answer in answers.items():
        print(f'{name}: {reader}: {answer}')
assert seen['aperio.svs']['OpenSlide'] == seen['plain.tif']['OpenSlide'] == (0, 0, 0, 0), 'OpenSlide changed'
assert seen['aperio.svs']['tifffile'] == seen['plain.tif']['tifffile'] == (0, 0, 0), 'tifffile changed'
assert seen['aperio.svs']['fastslide'] == (255, 255, 255), 'fastslide no longer shows white in an SVS'
assert 'empty or missing' in str(seen['plain.tif']['fastslide']), 'fastslide reads the plain TIFF'
PY
grep -c 'Failed to read/decode tile' messages >count || { echo 'fastslide no longer complains on standard error'; exit 1; }
echo "fastslide on standard error: $(grep -m1 -o 'Failed to read/decode tile at ([0-9, ]*)' messages)"
echo 'The same absent tile is white glass and a complaint nobody catches in an SVS, and the end of the whole region in a plain TIFF; transparent in OpenSlide, black in tifffile.'
