"""Stores what transformers says of faces-clip: tests/support/faces-clip.npz.

    python tests/support/shipped_clip.py        needs torch, transformers; run when the weights change

Four faces as bytes, five texts, their tokens, and both towers' embeddings.
"""
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

here = Path(__file__).resolve().parent
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[1] / "datasets/models/faces-clip"
TEXTS = ["a face", "a smiling face", "an old smiling face with glasses and long red hair looking left",
         "A Photo of a man's face!", "a face without glasses on a blue background"]

faces = here.parent / "faces-clip.npy"
subprocess.run([here.parents[1] / "build/hspace", "faces", "-N", "4", "--first", "60000", "--seed", "7", "-q", "-f",
                "-o", faces], check=True)
pixels = np.clip(np.rint((np.load(faces) + 1) * 127.5), 0, 255).astype(np.uint8)
faces.unlink()

model, tokenizer = CLIPModel.from_pretrained(folder).float().eval(), CLIPTokenizer.from_pretrained(folder)
ids = tokenizer(TEXTS, padding="max_length", max_length=model.config.text_config.max_position_embeddings,
                return_tensors="pt")
seen = CLIPImageProcessor.from_pretrained(folder)(list(pixels), input_data_format="channels_first", return_tensors="pt")
with torch.no_grad():
    image, text = model.get_image_features(**seen), model.get_text_features(**ids)
image, text = (getattr(e, "pooler_output", e).numpy() for e in (image, text))
np.savez(here / "faces-clip.npz", pixels=pixels, ids=ids["input_ids"].numpy().astype(np.int32), image=image, text=text)
count = sum(p.numel() for p in model.parameters())
print(f"faces-clip: {count} parameters, rms of embeddings {image.std():.4f}, {text.std():.4f}")
