#!/usr/bin/env bash
# segmentation_models_pytorch's overlap losses, a batch of patches none of which has stroma, and a network that calls all of it stroma.
# Guess: about the largest loss there is, or with `smooth` a little less, and a gradient away from it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q segmentation_models_pytorch==0.6.0 timm==1.0.31 torch==2.15.0 monai==1.6.1 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
from importlib.metadata import version
import monai, segmentation_models_pytorch as smp, torch

print("segmentation_models_pytorch", smp.__version__, "MONAI", monai.__version__, "torch", version("torch"))
truth = torch.zeros(4, 1, 64, 64)

def judge(loss, logit):
    logits = torch.full_like(truth, logit, requires_grad=True)
    value = loss(logits, truth)
    value.backward()
    return round(value.item(), 3), logits.grad.abs().sum().item()

losses = {
    "smp DiceLoss": smp.losses.DiceLoss("binary"),
    "smp DiceLoss, smooth=1": smp.losses.DiceLoss("binary", smooth=1.0),
    "smp JaccardLoss": smp.losses.JaccardLoss("binary"),
    "smp TverskyLoss": smp.losses.TverskyLoss("binary"),
    "smp LovaszLoss": smp.losses.LovaszLoss("binary"),
    "MONAI DiceLoss": monai.losses.DiceLoss(sigmoid=True),
}
for name, loss in losses.items():
    (all_wrong, pull), (right, _) = judge(loss, 2.0), judge(loss, -8.0)
    print(f"{name}: all called stroma {all_wrong}, gradient {'none' if pull == 0 else 'some'}; none called stroma {right}")
    blind = all_wrong == 0 and pull == 0
    expected = name.startswith("smp") and "Lovasz" not in name
    assert blind == expected, f"{name} has changed"
PY
venv/bin/python -W ignore show.py
echo "smp's DiceLoss, JaccardLoss and TverskyLoss say 0, the best there is, and teach nothing, whatever is called stroma in a batch that has none, and whatever smooth is."
