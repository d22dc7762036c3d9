"""What PyTorch and segmentation_models_pytorch say, for the parity tests of the model room.

    python test/golden/model_golden.py
        (torch, onnx, onnxscript, segmentation_models_pytorch, safetensors, openslide-python, pillow)

Writes model_patch.webp (512 x 512 px of the CC0 slide, lossless), model_cases.json (one smp configuration a case) and
model_golden.safetensors: for each case `<case>/logits` (all of them at 128 px, samples at 64) and samples of named
layers, float32. Writes model_ready/*.onnx as well: tiny networks exported in the ways people export, and what PyTorch
makes of them.

Weights are made by a formula instead of being stored; test/support/formula-weights.ts makes the same ones.
"""
import json
import re
from pathlib import Path

import numpy as np
import onnx
import openslide
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from safetensors.numpy import save_file

HERE = Path(__file__).parent
SLIDE = HERE.parent / "fixtures" / "CMU-1-Small-Region.svs"
STARTER = HERE.parent.parent / "models" / "stroma-fpn-resnet34-starter"
PATCH_X, PATCH_Y = 1024, 1024
SAMPLES = 2049

UNET, FPN = {"_model_class": "Unet"}, {"_model_class": "FPN"}
FPN_LAYERS = ["encoder.layer1", "encoder.layer4", "decoder.p5", "decoder.p2", "decoder.seg_blocks.0", "decoder.seg_blocks.3", "decoder"]
VGG_LAYERS = ["encoder.features.3", "encoder.features.29", "decoder.center", "decoder.blocks.0", "decoder.blocks.4"]
RESNET_LAYERS = ["encoder.layer1", "encoder.layer2", "encoder.layer4", "decoder.blocks.0", "decoder.blocks.4"]
# name: (side of the patch, configuration, layers looked at)
CASES = {
    "unet-vgg16": (128, {**UNET, "encoder_name": "vgg16"}, VGG_LAYERS),
    "unet-resnet34": (128, {**UNET, "encoder_name": "resnet34"}, RESNET_LAYERS),
    "fpn-resnet34": (128, {**FPN, "encoder_name": "resnet34"}, FPN_LAYERS),
    # Small enough for a software GPU.
    "unet-vgg16-64px": (64, {**UNET, "encoder_name": "vgg16"}, []),
    "unet-resnet34-64px": (64, {**UNET, "encoder_name": "resnet34"}, []),
    "fpn-resnet34-64px": (64, {**FPN, "encoder_name": "resnet34"}, []),
    "unet-vgg16_bn": (64, {**UNET, "encoder_name": "vgg16_bn"}, ["encoder.features.42", "decoder.center"]),
    "unet-vgg11": (64, {**UNET, "encoder_name": "vgg11"}, []),
    "unet-vgg13_bn": (64, {**UNET, "encoder_name": "vgg13_bn"}, []),
    "fpn-vgg19": (64, {**FPN, "encoder_name": "vgg19"}, []),
    "unet-resnet18": (64, {**UNET, "encoder_name": "resnet18"}, []),
    "fpn-cat": (64, {**FPN, "encoder_name": "resnet18", "decoder_merge_policy": "cat"}, ["decoder"]),
    "fpn-bilinear": (64, {**FPN, "encoder_name": "resnet18", "decoder_interpolation": "bilinear"}, ["decoder.p2"]),
    "fpn-bicubic": (64, {**FPN, "encoder_name": "resnet18", "decoder_interpolation": "bicubic"}, ["decoder.p2"]),
    "fpn-channels": (64, {**FPN, "encoder_name": "resnet18", "decoder_pyramid_channels": 40, "decoder_segmentation_channels": 64}, []),
    "fpn-depth4": (64, {**FPN, "encoder_name": "resnet18", "encoder_depth": 4, "upsampling": 2}, []),
    "fpn-depth3": (64, {**FPN, "encoder_name": "resnet18", "encoder_depth": 3, "upsampling": 1}, []),
    "unet-depth4": (64, {**UNET, "encoder_name": "resnet18", "encoder_depth": 4, "decoder_channels": [64, 48, 32, 24]}, []),
    "unet-vgg-depth3": (64, {**UNET, "encoder_name": "vgg11", "encoder_depth": 3, "decoder_channels": [64, 48, 32]}, []),
    "unet-scse": (64, {**UNET, "encoder_name": "resnet18", "decoder_attention_type": "scse"}, ["decoder.blocks.0"]),
    "unet-bilinear": (64, {**UNET, "encoder_name": "resnet18", "decoder_interpolation": "bilinear"}, []),
    "unet-area": (64, {**UNET, "encoder_name": "resnet18", "decoder_interpolation": "area"}, []),
    "unet-nearest-exact": (64, {**UNET, "encoder_name": "resnet18", "decoder_interpolation": "nearest-exact"}, []),
    "unet-bicubic": (64, {**UNET, "encoder_name": "resnet18", "decoder_interpolation": "bicubic"}, []),
    "unet-instancenorm": (64, {**UNET, "encoder_name": "resnet18", "decoder_use_norm": {"type": "instancenorm", "affine": True}}, []),
    "unet-nonorm": (64, {**UNET, "encoder_name": "resnet18", "decoder_use_norm": False}, []),
    "unet-norm-eps": (64, {**UNET, "encoder_name": "resnet18", "decoder_use_norm": {"type": "batchnorm", "eps": 0.01}}, []),
    "unet-classes3": (64, {**UNET, "encoder_name": "resnet18", "classes": 3}, []),
    "fpn-classes4": (64, {**FPN, "encoder_name": "resnet18", "classes": 4, "activation": "sigmoid"}, []),
}


