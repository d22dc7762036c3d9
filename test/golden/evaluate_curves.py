"""Average precision by scikit-learn and boundary F1 by SciPy's exact distance transform, on formula-made masks.

Run by hand; writes evaluate-curves.json beside this file. The masks are those of evaluate_scores.py.
"""

import json
from pathlib import Path

import numpy as np
from evaluate_scores import Random, formula_mask
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import average_precision_score


def probabilities(seed, side):
    random = Random(seed)
    return np.array([random.next() % 256 for _ in range(side * side)], np.uint8).reshape(side, side)


def curve(index):
    truth = formula_mask(900 + index, 32, 8)
    noise = probabilities(1900 + index, 32).astype(int)
    positive = np.isin(truth, [2, 6])
    q = np.clip(noise // 2 + np.where(positive, 90, 30), 0, 255)
    keep = truth != 0
    y, p = positive[keep], q[keep] / 255
    bins = np.minimum(14, (q[keep] * 15) // 255)
    ece = sum(abs(y[bins == b].mean() - p[bins == b].mean()) * (bins == b).sum() for b in range(15) if (bins == b).any())
    return {"ap": average_precision_score(y, p), "ece": ece / len(y)}


def boundary(mask, valid):
    out = ~mask & valid
    near = np.zeros_like(mask)
    near[1:] |= out[:-1]
    near[:-1] |= out[1:]
    near[:, 1:] |= out[:, :-1]
    near[:, :-1] |= out[:, 1:]
    return mask & valid & near


def discs(seed, side, count, shift):
    """Discs by formula; `shift` moves and grows each by up to so many pixels."""
    place, move = Random(seed), Random(seed + 1)
    y, x = np.mgrid[:side, :side]
    mask = np.zeros((side, side), bool)
    for _ in range(count):
        cx, cy, r = place.next() % side, place.next() % side, 4 + place.next() % 24
        if shift:
            cx, cy, r = cx + move.next() % shift, cy + move.next() % shift, r + move.next() % shift
        mask |= (x - cx) ** 2 + (y - cy) ** 2 <= r * r
    return mask


def contours(index, side=96):
    truth = discs(3000 + index, side, index % 6, 0)
    prediction = discs(3000 + index, side, 5 if index % 9 else 0, index % 10)
    valid = ~discs(7000 + index, side, 2, 0)
    bp, bt = boundary(prediction, valid), boundary(truth, valid)
    row = []
    for tolerance in (2, 5):
        far = lambda b: distance_transform_edt(~b) if b.any() else np.full(b.shape, np.inf)
        row.append([int(bp.sum()), int((bp & (far(bt) <= tolerance)).sum()), int(bt.sum()), int((bt & (far(bp) <= tolerance)).sum())])
    return row


if __name__ == "__main__":
    result = {"curves": [curve(i) for i in range(40)], "boundaries": [contours(i) for i in range(40)]}
    Path(__file__).with_name("evaluate-curves.json").write_text(json.dumps(result) + "\n")
