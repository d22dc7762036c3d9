#!/usr/bin/env bash
# The IoU of a patch that has no stroma, where a model finds none (0/0, all right), and where it calls all of it stroma (all wrong).
# Guess: 1, or undefined, for the first, and 0 for the second, wherever it is asked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q segmentation_models_pytorch==0.6.0 timm==1.0.31 torch==2.15.0 monai==1.6.1 torchmetrics==1.9.0 scikit-learn==1.9.1 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import monai, segmentation_models_pytorch as smp, sklearn, torch, torchmetrics
from monai.metrics import MeanIoU as MonaiIoU
from sklearn.metrics import jaccard_score
from torchmetrics.classification import BinaryJaccardIndex
from torchmetrics.segmentation import MeanIoU

print("smp", smp.__version__, "torchmetrics", torchmetrics.__version__, "MONAI", monai.__version__, "scikit-learn", sklearn.__version__)
none, every = torch.zeros(1, 1, 8, 8, dtype=torch.long), torch.ones(1, 1, 8, 8, dtype=torch.long)

def by_smp(how):
    return lambda mask, truth: smp.metrics.iou_score(*smp.metrics.get_stats(mask, truth, mode="binary"), reduction=how).item()

def by_monai(mask, truth):
    metric = MonaiIoU(include_background=True, reduction="none")
    metric(mask.float(), truth.float())
    return metric.aggregate().item()

ways = {
    "smp, micro": by_smp("micro"),
    "smp, micro-imagewise": by_smp("micro-imagewise"),
    "torchmetrics, BinaryJaccardIndex": lambda mask, truth: BinaryJaccardIndex()(mask, truth).item(),
    "torchmetrics, segmentation.MeanIoU": lambda mask, truth: MeanIoU(num_classes=1)(mask, truth).item(),
    "MONAI, MeanIoU": by_monai,
    "scikit-learn, jaccard_score": lambda mask, truth: float(jaccard_score(truth.ravel().numpy(), mask.ravel().numpy())),
}
seen = {}
for name, way in ways.items():
    seen[name] = (str(way(none, none)), str(way(every, none)))
    print(f"{name}: none of it called stroma {seen[name][0]}, all of it {seen[name][1]}")
assert seen == {
    "smp, micro": ("nan", "0.0"),
    "smp, micro-imagewise": ("1.0", "0.0"),
    "torchmetrics, BinaryJaccardIndex": ("0.0", "0.0"),
    "torchmetrics, segmentation.MeanIoU": ("nan", "0.0"),
    "MONAI, MeanIoU": ("nan", "nan"),
    "scikit-learn, jaccard_score": ("0.0", "0.0"),
}, "this has changed"
PY
venv/bin/python -W ignore show.py
echo "1, nan or 0 for the same right patch, two of them within one library each. MONAI says nan for the wrong one too, which its means leave out: false stroma where there is none costs nothing there."
