"""Stores what diffusers says of faces-a: tests/support/faces-a_eps.npz.

    python tests/support/shipped_eps.py        needs torch, diffusers; run when the weights change
"""
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel

here = Path(__file__).resolve().parent
model = UNet2DModel.from_pretrained(here.parents[1] / "datasets/models/faces-a").float().eval()
x = np.random.default_rng(5).standard_normal((2, 3, 32, 32)).astype(np.float32)
t = np.array([600, 50])
with torch.no_grad():
    eps = model(torch.from_numpy(x), torch.from_numpy(t)).sample.numpy()
np.savez(here / "faces-a_eps.npz", x=x, t=t, eps=eps)
print(f"faces-a: {sum(p.numel() for p in model.parameters())} parameters, rms of eps {eps.std():.4f}")
