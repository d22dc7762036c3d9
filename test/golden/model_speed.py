"""PyTorch's side of the speed comparison in test/engine/table.ts, which starts this script and talks to it line by line.

    python test/golden/model_speed.py <case> <batch> <threads> <compile: 0 or 1>

Says "ready"; then, for every line read, runs one batch of bytes through normalisation, network and threshold, as the
product's graph does, and prints the seconds it took.
"""
import sys
import time
import warnings

import torch

from model_golden import CASES, HERE, build
import numpy as np
from PIL import Image

warnings.filterwarnings("ignore")
case, batch, threads, compiled = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
torch.set_num_threads(threads)
network = build(CASES[case][1])
patch = np.array(Image.open(HERE / "model_patch.webp").convert("RGB"))
patches = torch.from_numpy(patch)[None].repeat(batch, 1, 1, 1)
mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def run(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    logits = network((x.permute(0, 3, 1, 2).float() / 255 - mean) / std)
    mask = (logits[:, 0] > 0).to(torch.uint8)
    return mask, mask.sum((1, 2), dtype=torch.int32)


if compiled:
    run = torch.compile(run)
with torch.inference_mode():
    run(patches)
    run(patches)
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        run(patches)
        print(time.perf_counter() - started, flush=True)
