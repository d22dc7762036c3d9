"""What PyTorch and segmentation_models_pytorch say of every encoder, for the parity tests of the model room.

    python test/golden/encoder_golden.py [case ...]
        (torch, segmentation_models_pytorch, timm, safetensors, pillow)

Writes encoder_cases.json (one smp configuration a case: the encoder below a narrow U-Net, which reads all its features; height and width of
its picture, the upper left of model_patch.webp) and encoder_golden.safetensors: for each case samples of `<case>/logits` and of the encoder's
last feature, float32. Weights are those of model_golden.py's formula. Case names given as arguments are only shown.
"""
import json
import sys
import warnings

import numpy as np
import segmentation_models_pytorch as smp
import timm
import torch
from PIL import Image
from safetensors.numpy import save_file

from model_golden import HERE, build

warnings.filterwarnings("ignore", category=DeprecationWarning)
DECODER = [48, 32, 24, 16, 16]
RESNET = ["encoder.layer4"]
TU_RESNET = ["encoder.model.layer4"]
TU_BLOCKS = ["encoder.model.blocks.6"]

# One of each family, at two sizes; and the layer looked at.
FAMILIES = {
    "resnet50": RESNET,
    "resnext50_32x4d": RESNET,
    "se_resnet50": RESNET,
    "se_resnext50_32x4d": RESNET,
    "densenet121": ["encoder.features.norm5"],
    "mobilenet_v2": ["encoder.features.18"],
    "efficientnet-b0": ["encoder._blocks.15"],
    "efficientnet-b2": ["encoder._blocks.22"],
    "timm-efficientnet-b0": ["encoder.blocks.6"],
    "timm-tf_efficientnet_lite0": ["encoder.blocks.6"],
    "mit_b0": ["encoder.norm4"],
    "tu-efficientnet_b0": TU_BLOCKS,
    "tu-tf_efficientnet_b0": TU_BLOCKS,
    "tu-mobilenetv2_100": TU_BLOCKS,
    "tu-densenet121": ["encoder.model.features_norm5"],
}
# Their relatives, at one.
RELATIVES = [
    *("resnet101", "resnet152", "resnext101_32x4d", "resnext101_32x8d", "se_resnet101", "se_resnet152", "se_resnext101_32x4d"),
    *("densenet161", "densenet169", "densenet201"),
    *(f"efficientnet-b{size}" for size in (1, 3, 4, 5, 6, 7)),
    *(f"timm-efficientnet-b{size}" for size in range(1, 8)),
    *(f"timm-tf_efficientnet_lite{size}" for size in range(1, 5)),
    *(f"mit_b{size}" for size in range(1, 6)),
    *(f"tu-{name}" for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d")),
    *(f"tu-{name}" for name in ("resnext101_32x4d", "resnext101_32x8d", "seresnet50", "seresnet101", "seresnet152")),
    *(f"tu-{name}" for name in ("seresnext50_32x4d", "seresnext101_32x4d", "seresnext101_32x8d")),
    *(f"tu-{name}" for name in ("densenet161", "densenet169", "densenet201")),
    "tu-efficientnet_b1.ft_in1k",
    *(f"tu-efficientnet_b{size}" for size in range(2, 8)),
    *(f"tu-tf_efficientnet_b{size}" for size in range(1, 8)),
    *(f"tu-efficientnet_lite{size}" for size in range(5)),
    *(f"tu-tf_efficientnet_lite{size}" for size in range(5)),
]
# Shallower than they are, as decoders stand on them.
SHALLOW = ["resnet50", "densenet121", "mobilenet_v2", "efficientnet-b0", "timm-efficientnet-b0", "mit_b0", "tu-densenet121", "tu-efficientnet_b0"]


def config(name: str, depth: int = 5) -> dict:
    shallow = {"encoder_depth": depth} if depth < 5 else {}
    return {"_model_class": "Unet", "encoder_name": name, **shallow, "decoder_channels": DECODER[:depth]}


CASES = {
    **{f"{name}-{width}": ((64, width), config(name), layers) for name, layers in FAMILIES.items() for width in (64, 96)},
    **{name: ((64, 64), config(name), []) for name in RELATIVES},
    **{f"{name}-depth{depth}": ((64, 64), config(name, depth), []) for name in SHALLOW for depth in (3, 4)},
    "efficientnet-b0-advprop": ((64, 64), {**config("efficientnet-b0", 3), "encoder_weights": "advprop"}, []),
}


def image(patch: np.ndarray, config: dict) -> torch.Tensor:
    """Normalised as the encoder's own weights want it."""
    half = "tf_efficientnet_lite" in config["encoder_name"] or config.get("encoder_weights") == "advprop"
    mean, std = (np.full(3, 0.5), np.full(3, 0.5)) if half else (np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))
    if config["encoder_name"].startswith("tu-") and "." not in config["encoder_name"]:
        known = timm.models.get_pretrained_cfg(config["encoder_name"][3:])
        assert np.allclose(known.mean, mean) and np.allclose(known.std, std), config["encoder_name"]
    x = torch.from_numpy(((patch / 255 - mean) / std).astype(np.float32))
    return x.permute(2, 0, 1)[None]


def samples(values: np.ndarray, count: int) -> np.ndarray:
    flat = values.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, count).astype(np.int64)] if flat.size > count else flat


def run(config: dict, x: torch.Tensor, layers: list[str]) -> dict[str, np.ndarray]:
    model = build({key: value for key, value in config.items() if key != "encoder_weights"})
    found: dict[str, np.ndarray] = {}
    for layer in layers:
        keep = lambda _module, _inputs, output, layer=layer: found.__setitem__(layer, output.detach().numpy().copy())
        model.get_submodule(layer).register_forward_hook(keep)
    with torch.inference_mode():
        logits = model(x).numpy()
    return {"logits": logits, **found}


def main() -> None:
    torch.set_num_threads(1)
    patch = np.array(Image.open(HERE / "model_patch.webp").convert("RGB"))
    golden: dict[str, np.ndarray] = {}
    names = sys.argv[1:] or list(CASES)
    for case in names:
        (height, width), config, layers = CASES[case]
        found = run(config, image(patch[:height, :width], config), layers)
        count = 1024 if layers else 256
        for name, values in found.items():
            golden[f"{case}/{name}"] = np.ascontiguousarray(samples(values, count if name == "logits" else 256), dtype=np.float32)
        ranges = " ".join(f"{values.min():8.3f} ... {values.max():8.3f}" for values in found.values())
        print(f"{case:32} {ranges}", flush=True)
    if len(names) < len(CASES):
        return
    save_file(golden, HERE / "encoder_golden.safetensors")
    (HERE / "encoder_golden.safetensors").chmod(0o644)
    cases = {case: {"side": size, "config": config, "layers": layers} for case, (size, config, layers) in CASES.items()}
    made_by = {"torch": torch.__version__, "segmentation_models_pytorch": smp.__version__, "timm": timm.__version__}
    (HERE / "encoder_cases.json").write_text(json.dumps({"madeBy": made_by, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
