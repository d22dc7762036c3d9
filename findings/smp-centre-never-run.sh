#!/usr/bin/env bash
# segmentation_models_pytorch's decoders over VGG encoders. Unet has a centre there, two convolutions at the coarsest resolution, and so has
# UnetPlusPlus. One would guess that the parameters of a model's state take part in what it says, and learn.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q segmentation_models_pytorch==0.6.0 timm==1.0.31 torch==2.15.0 2>pip.log || { cat pip.log; exit 2; }
cat > show.py <<'PY'
import segmentation_models_pytorch as smp, torch

torch.manual_seed(0)
print("segmentation_models_pytorch", smp.__version__)
for name in ("Unet", "UnetPlusPlus"):
    model = getattr(smp, name)("vgg16", encoder_weights=None).eval()
    centre = [p for key, p in model.named_parameters() if key.startswith("decoder.center.")]
    share = sum(p.numel() for p in centre) / sum(p.numel() for p in model.parameters())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        before = model(image)
        for p in centre:
            p.fill_(7)
        changed = not torch.equal(before, model(image))
    model.train()
    model(torch.rand(2, 3, 64, 64)).sum().backward()
    learning = sum(p.grad is not None for p in centre)
    print(f"{name}: {len(centre)} tensors, {share:.0%} of its parameters; output changed: {changed}; with a gradient: {learning}")
PY
venv/bin/python show.py | tee seen
echo "UnetPlusPlus makes the centre, keeps it in its state and never runs it: whatever stands there, its output is the same, and it"
echo "gets no gradient. Who counts parameters, compares states, or has a converter demand that every tensor is used, meets it."
if grep -q '^Unet: 6 tensors.*changed: True; with a gradient: 6$' seen && grep -q '^UnetPlusPlus: 6 tensors.*changed: False; with a gradient: 0$' seen
then echo "as found"; else echo "this has changed"; exit 1; fi
