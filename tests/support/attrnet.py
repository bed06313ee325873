"""attrnet.py DIR: an attribute network of random weights, 16 x 16, factors smile, hat (binary), age.

Standard library only; the format is that of core/model/attrnet.h."""
import json
import os
import random
import struct
import sys

R, CH, GROUPS, F = 16, (8, 16), 4, 10
FACTORS = [("smile", "continuous", 1.0, 2.0), ("hat", "binary", 0.0, 1.0), ("age", "continuous", 0.0, 1.0)]


def tensors():
    def unit(conv, norm, i, o):
        yield conv + ".weight", (o, i, 3, 3), 9 * i
        yield conv + ".bias", (o,), 0
        yield norm + ".weight", (o,), -1
        yield norm + ".bias", (o,), 0

    yield from unit("stem.conv", "stem.norm", 3, CH[0])
    yield from unit("levels.0.conv1", "levels.0.norm1", CH[0], CH[1])
    yield from unit("levels.0.conv2", "levels.0.norm2", CH[1], CH[1])
    flat = CH[1] * (R // 2) ** 2
    yield "features.weight", (F, flat), flat
    yield "features.bias", (F,), 0
    yield "head.weight", (len(FACTORS), F), F
    yield "head.bias", (len(FACTORS),), 0


def main(folder):
    rng, header, data = random.Random(1), {}, b""
    for name, shape, fan_in in tensors():
        n = 1
        for d in shape:
            n *= d
        bound = fan_in**-0.5 if fan_in > 0 else 0
        values = [1.0 if fan_in < 0 else rng.uniform(-bound, bound) for _ in range(n)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * n]}
        data += struct.pack(f"<{n}f", *values)
    text = json.dumps(header).encode()
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump({"_class_name": "HspaceAttrNet", "image_size": R, "channels": CH, "norm_num_groups": GROUPS,
                   "features": F, "factors": [dict(zip(("name", "kind", "mean", "sd"), f)) for f in FACTORS]}, f)


main(sys.argv[1])
