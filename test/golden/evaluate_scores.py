"""Scores of 200 label and prediction pairs by segmentation_models_pytorch and by TIGER's published formula.

Run by hand where both are installed; writes evaluate-scores.json beside this file:
    python test/golden/evaluate_scores.py
The masks are made by formula_mask below, of which test/evaluate/formula-masks.ts is a copy in TypeScript, so only scores are stored.
smp divides integers, which PyTorch does in its default type: float64 here, so that 1e-9 can be asked for.
"""

import json
import math
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from segmentation_models_pytorch.metrics import functional

torch.set_default_dtype(torch.float64)
M = 0xFFFFFFFF


class Random:
    """xoshiro128** seeded by splitmix32, as src/evaluate/random.ts."""

    def __init__(self, seed):
        self.s = []
        at = seed & M
        for _ in range(4):
            at = (at + 0x9E3779B9) & M
            h = at
            h = ((h ^ (h >> 16)) * 0x85EBCA6B) & M
            h = ((h ^ (h >> 13)) * 0xC2B2AE35) & M
            self.s.append(h ^ (h >> 16))

    def next(self):
        s = self.s
        rot = lambda v, k: ((v << k) | (v >> (32 - k))) & M
        result = (rot((s[1] * 5) & M, 7) * 9) & M
        t = (s[1] << 9) & M
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rot(s[3], 11)
        return result


def formula_mask(seed, side, classes):
    """Label values of a side x side mask: blocks of 4 x 4 pixels, a third of them redrawn pixel by pixel."""
    random = Random(seed)
    blocks = side // 4
    coarse = [random.next() % classes for _ in range(blocks * blocks)]
    mask = np.zeros((side, side), np.uint8)
    for y in range(side):
        for x in range(side):
            value = coarse[(y // 4) * blocks + x // 4]
            mask[y, x] = random.next() % classes if value % 3 == 0 else value
    return mask


SIDE = 32
PAIRS = 200


def pair(index):
    """The first 8 pairs are edge cases; the others are random, classes 0-7 as TIGER's plus 8 and 9."""
    edge = [
        (0, 0),  # ignored only, nothing predicted
        (0, 2),  # ignored only, all predicted
        (7, 7),  # no stroma, none predicted
        (7, 2),  # no stroma, all predicted
        (2, 2),  # all stroma, all predicted
        (2, 7),  # all stroma, none predicted
        (6, 6),
        (1, 1),
    ]
    if index < len(edge):
        truth, prediction = edge[index]
        return np.full((SIDE, SIDE), truth, np.uint8), np.full((SIDE, SIDE), prediction, np.uint8)
    return formula_mask(2 * index, SIDE, 8 if index % 5 else 10), formula_mask(2 * index + 1, SIDE, 8)


def binary_counts(truth, prediction):
    keep = torch.from_numpy(truth != 0)
    target = torch.from_numpy(np.isin(truth, [2, 6]).astype(np.int64))
    output = torch.from_numpy(np.isin(prediction, [2, 6]).astype(np.int64))
    # smp has no ignore index in binary mode: the kept pixels are handed over as one flat image.
    stats = smp.metrics.get_stats(output[keep].view(1, 1, -1), target[keep].view(1, 1, -1), mode="binary")
    return [t.view(1, 1) for t in stats]


def multiclass_counts(truth, prediction):
    target = torch.from_numpy(truth.astype(np.int64)) - 1
    output = (torch.from_numpy(prediction.astype(np.int64)) - 1).clamp(min=0)
    target = torch.where(target > 6, -1, target)
    return smp.metrics.get_stats(output[None], target[None], mode="multiclass", num_classes=7, ignore_index=-1)


def reductions(stats):
    scores = {}
    for name, fn in [("iou", functional.iou_score), ("dice", functional.f1_score), ("precision", functional.precision), ("recall", functional.recall)]:
        scores[name] = {}
        for reduction in ["micro", "macro", "micro-imagewise", "macro-imagewise"]:
            value = float(fn(*stats, reduction=reduction))
            scores[name][reduction] = None if math.isnan(value) else value
    return scores


def tiger(confusion):
    out = {"confusion": confusion.astype(int).tolist()}
    for index, name in enumerate(["tumour", "stroma"]):
        total = confusion[index].sum() + confusion[:, index].sum()
        out[name] = None if total == 0 else float(2 * confusion[index, index] / total)
    return out


def tiger_confusion(truth, prediction):
    gt_remap = {4: 3, 5: 3, 6: 2, 7: 3}
    pred_remap = {**{k: 3 for k in range(256)}, 1: 1, 2: 2, 6: 2}
    gt = np.vectorize(lambda v: gt_remap.get(v, v))(truth)
    pred = np.vectorize(pred_remap.get)(prediction)
    pred, gt = pred[gt != 0], gt[gt != 0]
    return np.array([[np.sum((gt == t) & (pred == p)) for p in (1, 2, 3)] for t in (1, 2, 3)])


def collect():
    pairs, binary, multi, confusion = [], [], [], np.zeros((3, 3), int)
    for index in range(PAIRS):
        truth, prediction = pair(index)
        b, m = binary_counts(truth, prediction), multiclass_counts(truth, prediction)
        binary.append(b)
        multi.append(m)
        cm = tiger_confusion(truth, prediction)
        confusion += cm
        pairs.append({"counts": [int(t) for t in b], "scores": reductions(b), "tiger": tiger(cm)})
    cat = lambda many: [torch.cat([stats[i] for stats in many]) for i in range(4)]
    return {
        "smp": smp.__version__,
        "pairs": pairs,
        "allBinary": reductions(cat(binary)),
        "allMulticlass": reductions(cat(multi)),
        "allTiger": tiger(confusion),
    }


if __name__ == "__main__":
    Path(__file__).with_name("evaluate-scores.json").write_text(json.dumps(collect()) + "\n")
