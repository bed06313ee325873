#!/usr/bin/env python3
"""How near hspace compare comes to a shared latent that was planted: the table of docs/compare.md.

    scripts/compare_planted.py [--runs 4] [--threads N]

Two spaces of d and d + 50 features hold the same k standard normal dimensions, each along axes of its own, and noise of
`noise` times their norm over all features.  The planted cosine is what the true map reaches on the same images, the mean
of both ways round.  numpy plants and build/hspace measures; a cell is the mean of several runs.
"""
import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

HSPACE = os.environ.get("HSPACE", str(Path(__file__).resolve().parent.parent / "build" / "hspace"))
IMAGES = (100, 200, 400, 1000)


def plant(n, k, d, noise, seed):
    """Two spaces (n, d), (n, d + 50) and the planted cosine."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, k))
    x, axes = [], []
    for width in (d, d + 50):
        axes.append(np.linalg.qr(rng.standard_normal((width, k)))[0])
        x.append(z @ axes[-1].T + noise * np.sqrt(k / width) * rng.standard_normal((n, width)))
    shared = [a @ q for a, q in zip(x, axes)]
    dots = (shared[0] * shared[1]).sum(1)
    both = [dots / np.linalg.norm(shared[s], axis=1) / np.linalg.norm(x[1 - s], axis=1) for s in (0, 1)]
    return x, float(np.mean(both))


def measured(x, folder, threads):
    """Held-out cosine and its limit, means of both ways round."""
    names = [os.path.join(folder, f"{s}.npy") for s in "ab"]
    for name, rows in zip(names, x):
        np.save(name, rows.astype(np.float32))
    line = [HSPACE, "compare", "--a", names[0], "--b", names[1], "--json", "-q", "--threads", str(threads)]
    out = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    value = {s["name"]: s["value"] for s in json.loads(out)["results"]["statistics"]}
    return [(value[name] + value[name + "_back"]) / 2 for name in ("aligned_cosine", "aligned_cosine_limit")]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--runs", type=int, default=4)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    a = p.parse_args()
    missed = [0, 0]
    print("| k | noise | d | planted | " + " | ".join(f"n = {n}" for n in IMAGES) + " |")
    print("|---" * (4 + len(IMAGES)) + "|")
    with tempfile.TemporaryDirectory() as folder:
        for k, noise, d in [(k, noise, d) for k in (5, 20) for noise in (0.1, 0.5, 1.0, 2.0) for d in (256, 4096)]:
            cells, planted = [], []
            for n in IMAGES:
                runs = []
                for seed in range(a.runs):
                    x, truth = plant(n, k, d, noise, 100 * seed + n)
                    runs.append([truth, *measured(x, folder, a.threads)])
                truth, held, limit = np.mean(runs, axis=0)
                planted.append(truth)
                missed[0] += abs(held - truth) > 0.02
                missed[1] += abs(limit - truth) > 0.02
                cells.append(f"{held:.3f} → {limit:.3f}".replace("0.", "."))
            print(f"| {k} | {noise} | {d} | " + f"{np.mean(planted):.3f} | ".replace("0.", ".") + " | ".join(cells) + " |")
    print(f"\nmore than 0.02 off: {missed[0]} held out, {missed[1]} limits, of {16 * len(IMAGES)}")


if __name__ == "__main__":
    main()