def hashed(name: str, count: int) -> np.ndarray:
    """Uniform in [-1, 1): FNV-1a of the name, then the 32-bit finaliser of MurmurHash3 over a Weyl sequence."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    h = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + seed).astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h.astype(np.float64) / 2**31 - 1


# Norms in front of a sum, and biases in front of the sigmoid of squeeze and excitation.
LAST_OF_BLOCK = re.compile(r"^encoder\.(model\.)?layer|^encoder\.features\.\d+\.conv\.[23]\.|\._bn2\.|\.bn3\.")
EXCITING = re.compile(r"(\._se_expand|\.conv_expand|\.se(_module)?\.fc2)\.bias$")


def formula(name: str, shape: tuple[int, ...]) -> np.ndarray:
    u = hashed(name, int(np.prod(shape)))
    part = name.rsplit(".", 1)[1]
    if len(shape) > 1:
        values = u * np.sqrt(6 / np.prod(shape[1:]))
    elif part == "running_var":
        values = 1 + 0.5 * u
    elif part == "weight":
        values = (0.5 if LAST_OF_BLOCK.search(name) else 1) + 0.25 * u  # residual sums would grow without bound
    elif EXCITING.search(name):
        values = 2 + 0.1 * u  # a product of weights of 1/2 would vanish
    else:
        values = 0.1 * u
    return values.astype(np.float32).reshape(shape)


def build(config: dict) -> torch.nn.Module:
    model = getattr(smp, config["_model_class"])(encoder_weights=None, **{k: v for k, v in config.items() if k[0] != "_"})
    state = model.state_dict()
    model.load_state_dict({
        name: value if name.endswith("num_batches_tracked") else torch.from_numpy(formula(name, tuple(value.shape)))
        for name, value in state.items()
    })
    return model.eval()


def normalised(patch: np.ndarray) -> torch.Tensor:
    x = torch.from_numpy(patch).permute(2, 0, 1)[None].float() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (x - mean) / std


def samples(values: np.ndarray) -> np.ndarray:
    """At most SAMPLES values, evenly spread over the flattened tensor, first and last included."""
    flat = values.reshape(-1)
    return flat[np.linspace(0, flat.size - 1, SAMPLES).astype(np.int64)] if flat.size > SAMPLES else flat


def run(model: torch.nn.Module, x: torch.Tensor, layers: list[str]) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for layer in layers:
        keep = lambda _module, _inputs, output, layer=layer: found.__setitem__(layer, output.detach().numpy().copy())
        model.get_submodule(layer).register_forward_hook(keep)
    # Some models have no activation module at the end; without one, the output is the logits.
    model.segmentation_head[2] = torch.nn.Identity()
    with torch.inference_mode():
        logits = model(x).numpy()
    return {"logits": logits if x.shape[-1] > 64 else samples(logits), **{layer: samples(values) for layer, values in found.items()}}


class Tiny(torch.nn.Module):
    """Two convolutions and a doubling; enough for every way of exporting."""

    def __init__(self, classes: int, activation: torch.nn.Module):
        super().__init__()
        self.down = torch.nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.head = torch.nn.Conv2d(6, classes, 3, padding=1)
        self.activation = activation
        state = {name: torch.from_numpy(formula(name, tuple(value.shape))) for name, value in self.state_dict().items()}
        self.load_state_dict(state)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.head(torch.relu(self.down(x)))
        return self.activation(torch.nn.functional.interpolate(x, scale_factor=2.0, mode="nearest"))


def strip(path: Path) -> None:
    """Takes out what the exporter notes about the machine: file paths in stack traces."""
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.save(model, path)


def export_ready(x: torch.Tensor) -> dict[str, np.ndarray]:
    """Old and new exporters, fixed and dynamic batches, logits and probabilities, weights inside and beside."""
    folder = HERE / "model_ready"
    folder.mkdir(exist_ok=True)
    sigmoid, softmax, none = torch.nn.Sigmoid(), torch.nn.Softmax(dim=1), torch.nn.Identity()
    dynamic = {"input": {0: "batch", 2: "height", 3: "width"}, "output": {0: "batch", 2: "height", 3: "width"}}
    named = {"input_names": ["input"], "output_names": ["output"], "dynamic_axes": dynamic}
    # The names are those of our own ports, without their prefix.
    fixed = {"input_names": ["patches"], "output_names": ["mask"]}
    exports = {
        "logits-opset11": (Tiny(1, none), 1, {"opset_version": 11, "dynamo": False, **named}),
        "sigmoid-batch2-opset17": (Tiny(1, sigmoid), 2, {"opset_version": 17, "dynamo": False, **fixed}),
        "softmax-opset13": (Tiny(3, softmax), 1, {"opset_version": 13, "dynamo": False, **named}),
        "external-opset18": (Tiny(2, none), 1, {"opset_version": 18, "dynamo": True, "external_data": True}),
    }
    golden = {}
    for name, (model, batch, options) in exports.items():
        torch.onnx.export(model.eval(), (x.repeat(batch, 1, 1, 1),), str(folder / f"{name}.onnx"), **options)
        strip(folder / f"{name}.onnx")
        with torch.inference_mode():
            golden[f"ready/{name}"] = model(x).numpy()
    return golden


def main() -> None:
    torch.set_num_threads(2)
    region = openslide.OpenSlide(str(SLIDE)).read_region((PATCH_X, PATCH_Y), 0, (512, 512)).convert("RGB")
    region.save(HERE / "model_patch.webp", lossless=True, quality=100, method=6)
    patch = np.array(region)
    golden: dict[str, np.ndarray] = {}
    for case, (side, config, layers) in CASES.items():
        found = run(build(config), normalised(patch[:side, :side]), layers)
        golden |= {f"{case}/{name}": np.ascontiguousarray(values, dtype=np.float32) for name, values in found.items()}
        print(f"{case:24} logits {found['logits'].min():8.3f} … {found['logits'].max():8.3f}")

    golden |= {name: np.ascontiguousarray(values) for name, values in export_ready(normalised(patch[:64, :64])).items()}
    starter = smp.from_pretrained(str(STARTER)).float().eval()
    logits = run(starter, normalised(patch), [])["logits"][0, 0]
    golden["starter/logits"] = np.ascontiguousarray(logits[::8, ::8])
    golden["starter/mask"] = np.packbits(logits > 0, axis=1)
    golden["starter/near"] = np.packbits(np.abs(logits) <= 1e-3, axis=1)
    save_file(golden, HERE / "model_golden.safetensors")
    (HERE / "model_golden.safetensors").chmod(0o644)
    cases = {case: {"side": side, "config": config, "layers": layers} for case, (side, config, layers) in CASES.items()}
    made_by = {"torch": torch.__version__, "segmentation_models_pytorch": smp.__version__}
    (HERE / "model_cases.json").write_text(json.dumps({"madeBy": made_by, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
