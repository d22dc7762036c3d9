"""Seeds for the fuzzer that libjpeg-turbo's Node binding cannot write: restart markers, and many scans with them.

    python test/golden/fuzz_jpeg.py   # Pillow 13.0
"""
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).parent.parent / "fuzz" / "corpus" / "jpeg"
image = Image.new("RGB", (64, 64))
image.putdata([((x * 4) % 256, (y * 4) % 256, (x * y) % 256) for y in range(64) for x in range(64)])
image.save(FOLDER / "restarts.jpg", quality=85, subsampling=1, restart_marker_blocks=3)
image.save(FOLDER / "progressive-restarts.jpg", quality=85, subsampling=2, progressive=True, restart_marker_rows=1)
