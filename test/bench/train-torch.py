"""Training steps of FPN/ResNet34 in PyTorch eager, one for each line read: `python train-torch.py <side> <batch> <threads>`.

Answers each line with the seconds a step took by the clock and by the processor, and the peak memory in bytes.
"""
import json
import sys
import time

import segmentation_models_pytorch as smp
import torch

side, batch, threads = map(int, sys.argv[1:4])
torch.set_num_threads(threads)
model = smp.FPN("resnet34", encoder_weights=None, decoder_dropout=0).train()
optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
loss_of = smp.losses.DiceLoss("binary", from_logits=True)
images = torch.randn(batch, 3, side, side)
labels = (torch.rand(batch, 1, side, side) > 0.5).long()


def peak() -> int:
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))


for _ in sys.stdin:
    clock, processor = time.perf_counter(), time.process_time()
    optimiser.zero_grad()
    loss_of(model(images), labels).backward()
    optimiser.step()
    took = {"seconds": time.perf_counter() - clock, "processor": time.process_time() - processor, "peak": peak()}
    print(json.dumps(took), flush=True)
