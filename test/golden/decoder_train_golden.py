"""What PyTorch says of two training steps of every decoder, for the parity tests of training.

    python test/golden/decoder_train_golden.py
        (torch, segmentation_models_pytorch, numpy)

As train_golden.py, whose batch, losses and sketches these are, over a small encoder: losses and gradients of the first step and
the parameters after two. Dropout is off. Writes decoder_train_golden.json.
"""
import json

import segmentation_models_pytorch as smp
import torch

from model_golden import HERE
from train_golden import RATE, ROUNDINGS, distance, sketch, train

SMALL = {"encoder_name": "resnet18", "encoder_depth": 3}
CASES = {
    "unetplusplus": {"_model_class": "UnetPlusPlus", **SMALL, "decoder_channels": [16, 8, 8]},
    "linknet": {"_model_class": "Linknet", **SMALL},
    "manet": {"_model_class": "MAnet", **SMALL, "decoder_channels": [16, 8, 8], "decoder_pab_channels": 8},
    "pspnet": {"_model_class": "PSPNet", **SMALL, "psp_out_channels": 32, "psp_dropout": 0},
    "pan": {"_model_class": "PAN", **SMALL, "decoder_channels": 16},
    "deeplabv3": {"_model_class": "DeepLabV3", **SMALL, "decoder_channels": 16, "decoder_atrous_rates": [1, 2, 4], "decoder_aspp_dropout": 0},
    "deeplabv3plus": {"_model_class": "DeepLabV3Plus", **SMALL, "decoder_channels": 16, "decoder_atrous_rates": [1, 2, 4], "decoder_aspp_dropout": 0},
    "segformer": {"_model_class": "Segformer", **SMALL, "decoder_segmentation_channels": 16},
    "upernet": {"_model_class": "UPerNet", **SMALL, "decoder_channels": 16},
}
SIDE, STEPS = 64, 2


def main() -> None:
    torch.set_num_threads(1)
    golden = {}
    for case, config in CASES.items():
        exact = train(SIDE, config, "dice", "adam", torch.float64, steps=STEPS)
        singles = [train(SIDE, config, "dice", "adam", torch.float32, rounding, steps=STEPS) for rounding in range(ROUNDINGS)]
        parts = ("gradients", f"after {STEPS}")
        print(case, exact["losses"], *(distance(singles[0][part], exact[part]) for part in parts), flush=True)
        golden[case] = {
            "side": SIDE, "config": config, "loss": "dice", "optimizer": "adam", "losses": exact["losses"],
            **{part: {name: sketch(name, value, [single[part][name] for single in singles]) for name, value in exact[part].items()} for part in parts},
        }
    made_by = {"torch": torch.__version__, "segmentation_models_pytorch": smp.__version__}
    (HERE / "decoder_train_golden.json").write_text(json.dumps({"madeBy": made_by, "rate": RATE, "cases": golden}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
