"""What PyTorch and segmentation_models_pytorch say of every decoder, for the parity tests of the model room.

    python test/golden/decoder_golden.py [case …]
        (torch, segmentation_models_pytorch, safetensors, pillow)

Writes decoder_cases.json (one smp configuration a case, and height and width of its picture, the upper left of model_patch.webp)
and decoder_golden.safetensors: for each case `<case>/logits`, all of them or samples, and samples of named layers, float32. Weights
are those of model_golden.py's formula. Only the cases given as arguments are made anew.
"""
import json
import sys

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from model_golden import HERE, build, normalised, run, samples

R34, R18, VGG, MIT = ({"encoder_name": name} for name in ("resnet34", "resnet18", "vgg11", "mit_b0"))
TALL, WIDE, SMALL, PAN = (96, 64), (64, 96), (64, 64), (160, 128)
SMALL_UNET = {"encoder_depth": 3, "decoder_channels": [32, 24, 16]}
INSTANCE = {"type": "instancenorm", "affine": True}


def of(model: str, *options: dict, **more) -> dict:
    config = {"_model_class": model}
    for option in options:
        config |= option
    return config | more


# name: (height and width, configuration, layers looked at)
CASES = {
    "unetplusplus-resnet34": (WIDE, of("UnetPlusPlus", R34), ["decoder.blocks.x_0_0", "decoder.blocks.x_2_3", "decoder.blocks.x_0_4"]),
    "unetplusplus-resnet18": (TALL, of("UnetPlusPlus", R18), []),
    "unetplusplus-vgg11": (SMALL, of("UnetPlusPlus", VGG), []),
    "unetplusplus-scse": (SMALL, of("UnetPlusPlus", R18, SMALL_UNET, decoder_attention_type="scse"), []),
    "unetplusplus-bilinear": (WIDE, of("UnetPlusPlus", R18, SMALL_UNET, decoder_interpolation="bilinear"), []),
    "unetplusplus-bicubic": (SMALL, of("UnetPlusPlus", R18, SMALL_UNET, decoder_interpolation="bicubic"), []),
    "unetplusplus-instancenorm": (SMALL, of("UnetPlusPlus", R18, SMALL_UNET, decoder_use_norm=INSTANCE), []),
    "unetplusplus-nonorm": (SMALL, of("UnetPlusPlus", R18, SMALL_UNET, decoder_use_norm=False), []),
    "linknet-resnet34": (WIDE, of("Linknet", R34), ["decoder.blocks.0", "decoder.blocks.4"]),
    "linknet-resnet18": (TALL, of("Linknet", R18), []),
    "linknet-vgg11": (SMALL, of("Linknet", VGG), []),
    "linknet-instancenorm": (SMALL, of("Linknet", R18, encoder_depth=4, decoder_use_norm=INSTANCE), []),
    "linknet-nonorm": (SMALL, of("Linknet", R18, encoder_depth=3, decoder_use_norm="identity"), []),
    "manet-resnet34": (WIDE, of("MAnet", R34), ["decoder.center", "decoder.blocks.0", "decoder.blocks.4"]),
    "manet-resnet18": (TALL, of("MAnet", R18), []),
    "manet-vgg11": (SMALL, of("MAnet", VGG), []),
    # The deepest map has 64 pixels and 128 channels, 8 × 12 and 128.
    "manet-square": (SMALL, of("MAnet", R18, SMALL_UNET, decoder_pab_channels=16), ["decoder.center"]),
    "manet-bilinear": (WIDE, of("MAnet", R18, SMALL_UNET, decoder_interpolation="bilinear"), ["decoder.center"]),
    "manet-nonorm": (SMALL, of("MAnet", R18, SMALL_UNET, decoder_use_norm=False), []),
    "pspnet-resnet34": (WIDE, of("PSPNet", R34), ["decoder.psp", "decoder"]),
    "pspnet-resnet18": (TALL, of("PSPNet", R18), []),
    "pspnet-vgg11": (SMALL, of("PSPNet", VGG), []),
    # A map of 2 × 3 pixels, averaged in 6 × 6 parts.
    "pspnet-depth5": (WIDE, of("PSPNet", R18, encoder_depth=5, upsampling=32, psp_dropout=0.5), ["decoder.psp"]),
    "pspnet-channels": (SMALL, of("PSPNet", R18, psp_out_channels=96, decoder_use_norm=False), []),
    "pspnet-instancenorm": (SMALL, of("PSPNet", R18, psp_out_channels=64, decoder_use_norm=INSTANCE), []),
    "pan-resnet34": (PAN, of("PAN", R34), ["decoder.fpa", "decoder.gau3", "decoder.gau1"]),
    "pan-resnet18": ((128, 192), of("PAN", R18), []),
    "pan-32": ((256, 288), of("PAN", R18, encoder_output_stride=32, decoder_channels=24), []),
    "pan-vgg11": ((256, 256), of("PAN", VGG, encoder_output_stride=32), []),
    "pan-nearest": ((128, 128), of("PAN", R18, decoder_interpolation="nearest"), []),
    "pan-bicubic": ((128, 128), of("PAN", R18, decoder_interpolation="bicubic"), []),
    "pan-depth4": ((128, 160), of("PAN", R18, encoder_depth=4), []),
    "pan-depth3": (SMALL, of("PAN", R18, encoder_depth=3), []),
    "deeplabv3-resnet34": (WIDE, of("DeepLabV3", R34), ["encoder.layer4", "decoder.aspp", "decoder"]),
    "deeplabv3-resnet18": (TALL, of("DeepLabV3", R18), []),
    "deeplabv3-16": (SMALL, of("DeepLabV3", R18, encoder_output_stride=16, decoder_channels=64, decoder_aspp_separable=True), []),
    "deeplabv3-rates": (SMALL, of("DeepLabV3", R18, decoder_atrous_rates=[1, 2, 3], decoder_channels=64, decoder_aspp_dropout=0), []),
    "deeplabv3-depth3": (WIDE, of("DeepLabV3", R18, encoder_depth=3, decoder_channels=64), []),
    "deeplabv3plus-resnet34": (WIDE, of("DeepLabV3Plus", R34), ["decoder.aspp", "decoder.block1", "decoder"]),
    "deeplabv3plus-resnet18": (TALL, of("DeepLabV3Plus", R18), []),
    "deeplabv3plus-8": (SMALL, of("DeepLabV3Plus", R18, encoder_output_stride=8, decoder_channels=64, decoder_aspp_separable=False), []),
    "deeplabv3plus-depth3": (SMALL, of("DeepLabV3Plus", R18, encoder_depth=3, decoder_atrous_rates=[2, 4, 6], decoder_channels=64), []),
    "segformer-resnet34": (WIDE, of("Segformer", R34), ["decoder"]),
    "segformer-resnet18": (TALL, of("Segformer", R18), []),
    "segformer-vgg11": (SMALL, of("Segformer", VGG), []),
    "segformer-channels": (SMALL, of("Segformer", R18, encoder_depth=4, decoder_segmentation_channels=48), []),
    "upernet-resnet34": (WIDE, of("UPerNet", R34), ["decoder.psp", "decoder.fpn_lateral_blocks.0", "decoder"]),
    "upernet-resnet18": (TALL, of("UPerNet", R18), []),
    "upernet-vgg11": (SMALL, of("UPerNet", VGG, decoder_channels=64), []),
    "upernet-nonorm": (SMALL, of("UPerNet", R18, encoder_depth=4, decoder_channels=48, decoder_use_norm=False), []),
    "manet-mit_b0": (WIDE, of("MAnet", MIT), []),
    "pspnet-mit_b0": (WIDE, of("PSPNet", MIT, encoder_depth=5, upsampling=32), []),
    "segformer-mit_b0": (WIDE, of("Segformer", MIT), ["decoder"]),
    "pan-mit_b0": ((128, 160), of("PAN", MIT), []),
    "deeplabv3-mit_b0": (WIDE, of("DeepLabV3", MIT, decoder_channels=64), []),
    "deeplabv3plus-mit_b0": (SMALL, of("DeepLabV3Plus", MIT, decoder_channels=64), []),
    "upernet-mit_b0": (WIDE, of("UPerNet", MIT, decoder_channels=64), []),
}


