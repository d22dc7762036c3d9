"""What PyTorch says to views of a patch and to ensembles, for test/engine/ensemble.test.ts.

    python test/golden/ensemble_golden.py      (torch, onnx, segmentation_models_pytorch, safetensors, openslide-python, pillow)

Writes ensemble_golden.safetensors: for each of three small networks with the weights of model_golden.py, and for the three together,
`<name>/<plain | flips | d4>`: the mean probability of stroma over the views, float32, every second pixel of the first 64 x 64 of
model_patch.webp. What the networks are, how they are fed and what their classes mean is in MODELS; the test has the same.
"""
import numpy as np
import torch
from model_golden import FPN, HERE, UNET, build
from PIL import Image
from safetensors.numpy import save_file

SIDE = 64
SMALL = {"encoder_name": "resnet18", "encoder_depth": 3}
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], 1)
# name: (configuration, (mean, deviation, range), channels that are stroma)
MODELS = {
    "one": ({**UNET, **SMALL, "decoder_channels": [16, 8, 8]}, IMAGENET, [0]),
    "softmax": ({**UNET, **SMALL, "decoder_channels": [16, 8, 8], "classes": 3, "activation": "softmax2d"}, ([0.5] * 3, [0.25] * 3, 1), [0, 2]),
    "sigmoid": ({**FPN, **SMALL, "upsampling": 1, "classes": 4, "activation": "sigmoid"}, ([127.5] * 3, [60] * 3, 255), [1, 3]),
}
VIEWS = {
    "plain": [(False, [])],
    "flips": [(False, axes) for axes in ([], [3], [2], [2, 3])],
    "d4": [(turned, axes) for turned in (False, True) for axes in ([], [3], [2], [2, 3])],
}


def score(logits: torch.Tensor, config: dict, channels: list[int]) -> torch.Tensor:
    if config.get("activation") == "softmax2d":
        return torch.softmax(logits, 1)[:, channels].sum(1, keepdim=True)
    return torch.sigmoid(logits)[:, channels].amax(1, keepdim=True)


def mean_of_views(model: torch.nn.Module, x: torch.Tensor, views, of_logits) -> np.ndarray:
    found = []
    for turned, axes in views:
        seen = torch.flip(x.transpose(2, 3) if turned else x, axes)
        back = torch.flip(of_logits(model(seen)), axes)
        found.append(back.transpose(2, 3) if turned else back)
    return torch.stack(found).double().mean(0)[0, 0].numpy()


def main() -> None:
    torch.set_num_threads(1)
    patch = np.array(Image.open(HERE / "model_patch.webp").convert("RGB"))[:SIDE, :SIDE]
    golden = {kind: [] for kind in VIEWS}
    kept = {}
    for name, (config, (mean, std, high), channels) in MODELS.items():
        model = build(config)
        model.segmentation_head[2] = torch.nn.Identity()
        x = torch.from_numpy(patch).permute(2, 0, 1)[None].float() / 255 * high
        x = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
        for kind, views in VIEWS.items():
            with torch.inference_mode():
                found = mean_of_views(model, x.float(), views, lambda logits: score(logits, config, channels))
            golden[kind].append(found)
            kept[f"{name}/{kind}"] = found
            print(f"{name:8} {kind:6} {found.min():.3f} ... {found.max():.3f}")
    kept |= {f"ensemble/{kind}": np.mean(found, axis=0) for kind, found in golden.items()}
    save_file({name: np.ascontiguousarray(p[::2, ::2], dtype=np.float32) for name, p in kept.items()}, HERE / "ensemble_golden.safetensors")
    (HERE / "ensemble_golden.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
