#!/usr/bin/env python3
"""The statistics of per-sample deltas (N, S, d) in vectorised NumPy, from their definitions; the yardstick of
`hspace homogeneity --deltas` and `hspace consistency --deltas`, in numbers and in time.

    scripts/deltas_numpy.py D.npy            one JSON object: shares, concentrations, C_kl, C*_kl, seconds
    scripts/deltas_numpy.py --make 10000 40 4096 D.npy [FLOATS_AT_ONCE]    plants such a file

The file is mapped and read in blocks of images, once.  Images with a value that is not finite are left out.
"""
import json
import sys
import time

import numpy as np


def reduce(path, at_once=1 << 22):
    """Sums over images in double: of D, of D / |D|, of |D|^2, of |mean_k D|^2, of the outer products <D_ik, D_il>."""
    D = np.load(path, mmap_mode="r")
    N, S = D.shape[:2]
    D = D.reshape(N, S, -1)
    d = D.shape[2]
    total, units = np.zeros((S, d)), np.zeros((S, d))
    square, image, own, nonzero, n = 0.0, 0.0, np.zeros((S, S)), np.zeros(S), 0
    for first in range(0, N, max(1, at_once // (S * d))):
        x = D[first : first + max(1, at_once // (S * d))].astype("f8")
        x = x[np.isfinite(x).all(axis=(1, 2))]
        gram = x @ x.transpose(0, 2, 1)
        norm2 = np.einsum("nkk->nk", gram)
        scale = np.divide(1, np.sqrt(norm2), out=np.zeros_like(norm2), where=norm2 > 0)
        total += x.sum(0)
        units += np.einsum("nk,nkd->kd", scale, x)
        square += norm2.sum()
        image += gram.sum() / S**2
        own += gram.sum(0)
        nonzero += (norm2 > 0).sum(0)
        n += len(x)
    return n, S, total, units, square / (n * S), image / n, own, nonzero


def statistics(path):
    n, S, total, units, power, image, own, nonzero = reduce(path)
    G = total @ total.T
    plain, M = G / n**2, (G - own) / (n * (n - 1))
    g, h = plain.mean() / power, np.trace(plain) / S / power
    a = image / power - g
    root = np.sqrt(np.maximum(np.diag(M), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        disattenuated = M / np.outer(root, root)
    return {
        "n": n,
        "concentration": ((np.einsum("kd,kd->k", units, units) - nonzero) / (nonzero * (nonzero - 1))).tolist(),
        "share_common": g,
        "share_step": h - g,
        "share_sample": a,
        "share_rest": 1 - h - a,
        "share_common_corrected": M.mean() / power,
        "share_homogeneous_corrected": np.trace(M) / S / power,
        "share_consistent": M.mean() / (np.trace(M) / S),
        "cosine": (plain / np.sqrt(np.outer(np.diag(plain), np.diag(plain)))).tolist(),
        "cosine_disattenuated": disattenuated.tolist(),
    }


def make(N, S, d, path, at_once=1 << 24):
    """A common direction, one a step, and noise; images of unequal length."""
    rng = np.random.default_rng(1)
    D = np.lib.format.open_memmap(path, mode="w+", dtype="f4", shape=(N, S, d))
    common, step = rng.normal(size=d, scale=0.7).astype("f4"), rng.normal(size=(S, d), scale=0.4).astype("f4")
    rows = max(1, at_once // (S * d))
    for first in range(0, N, rows):
        k = min(rows, N - first)
        noise = rng.standard_normal((k, S, d), dtype="f4")
        D[first : first + k] = (0.7 + 0.6 * rng.random((k, 1, 1), dtype="f4")) * (common + step + 0.8 * noise)
    D.flush()


if __name__ == "__main__":
    if len(sys.argv) >= 6 and sys.argv[1] == "--make":
        make(*map(int, sys.argv[2:5]), sys.argv[5], *map(int, sys.argv[6:7]))
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        start = time.time()
        answer = statistics(sys.argv[1])
        print(json.dumps({**answer, "seconds": round(time.time() - start, 3)}))
    else:
        sys.exit(__doc__)
