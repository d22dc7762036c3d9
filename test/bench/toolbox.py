"""A whole slide through TIAToolbox, with the network of a bundle that smp loads: `python toolbox.py <slide> <bundle> <patch> <batch> <threads> <mpp>`.

Says its version once the model is ready, then answers each line of its input by the seconds a run took by the clock and by the processor (threads and
processes that load patches included), the peak memory in bytes, and the stroma pixels of the
patches that lie inside the slide.
"""
import contextlib
import json
import logging
import os
import resource
import sys
import tempfile
import time

import numpy as np
import segmentation_models_pytorch as smp
import tiatoolbox
import torch
import zarr
from tiatoolbox.models.engine.io_config import IOSegmentorConfig
from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
from tiatoolbox.models.models_abc import ModelABC

slide, bundle, patch, batch, threads, mpp = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), float(sys.argv[6])
# Libraries print what they do.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
logging.disable(logging.WARNING)
torch.set_num_threads(threads)
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


class Network(ModelABC):
    def __init__(self):
        super().__init__()
        self.network = smp.from_pretrained(bundle).float().eval()

    @staticmethod
    def preproc(image):
        return (np.float32(image) / 255 - MEAN) / STD

    def forward(self, images):
        return self.network(images)

    @staticmethod
    def infer_batch(model, batch_data, *, device):
        images = batch_data.to(device=device, dtype=torch.float32).permute(0, 3, 1, 2)
        with torch.inference_mode():
            stroma = torch.sigmoid(model(images)).permute(0, 2, 3, 1)
        return torch.cat([1 - stroma, stroma], dim=-1).numpy()

    @staticmethod
    def postproc(image):
        return np.argmax(image, axis=-1)


at = [{"units": "mpp", "resolution": mpp}]
config = IOSegmentorConfig(
    input_resolutions=at,
    output_resolutions=at,
    patch_input_shape=(patch, patch),
    patch_output_shape=(patch, patch),
    stride_shape=(patch, patch),
    save_resolution=at[0],
)
engine = SemanticSegmentor(model=Network(), batch_size=batch, num_workers=0, device="cpu", verbose=False)


def spent():
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def say(**facts):
    print(json.dumps(facts), file=answers, flush=True)


say(version=tiatoolbox.__version__, torch=torch.__version__)
for _ in sys.stdin:
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        clock, processor = time.perf_counter(), spent()
        written = engine.run(
            images=[slide],
            patch_mode=False,
            ioconfig=config,
            auto_get_mask=False,
            save_dir=os.path.join(folder, "out"),
            output_type="zarr",
            overwrite=True,
        )
        seconds, took = time.perf_counter() - clock, spent() - processor
        store = next(iter(written.values())) if isinstance(written, dict) else written[0]
        mask = np.squeeze(zarr.open(str(store), mode="r")["predictions"][:])
        # The toolbox pads with white, ours with black, and norms by each patch's own statistics tell the difference.
        height, width = (side // patch * patch for side in mask.shape[:2])
        stroma = int((mask[:height, :width] == 1).sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say(seconds=seconds, processor=took, peak=peak, stroma=stroma)
