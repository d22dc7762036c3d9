"""Two more models for the picture docs/images/three-models.jpg: U-Nets that learn, for a short time, to copy the starter model's masks,
as it makes them with frozen norms.

    python test/golden/three_models.py <unet-resnet34 | unet-vgg16> <bundle folder to write> [--images <folder>] [--minutes 20] [--threads 1]
        (torch, segmentation_models_pytorch, openslide-python, pillow)

The patches are those of the committed slide and, with --images, one from the middle of each picture in a folder (H&E at
1 um/px, enlarged twice). The U-Net over ResNet34 starts from the starter's encoder, the one over VGG16 from random
weights. --minutes are of processor time; Ctrl-C ends it earlier and saves what there is. The weights show that the three architectures run, and nothing about how well
such a model can do: they are not committed, and no score of theirs means anything.
"""
import argparse
import json
import signal
import time
from pathlib import Path

import numpy as np
import openslide
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.numpy import load_file

from norm_golden import freeze

HERE = Path(__file__).parent
SLIDE = HERE.parent / "fixtures" / "CMU-1-Small-Region.svs"
STARTER = HERE.parent.parent / "models" / "stroma-fpn-resnet34-starter"
PATCH = 512
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
# Side of the crops learnt from, crops a step, highest learning rate.
RECIPES = {"unet-resnet34": (192, 4, 1e-3), "unet-vgg16": (128, 6, 1e-3)}


def slide_patches() -> list[np.ndarray]:
    slide = openslide.OpenSlide(str(SLIDE))
    width, height = slide.dimensions
    corners = [(x, y) for y in range(0, height - PATCH + 1, PATCH) for x in range(0, width - PATCH + 1, PATCH)]
    return [np.array(slide.read_region(corner, 0, (PATCH, PATCH)).convert("RGB")) for corner in corners]


def picture_patches(folder: Path) -> list[np.ndarray]:
    patches = []
    for path in sorted(folder.glob("*.png")):
        image = Image.open(path).convert("RGB")
        half = PATCH // 2
        if min(image.size) >= half:
            left, top = (image.width - half) // 2, (image.height - half) // 2
            box = (left, top, left + half, top + half)
            patches.append(np.array(image.resize((PATCH, PATCH), Image.Resampling.BICUBIC, box=box)))
    return patches


def build(name: str, starter: torch.nn.Module) -> torch.nn.Module:
    model = smp.Unet(name.removeprefix("unet-"), encoder_weights=None, classes=1)
    if name == "unet-resnet34":
        model.encoder.load_state_dict(starter.encoder.state_dict())
    return model


def crops(images: torch.Tensor, targets: torch.Tensor, side: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random crops, turned and mirrored: float32 [count, 3, side, side] of 0 to 255 and [count, 1, side, side] of 0 to 1."""
    xs, ys = [], []
    for index in torch.randint(len(images), (count,)).tolist():
        top, left = torch.randint(PATCH - side + 1, (2,)).tolist()
        x, y = (t[index, :, top : top + side, left : left + side].float() for t in (images, targets))
        turns = int(torch.randint(4, ()))
        x, y = torch.rot90(x, turns, (1, 2)), torch.rot90(y, turns, (1, 2))
        if torch.rand(()) < 0.5:
            x, y = x.flip(2), y.flip(2)
        xs.append(x)
        ys.append(y)
    return torch.stack(xs), torch.stack(ys)


def loss_of(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(logits)
    dice = 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + dice


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=RECIPES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(given.threads)

    starter = smp.from_pretrained(str(STARTER)).float().eval()
    freeze(starter, load_file(STARTER / "norm-statistics.safetensors"))
    patches = slide_patches() + (picture_patches(given.images) if given.images else [])
    images = torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2).contiguous()
    with torch.inference_mode():
        targets = torch.cat([torch.sigmoid(starter((image[None].float() / 255 - MEAN) / STD)).half() for image in images])
    print(f"{len(patches)} patches, {(targets > 0.5).float().mean():.1%} stroma by the starter", flush=True)

    side, batch, rate = RECIPES[given.model]
    model = build(given.model, starter).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    budget, started, step, recent = given.minutes * 60, time.process_time(), 0, []
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    while (spent := time.process_time() - started) < budget and not stopped:
        done = spent / budget
        optimiser.param_groups[0]["lr"] = rate * min(1, 20 * done, 2 * (1 - done)) + 1e-6
        x, y = crops(images, targets, side, batch)
        x = ((x / 255 - MEAN) / STD).contiguous(memory_format=torch.channels_last)
        loss = loss_of(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimiser.step()
        recent.append(loss.item())
        step += 1
        if step % 20 == 0:
            print(f"step {step}, {spent:.0f} s, loss {np.mean(recent[-20:]):.3f}", flush=True)

    model = model.eval().to(memory_format=torch.contiguous_format)
    model.save_pretrained(str(given.out))
    about = {
        "name": f"stroma-{given.model}-sketch", "version": "0.0.1", "spacing": 0.5, "patchSize": PATCH, "threshold": 0.5,
        "classes": ["tumour-associated stroma, as the starter model marks it"], "licence": "research and demonstration only",
        "provenance": f"copies the starter model's masks after {step} steps of {batch} crops; for a picture in the documentation only",
    }
    (given.out / "stromaflow.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
