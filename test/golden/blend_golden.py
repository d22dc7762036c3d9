"""What NumPy makes of a whole slide of overlapping patches, for test/mask/blend.test.ts.

    python test/golden/blend_golden.py      (numpy)

Writes blend_golden.json: for each grid, samples [x, y, probability] of the weighted mean over all patches at once, in float64. What
a patch says is hashed(name), as in model_golden.py, and weights are scipy.signal.windows.tukey's for even windows: sin² over the overlap.
"""
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
GRIDS = [
    ({"patchSize": 64, "margin": 8, "core": 48, "cols": 4, "rows": 3}, []),
    ({"patchSize": 64, "margin": 16, "core": 32, "cols": 4, "rows": 4}, ["0,0", "2,1", "3,3"]),
]


def hashed(name: str, count: int) -> np.ndarray:
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    h = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + seed).astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h.astype(np.float64) / 2**31 - 1


def blend(grid: dict, empty: list[str]) -> tuple[np.ndarray, np.ndarray]:
    side, margin, core, cols, rows = (grid[k] for k in ("patchSize", "margin", "core", "cols", "rows"))
    ramp = np.sin(np.pi / 2 * (np.arange(2 * margin) + 0.5) / (2 * margin)) ** 2
    line = np.concatenate([ramp, np.ones(side - 4 * margin), ramp[::-1]])
    weights = np.outer(line, line)
    shape = (rows * core + 2 * margin, cols * core + 2 * margin)
    total, weight = np.zeros(shape), np.zeros(shape)
    for row in range(rows):
        for col in range(cols):
            if f"{col},{row}" in empty:
                continue
            p = ((hashed(f"{col},{row}", side * side) + 1) / 2).astype(np.float32).reshape(side, side)
            at = np.s_[row * core : row * core + side, col * core : col * core + side]
            total[at] += weights * p
            weight[at] += weights
    inner = np.s_[margin : shape[0] - margin, margin : shape[1] - margin]
    with np.errstate(invalid="ignore"):
        return (total / weight)[inner], weight[inner]


def main() -> None:
    rng = np.random.default_rng(1)
    cases = []
    for grid, empty in GRIDS:
        p, _ = blend(grid, empty)
        ys, xs = rng.integers(0, p.shape[0], 900), rng.integers(0, p.shape[1], 900)
        there = [(int(x), int(y), float(p[y, x])) for x, y in zip(xs, ys) if f"{x // grid['core']},{y // grid['core']}" not in empty]
        cases.append({"grid": grid, "empty": empty, "samples": [[x, y, round(v, 9)] for x, y, v in there]})
    (HERE / "blend_golden.json").write_text(json.dumps({"cases": cases}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
