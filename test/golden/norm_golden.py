"""What PyTorch says of group and instance norms that are frozen, for the tests of the norm room.

    python test/golden/norm_golden.py [starter]
        (torch, segmentation_models_pytorch, safetensors, numpy, pillow)

The statistics of a norm are means over patches of the mean and the mean square of what each of its groups reads, taken by hooks
over the first PATCHES pieces of SIDE px of model_patch.webp, row by row; frozen, the norm is (x - mean) / sqrt(variance + eps),
then its own scale and shift. Writes norm_golden.safetensors: for each case `<case>/<module>.running_mean|running_var`, and
`<case>/logits` (samples) of the first piece with frozen norms; with `starter` also the starter's, by the statistics in its bundle.
Weights are those of model_golden.py.
"""
import json
import sys

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from model_golden import HERE, STARTER, build, normalised, samples

SIDE, PATCHES = 64, 24
CASES = ["fpn-resnet34-64px", "fpn-cat", "fpn-bicubic", "unet-instancenorm"]


def norms_of(model: torch.nn.Module) -> dict[str, tuple[torch.nn.Module, int]]:
    kinds = (torch.nn.GroupNorm, torch.nn.InstanceNorm2d)
    found = {name: module for name, module in model.named_modules() if isinstance(module, kinds)}
    return {name: (m, m.num_groups if isinstance(m, torch.nn.GroupNorm) else m.num_features) for name, m in found.items()}


def statistics_of(model: torch.nn.Module, patches: list[torch.Tensor]) -> dict[str, np.ndarray]:
    sums: dict[str, list[np.ndarray]] = {}

    def look(name: str, groups: int):
        def hook(_module, inputs):
            rows = inputs[0].double().reshape(groups, -1)
            sums.setdefault(name, []).append(torch.stack([rows.mean(1), (rows**2).mean(1)]).numpy())
        return hook

    handles = [module.register_forward_pre_hook(look(name, groups)) for name, (module, groups) in norms_of(model).items()]
    with torch.inference_mode():
        for patch in patches:
            model(patch)
    for handle in handles:
        handle.remove()
    means = {name: np.mean(values, axis=0) for name, values in sums.items()}
    return {f"{name}.{part}": value.astype(np.float32) for name, (m, s) in means.items() for part, value in (("running_mean", m), ("running_var", s - m**2))}


def freeze(model: torch.nn.Module, statistics: dict[str, np.ndarray]) -> None:
    def frozen(name: str, module: torch.nn.Module):
        mean, variance = (torch.from_numpy(statistics[f"{name}.{part}"]) for part in ("running_mean", "running_var"))

        def hook(_module, inputs, _output):
            x = inputs[0]
            each = x.shape[1] // len(mean)
            wide = lambda values: values.repeat_interleave(each).view(1, -1, 1, 1)
            y = (x - wide(mean)) / torch.sqrt(wide(variance) + module.eps)
            return y * module.weight.view(1, -1, 1, 1) + module.bias.view(1, -1, 1, 1)
        return hook

    for name, (module, _groups) in norms_of(model).items():
        module.register_forward_hook(frozen(name, module))


def main() -> None:
    torch.set_num_threads(2)
    picture = np.array(Image.open(HERE / "model_patch.webp").convert("RGB"))
    corners = [(i // 8 * SIDE, i % 8 * SIDE) for i in range(PATCHES)]
    pieces = [normalised(picture[y : y + SIDE, x : x + SIDE]) for y, x in corners]
    configs = {name: case["config"] for name, case in json.loads((HERE / "model_cases.json").read_text())["cases"].items()}
    target = HERE / "norm_golden.safetensors"
    golden: dict[str, np.ndarray] = load_file(target) if target.exists() else {}
    for case in CASES:
        model = build(configs[case])
        statistics = statistics_of(model, pieces)
        freeze(model, statistics)
        model.segmentation_head[2] = torch.nn.Identity()
        with torch.inference_mode():
            golden[f"{case}/logits"] = samples(model(pieces[0]).numpy())
        golden |= {f"{case}/{name}": values for name, values in statistics.items()}
        print(f"{case:24} logits {golden[f'{case}/logits'].min():8.3f} … {golden[f'{case}/logits'].max():8.3f}")
    if "starter" in sys.argv:
        starter = smp.from_pretrained(str(STARTER)).float().eval()
        freeze(starter, load_file(STARTER / "norm-statistics.safetensors"))
        with torch.inference_mode():
            golden["starter/logits"] = np.ascontiguousarray(starter(normalised(picture)).numpy()[0, 0, ::8, ::8])
    save_file({name: np.ascontiguousarray(values, dtype=np.float32) for name, values in golden.items()}, target)
    target.chmod(0o644)


if __name__ == "__main__":
    main()
