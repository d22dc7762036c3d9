"""What PyTorch says of a training step, for the parity tests of training.

    python test/golden/train_golden.py
        (torch, segmentation_models_pytorch, numpy)

For each of the study's models and each loss: the loss, the gradients, the running statistics after a forward pass, and the
parameters after 1 and 5 steps of Adam (AdamW in one case), on one batch made by a formula. A tensor is stored as its norm and its
products with PROJECTIONS vectors of +1 and -1 made by a formula, which tell how far another tensor is from it: the mean square of
the products' differences estimates the squared distance. PyTorch computes in float64; last comes how far its own float32 is off at
most, relative to the norm, in ROUNDINGS runs whose weights are moved by some units in the last place, as another order of
summation would: a relu near 0 that is turned by rounding moves every gradient behind it, and no engine is nearer than that.
Weights are those of model_golden.py, the head's times HEAD: with logits far from 0 the loss would look at few pixels, and the
sign of one number near 0 would show in all gradients. FPN's dropout is off. Writes train_golden.json.
"""
import json

import numpy as np
import segmentation_models_pytorch as smp
import torch

from model_golden import FPN, HERE, UNET, build, hashed, normalised

BATCH, RATE, PROJECTIONS, HEAD = 2, 1e-4, 4, 0.1
ROUNDINGS, UNITS = 6, 4 * 2.0**-24
CASES = {
    "fpn-resnet34": (96, {**FPN, "encoder_name": "resnet34", "decoder_dropout": 0}, "dice", "adam"),
    "unet-resnet34": (96, {**UNET, "encoder_name": "resnet34"}, "dice", "adam"),
    "unet-vgg16": (96, {**UNET, "encoder_name": "vgg16"}, "dice", "adam"),
    "small-bce-dice": (64, {**UNET, "encoder_name": "resnet18", "encoder_depth": 3, "decoder_channels": [16, 8, 8]}, "bce-dice", "adamw"),
    "small-focal": (64, {**UNET, "encoder_name": "resnet18", "encoder_depth": 3, "decoder_channels": [16, 8, 8], "decoder_attention_type": None}, "focal", "adam"),
    "fpn-bilinear": (64, {**FPN, "encoder_name": "resnet18", "decoder_interpolation": "bilinear", "decoder_merge_policy": "cat", "decoder_dropout": 0}, "dice", "adam"),
    "fpn-bicubic": (64, {**FPN, "encoder_name": "resnet18", "encoder_depth": 3, "upsampling": 1, "decoder_interpolation": "bicubic", "decoder_dropout": 0}, "dice", "adam"),
    "unet-scse": (64, {**UNET, "encoder_name": "vgg11_bn", "encoder_depth": 3, "decoder_channels": [32, 32, 16], "decoder_attention_type": "scse"}, "dice", "adam"),
    "unet-instancenorm": (64, {**UNET, "encoder_name": "resnet18", "encoder_depth": 3, "decoder_channels": [16, 8, 8], "decoder_use_norm": {"type": "instancenorm", "affine": True}}, "dice", "adam"),
}
WEIGHT_DECAY = 0.01


def batch(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels in blobs of 8 px with grain, and labels in blocks, one in six ignored; test/support/train-batch.ts makes the same."""
    grain = hashed("grain", BATCH * side * side * 3).reshape(BATCH, side, side, 3)
    blobs = hashed("blobs", BATCH * (side // 8) ** 2 * 3).reshape(BATCH, side // 8, side // 8, 3)
    wide = blobs.repeat(8, axis=1).repeat(8, axis=2)
    images = np.floor(128 + 90 * wide + 30 * grain).astype(np.uint8)
    kinds = np.floor((hashed("labels", BATCH * (side // 16) ** 2) + 1) * 3).reshape(BATCH, side // 16, side // 16).astype(int)
    labels = np.array([0, 0, 0, 1, 1, 255], dtype=np.uint8)[kinds].repeat(16, axis=1).repeat(16, axis=2)
    return torch.cat([normalised(image) for image in images]), torch.from_numpy(labels).long()[:, None]


def loss_of(kind: str, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    dice = smp.losses.DiceLoss("binary", from_logits=True, ignore_index=255)
    if kind == "dice":
        return dice(logits, labels)
    if kind == "focal":
        return smp.losses.FocalLoss("binary", ignore_index=255)(logits, labels)
    # smp's own cross-entropy divides by all pixels, the ignored ones too; the mean here is of those that count.
    counted = labels != 255
    return dice(logits, labels) + torch.nn.functional.binary_cross_entropy_with_logits(logits[counted], labels[counted].to(logits))


def sketch(name: str, exact: torch.Tensor, singles: list[torch.Tensor]) -> list[float]:
    flat = exact.detach().double().reshape(-1).numpy()
    signs = [np.where(hashed(f"{name}/{i}", flat.size) < 0, -1.0, 1.0) for i in range(PROJECTIONS)]
    off = max(relative(single, exact) for single in singles)
    return [float(f"{value:.9g}") for value in [np.linalg.norm(flat), *(sign @ flat for sign in signs)]] + [float(f"{off:.2g}")]


def train(side: int, config: dict, kind: str, optimizer: str, dtype: torch.dtype, rounding: int = 0, steps: int = 5) -> dict:
    images, labels = batch(side)
    model = build(config).to(dtype).train()
    with torch.no_grad():
        model.segmentation_head[0].weight *= HEAD
        if rounding:
            generator = torch.Generator().manual_seed(rounding)
            for parameter in model.parameters():
                parameter *= 1 + UNITS * torch.randn(parameter.shape, generator=generator)
    images = images.to(dtype)
    options = {"lr": RATE, "weight_decay": WEIGHT_DECAY}
    optimiser = torch.optim.AdamW(model.parameters(), **options) if optimizer == "adamw" else torch.optim.Adam(model.parameters(), lr=RATE)
    found: dict = {"losses": []}
    for step in range(1, steps + 1):
        loss = loss_of(kind, model(images), labels)
        optimiser.zero_grad()
        loss.backward()
        found["losses"].append(loss.item())
        if step == 1:
            found["gradients"] = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        optimiser.step()
        if step in (1, steps):
            state = {name: value.clone() for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
            found[f"after {step}"] = state
    return found


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a.double() - b).norm() / b.norm().clamp_min(1e-300))


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> tuple[float, str]:
    return max((relative(a[name], b[name]), name) for name in b)


def main() -> None:
    torch.set_num_threads(1)
    golden = {}
    for case, (side, config, kind, optimizer) in CASES.items():
        exact = train(side, config, kind, optimizer, torch.float64)
        singles = [train(side, config, kind, optimizer, torch.float32, rounding) for rounding in range(ROUNDINGS)]
        parts = ("gradients", "after 1", "after 5")
        print(case, exact["losses"], *(distance(singles[0][part], exact[part]) for part in parts), flush=True)
        golden[case] = {
            "side": side, "config": config, "loss": kind, "optimizer": optimizer, "losses": exact["losses"],
            **{part: {name: sketch(name, value, [single[part][name] for single in singles]) for name, value in exact[part].items()} for part in parts},
        }
    made_by = {"torch": torch.__version__, "segmentation_models_pytorch": smp.__version__}
    about = {"madeBy": made_by, "batch": BATCH, "rate": RATE, "weightDecay": WEIGHT_DECAY}
    (HERE / "train_golden.json").write_text(json.dumps({**about, "cases": golden}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
