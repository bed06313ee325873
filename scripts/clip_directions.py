"""What a directional CLIP loss can see: faces that change in one factor, against directions between two texts.

    python scripts/clip_directions.py [-N 64]        needs numpy, torch, transformers and build/hspace

Each of N held-out faces is drawn twice, with a factor at the low and at the high end of its range and all others as they
were.  Printed for each pair of texts: the cosine of E_I(high) - E_I(low) with E_T(target) - E_T(source), unit
embeddings, mean and standard deviation over faces; and the factor among the others whose change goes furthest along the
same texts, with its mean cosine.
"""
import argparse
import csv
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPModel, CLIPTokenizer

ROOT = Path(__file__).resolve().parents[1]
PAIRS = [("smile", "a face", "a smiling face"), ("smile", "a sad face", "a smiling face"),
         ("age", "a face", "an old face"), ("age", "a young face", "an old face"),
         ("glasses", "a face", "a face with glasses"), ("yaw", "a face", "a face looking right"),
         ("yaw", "a face looking left", "a face looking right"), ("hair_hue", "a face", "a face with purple hair"),
         ("hair_hue", "a face with blond hair", "a face with purple hair")]
ENDS = {"smile": (-1, 1), "brow": (-1, 1), "yaw": (-1, 1), "light": (-1, 1), "face_width": (0.8, 1.1)}


def hspace(*words):
    subprocess.run([ROOT / "build/hspace", "faces", "-q", "-f", *map(str, words)], check=True)


def unit(e):
    e = getattr(e, "pooler_output", e).numpy()
    return e / np.linalg.norm(e, axis=-1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-N", type=int, default=64)
    parser.add_argument("--model", default=ROOT / "datasets/models/faces-clip")
    a = parser.parse_args()
    model, tokenizer = CLIPModel.from_pretrained(a.model).float().eval(), CLIPTokenizer.from_pretrained(a.model)
    moved = {}
    with tempfile.TemporaryDirectory() as work, torch.no_grad():
        work = Path(work)
        hspace("-N", a.N, "--first", 60000, "--seed", 7, "-o", f"{work}/faces/")
        rows = list(csv.DictReader(open(work / "faces/attributes.csv")))
        for factor in list(rows[0])[1:]:
            ends = []
            for value in ENDS.get(factor, (0, 1)):
                with open(work / "f.csv", "w", newline="") as f:
                    table = csv.DictWriter(f, rows[0].keys())
                    table.writeheader()
                    table.writerows({**r, factor: value} for r in rows)
                hspace("--factors", work / "f.csv", "-o", work / "x.npy")
                x = np.load(work / "x.npy").reshape(a.N, 3, 32, 32)
                ends.append(unit(model.get_image_features(pixel_values=torch.from_numpy(x))))
            moved[factor] = ends[1] - ends[0]
            moved[factor] /= np.linalg.norm(moved[factor], axis=1, keepdims=True)
        for factor, source, target in PAIRS:
            s, t = unit(model.get_text_features(**tokenizer([source, target], padding=True, return_tensors="pt")))
            way = (t - s) / np.linalg.norm(t - s)
            cosine = {k: v @ way for k, v in moved.items()}
            other = max((k for k in cosine if k != factor), key=lambda k: abs(cosine[k].mean()))
            print(f"{source} -> {target}: {factor} {cosine[factor].mean():.2f} +- {cosine[factor].std():.2f}; "
                  f"of the others most {other} {cosine[other].mean():+.2f}")


main()
