"""clip.py DIR: a Hugging Face CLIP folder of random weights (16 x 16 images, 10 tokens, no merges), by numpy alone."""
import json
import os
import struct
import sys

import numpy as np

D, P, R, PATCH, CONTEXT = 16, 8, 16, 8, 10


def letters():
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def tower(rng, name, t):
    for w, shape in [("layer_norm1", (D,)), ("layer_norm2", (D,)), ("self_attn.q_proj", (D, D)),
                     ("self_attn.k_proj", (D, D)), ("self_attn.v_proj", (D, D)), ("self_attn.out_proj", (D, D)),
                     ("mlp.fc1", (2 * D, D)), ("mlp.fc2", (D, 2 * D))]:
        at = f"{name}.encoder.layers.0.{w}"
        t[at + ".weight"] = rng.normal(size=shape) / np.sqrt(shape[-1]) + (len(shape) == 1)
        t[at + ".bias"] = 0.1 * rng.normal(size=shape[:1])


def weights(vocab):
    rng = np.random.default_rng(4)
    t = {"logit_scale": np.array(2.0), "visual_projection.weight": rng.normal(size=(P, D)),
         "text_projection.weight": rng.normal(size=(P, D)),
         "vision_model.embeddings.class_embedding": rng.normal(size=D),
         "vision_model.embeddings.patch_embedding.weight": rng.normal(size=(D, 3, PATCH, PATCH)) / 10,
         "vision_model.embeddings.position_embedding.weight": rng.normal(size=((R // PATCH) ** 2 + 1, D)),
         "text_model.embeddings.token_embedding.weight": rng.normal(size=(vocab, D)),
         "text_model.embeddings.position_embedding.weight": rng.normal(size=(CONTEXT, D))}
    for norm in ["vision_model.pre_layrnorm", "vision_model.post_layernorm", "text_model.final_layer_norm"]:
        t[norm + ".weight"], t[norm + ".bias"] = np.ones(D), np.zeros(D)
    tower(rng, "vision_model", t)
    tower(rng, "text_model", t)
    return t


def write_safetensors(path, t):
    head, blob = {}, b""
    for name, v in sorted(t.items()):
        data = np.asarray(v, "<f4").tobytes()
        head[name] = {"dtype": "F32", "shape": list(np.shape(v)), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + blob)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    tokens = letters() + [c + "</w>" for c in letters()] + ["<|startoftext|>", "<|endoftext|>"]
    one = {"hidden_size": D, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 2 * D}
    config = {"model_type": "clip", "projection_dim": P,
              "vision_config": {**one, "image_size": R, "patch_size": PATCH},
              "text_config": {**one, "vocab_size": len(tokens), "max_position_embeddings": CONTEXT, "eos_token_id": 2}}
    with open(f"{folder}/config.json", "w") as f:
        json.dump(config, f)
    with open(f"{folder}/vocab.json", "w") as f:
        json.dump({t: i for i, t in enumerate(tokens)}, f)
    with open(f"{folder}/merges.txt", "w") as f:
        f.write("#version: 0.2\n")
    write_safetensors(f"{folder}/model.safetensors", weights(len(tokens)))


if __name__ == "__main__":
    main(sys.argv[1])
