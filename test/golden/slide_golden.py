"""Makes the slide room's golden fixtures; run by hand from the repository's root.

    python test/golden/slide_golden.py

slide_openslide.png: crops of test/fixtures/CMU-1-Small-Region.svs (CC0) as OpenSlide 3.4.1 reads them, side by side; the
places are in CROPS, also in test/slide/golden.test.ts.
slide_resample.json: exact area means by numpy.
"""

import base64
import json

import numpy as np
import openslide
from PIL import Image

SIDE = 96
CROPS = [(0, 0), (200, 200), (1000, 700), (912, 1488), (1390, 2000), (700, 2600), (2150, 2900), (1500, 1100)]

slide = openslide.OpenSlide('test/fixtures/CMU-1-Small-Region.svs')
crops = [np.array(slide.read_region(place, 0, (SIDE, SIDE))) for place in CROPS]
# OpenSlide is transparent outside of the slide, we are zero there.
rgb = [crop[..., :3] * (crop[..., 3:] > 0) for crop in crops]
Image.fromarray(np.concatenate(rgb, axis=1)).save('test/golden/slide_openslide.png', optimize=True)


def weights(size, scale, count):
    edges = np.arange(count + 1) * scale
    matrix = np.zeros((count, size))
    for i in range(count):
        for j in range(size):
            matrix[i, j] = max(0.0, min(edges[i + 1], j + 1) - max(edges[i], j))
    return matrix / matrix.sum(1, keepdims=True)


picture = crops[3][:61, :73, :3]
height, width = picture.shape[:2]
cases = []
for scale in (2, 1.9786, 3.5, 1.07):
    across, down = round(width / scale), round(height / scale)
    means = np.einsum('yv,xu,vuc->yxc', weights(height, scale, down), weights(width, scale, across), picture.astype(float))
    encoded = base64.b64encode(np.floor(means + 0.5).astype(np.uint8).tobytes()).decode()
    cases.append({'scale': scale, 'side': [across, down], 'means': encoded})
golden = {'width': width, 'height': height, 'pixels': base64.b64encode(picture.tobytes()).decode(), 'cases': cases}
with open('test/golden/slide_resample.json', 'w') as file:
    json.dump(golden, file)
    file.write('\n')
