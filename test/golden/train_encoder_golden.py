"""What PyTorch says of a training step of each family of encoders, for the parity tests of training.

    python test/golden/train_encoder_golden.py
        (torch, segmentation_models_pytorch, numpy)

As train_golden.py, whose batch, weights and sketches these are: the loss, the gradients, and parameters and running statistics after two
steps. Encoders are shallow, so that each has all its kinds of layers and few numbers. What PyTorch leaves out at random (stochastic
depth) is off. Writes train_encoder_golden.json.
"""
import json

import segmentation_models_pytorch as smp
import timm
import torch
from timm.layers import DropPath

import train_golden
from model_golden import HERE, build
from train_golden import BATCH, HEAD, RATE, UNITS, batch, loss_of, sketch

ROUNDINGS, SIDE = 3, 64


def unet(name: str, depth: int) -> dict:
    return {"_model_class": "Unet", "encoder_name": name, "encoder_depth": depth, "decoder_channels": [24, 16, 12, 8][:depth]}


CASES = {
    "resnext": unet("resnext50_32x4d", 3),
    "se_resnext": unet("se_resnext50_32x4d", 3),
    "densenet": unet("densenet121", 3),
    "mobilenet": unet("mobilenet_v2", 3),
    "efficientnet": unet("efficientnet-b0", 3),
    "tf_efficientnet": unet("tu-tf_efficientnet_b0", 3),
    "mit": unet("mit_b0", 3),
}


def train(config: dict, dtype: torch.dtype, rounding: int = 0) -> dict:
    images, labels = batch(SIDE)
    model = build(config).to(dtype).train()
    for module in model.modules():
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
    model.encoder._drop_connect_rate = 0.0
    with torch.no_grad():
        model.segmentation_head[0].weight *= HEAD
        if rounding:
            generator = torch.Generator().manual_seed(rounding)
            for parameter in model.parameters():
                parameter *= 1 + UNITS * torch.randn(parameter.shape, generator=generator)
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    found: dict = {"losses": []}
    for step in range(2):
        loss = loss_of("dice", model(images.to(dtype)), labels)
        optimiser.zero_grad()
        loss.backward()
        found["losses"].append(loss.item())
        if step == 0:
            found["gradients"] = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            met = set(found["gradients"])
        optimiser.step()
    state = {name: value.clone() for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    before = build(config).state_dict()
    moved = lambda name, value: name in met or not torch.equal(value.float(), before[name])
    found["after 2"] = {name: value for name, value in state.items() if moved(name, value)}
    return found


def main() -> None:
    torch.set_num_threads(1)
    golden = {}
    for case, config in CASES.items():
        exact = train(config, torch.float64)
        singles = [train(config, torch.float32, rounding) for rounding in range(ROUNDINGS)]
        parts = ("gradients", "after 2")
        print(case, exact["losses"], *(train_golden.distance(singles[0][part], exact[part]) for part in parts), flush=True)
        # One product less than there: there are many tensors.
        golden[case] = {
            "side": SIDE, "config": config, "losses": exact["losses"],
            **{part: {name: sketch(name, value, [single[part][name] for single in singles]) for name, value in exact[part].items()} for part in parts},
        }
    made_by = {"torch": torch.__version__, "segmentation_models_pytorch": smp.__version__, "timm": timm.__version__}
    about = {"madeBy": made_by, "batch": BATCH, "rate": RATE}
    (HERE / "train_encoder_golden.json").write_text(json.dumps({**about, "cases": golden}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    train_golden.PROJECTIONS = 2
    main()