def main() -> None:
    torch.set_num_threads(2)
    patch = np.array(Image.open(HERE / "model_patch.webp").convert("RGB"))
    golden: dict[str, np.ndarray] = {}
    names = sys.argv[1:] or list(CASES)
    for case in names:
        (height, width), config, layers = CASES[case]
        found = run(build(config), normalised(patch[:height, :width]), layers)
        if "-resnet" not in case:
            found["logits"] = samples(found["logits"])
        golden |= {f"{case}/{name}": np.ascontiguousarray(values, dtype=np.float32) for name, values in found.items()}
        print(f"{case:24} logits {found['logits'].min():8.3f} … {found['logits'].max():8.3f}", flush=True)
    if len(names) < len(CASES):
        kept = load_file(HERE / "decoder_golden.safetensors")
        golden = {name: values for name, values in kept.items() if name.split("/")[0] in CASES} | golden
    save_file(golden, HERE / "decoder_golden.safetensors")
    (HERE / "decoder_golden.safetensors").chmod(0o644)
    cases = {case: {"side": size, "config": config, "layers": layers} for case, (size, config, layers) in CASES.items()}
    made_by = {"torch": torch.__version__, "segmentation_models_pytorch": smp.__version__}
    (HERE / "decoder_cases.json").write_text(json.dumps({"madeBy": made_by, "cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
