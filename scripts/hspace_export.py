#!/usr/bin/env python3
"""Writes an hspace activation store from a diffusers pipeline (needs torch, diffusers, h5py).

    python3 hspace_export.py google/ddpm-celebahq-256 -N 64 --steps 40 --keep x_0,eps -o acts.h5
    python3 hspace_export.py runwayml/stable-diffusion-v1-5 --prompt "a face" -N 16 -o acts.h5

h is the output of unet.mid_block at every step (the tap mid_block.out), of the conditional branch
where the pipeline has one.  The file is sealed, checksums and all: it opens in every hspace command that reads stores.
"""
import argparse
import datetime
import hashlib
import json

import h5py
import numpy as np
import torch
from diffusers import DDIMScheduler, DiffusionPipeline

KEEP = ("x_T", "x_0", "eps")


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("pipeline", help="folder or hub name of a diffusers pipeline")
    p.add_argument("-N", type=int, default=16, help="samples [16]")
    p.add_argument("--steps", type=int, default=40, help="DDIM steps [40]")
    p.add_argument("--batch", type=int, default=4, help="samples at once [4]")
    p.add_argument("--seed", type=int, default=0, help="sample i starts from torch's generator seed + i [0]")
    p.add_argument("--keep", default="", metavar="WHAT", help="also x_T,x_0,eps")
    p.add_argument("--prompt", help="text of a conditional pipeline")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("-o", required=True, metavar="ACTS.h5")
    args = p.parse_args()
    args.keep = [k for k in args.keep.split(",") if k]
    for k in args.keep:
        if k not in KEEP:
            p.error(f"--keep {k}: wanted some of {', '.join(KEEP)}")
    return args


def start(unet, first, n, seed):
    size = unet.config.sample_size
    size = (size, size) if isinstance(size, int) else tuple(size)
    draw = [torch.randn(unet.config.in_channels, *size, generator=torch.Generator().manual_seed(seed + first + i))
            for i in range(n)]
    return torch.stack(draw)


def text_states(pipe, prompt, n, device):
    ids = pipe.tokenizer([prompt] * n, padding="max_length", truncation=True, return_tensors="pt",
                         max_length=pipe.tokenizer.model_max_length).input_ids
    return pipe.text_encoder(ids.to(device))[0]


@torch.no_grad()
def dump(pipe, scheduler, args, write):
    """Calls write(name, first, step, values) with what each batch gives; step None: of the whole trajectory."""
    unet, held = pipe.unet, {}
    hook = unet.mid_block.register_forward_hook(
        lambda module, inputs, out: held.__setitem__("h", (out[0] if isinstance(out, tuple) else out)))
    conditional = hasattr(unet.config, "cross_attention_dim")
    for first in range(0, args.N, args.batch):
        n = min(args.batch, args.N - first)
        x = start(unet, first, n, args.seed).to(args.device, unet.dtype)
        text = {"encoder_hidden_states": text_states(pipe, args.prompt, n, args.device)} if conditional else {}
        write("x_T", first, None, x)
        for k, t in enumerate(scheduler.timesteps):
            eps = unet(x, t, **text).sample[:, :x.shape[1]]
            write("h", first, k, held["h"])
            write("eps", first, k, eps)
            x = scheduler.step(eps, t, x, eta=0.0).prev_sample
        grey = ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1)
        write("x_0", first, None, grey)
        print(f"{first + n}/{args.N} samples", flush=True)
    hook.remove()


# ---- The file ----

TABLE = np.zeros((4, 256), "<u4")  # of CRC-32C, for four bytes at once
for byte in range(256):
    value = byte
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    TABLE[0, byte] = value
for more in range(1, 4):
    TABLE[more] = TABLE[more - 1] >> 8 ^ TABLE[0, TABLE[more - 1] & 255]


def crc32c(cells):
    """CRC-32C of each row of bytes (rows, bytes), all rows together."""
    crc = np.full(len(cells), 0xFFFFFFFF, "<u4")
    whole = cells.shape[1] // 4 * 4
    for word in np.ascontiguousarray(cells[:, :whole]).view("<u4").T:
        x = crc ^ word
        crc = TABLE[3, x & 255] ^ TABLE[2, x >> 8 & 255] ^ TABLE[1, x >> 16 & 255] ^ TABLE[0, x >> 24]
    for byte in cells[:, whole:].T:
        crc = crc >> 8 ^ TABLE[0, (crc ^ byte) & 255]
    return crc ^ np.uint32(0xFFFFFFFF)


def digest(data):
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def parameters(args, shape, image, timestep, alpha_bar, attributes, sample, seed, source, configs):
    """The record of all that decides the bytes; its SHA-256 is the store's id."""
    c, height, width = shape
    lines = ["hspace_store 1.0", f"n {args.N}", f"steps {len(timestep)}", f"unit {args.batch}",
             f"h {c} {height} {width}", "image " + " ".join(map(str, image)), "dtype float32",
             "keep " + " ".join(str(int(k in args.keep)) for k in KEEP),
             "timestep " + " ".join(map(str, timestep)), "alpha_bar " + " ".join(f"{a:.17g}" for a in alpha_bar)]
    lines += [f"attr.{key} {value}" for key, value in attributes.items()]
    lines += [f"sample {digest(sample.tobytes())}", f"seed_per_sample {digest(seed.tobytes())}",
              f"source_per_sample {digest(''.join(s + chr(0) for s in source))}",
              f"model_config {digest(configs[0])}", f"scheduler_config {digest(configs[1])}"]
    return "\n".join(lines) + "\n"


class Store:
    """An HDF5 file that is laid out at the first h, filled, and sealed."""

    def __init__(self, path, args, pipe, scheduler):
        self.file = h5py.File(path, "x", libver="v110")
        self.args, self.pipe, self.scheduler = args, pipe, scheduler
        self.waiting = []

    def scale(self, name, values):
        self.file.create_dataset(name, data=values).make_scale(name)

    def array(self, name, dtype, dims, shape, text, crc):
        f = self.file
        f.create_dataset(name, shape, dtype)
        f.create_dataset(crc, shape[:2] if "timestep" in dims else shape[:1], "<u4")
        for each in (name, crc):
            for axis, dim in enumerate(dims[:len(f[each].shape)]):
                if dim in f:
                    f[each].dims[axis].attach_scale(f[dim])
        f[name].attrs["long_name"], f[name].attrs["units"] = text, "1"

    def lay_out(self, h):
        args, f, unet = self.args, self.file, self.pipe.unet
        size = unet.config.sample_size
        image = (unet.config.in_channels, *((size, size) if isinstance(size, int) else size))
        timestep = np.asarray([int(t) for t in self.scheduler.timesteps], "<i4")
        alpha_bar = np.asarray([float(self.scheduler.alphas_cumprod[t]) for t in timestep], "<f8")
        sample, seed = np.arange(args.N, dtype="<i8"), args.seed + np.arange(args.N, dtype="<u8")
        source = [args.prompt or "prior"] * args.N
        for name, values in (("sample", sample), ("timestep", timestep)):
            self.scale(name, values)
        for name, n in zip(("channel", "y", "x"), h.shape[1:]):
            self.scale(name, np.arange(n, dtype="<i4"))
        f["alpha_bar"], f["step"], f["seed"] = alpha_bar, np.arange(len(timestep), dtype="<i4"), seed
        f["source"] = np.array(source, h5py.string_dtype())
        for name, axis in (("alpha_bar", "timestep"), ("step", "timestep"), ("seed", "sample"), ("source", "sample")):
            f[name].dims[0].attach_scale(f[axis])
        n, steps = args.N, len(timestep)
        self.array("h", "<f4", ("sample", "timestep", "channel", "y", "x"), (n, steps, *h.shape[1:]),
                   "output of the U-Net's middle block", "crc32c")
        more = {"x_T": ("<f4", ("sample",), (n, *image), "starting noise"),
                "x_0": ("u1", ("sample",), (n, *image[1:], image[0]), "final image"),
                "eps": ("<f4", ("sample", "timestep"), (n, steps, *image), "predicted noise")}
        for name in args.keep:
            self.array(name, *more[name], f"crc32c_{name}")
        self.describe(h.shape[1:], image, timestep, alpha_bar, sample, seed, source)

    def describe(self, shape, image, timestep, alpha_bar, sample, seed, source):
        args, f = self.args, self.file
        name = str(args.pipeline).rstrip("/").rsplit("/", 1)[-1]
        fixed = {"tap": "mid_block.out", "model_name": name, "model_format": "diffusers", "sampler": "ddim",
                 "eta": "0", "direction": "generate", "rng": "torch", "seed": str(args.seed)}
        if args.prompt is not None:
            fixed["prompt"] = args.prompt.replace("\\", "\\\\").replace("\n", "\\n")
        configs = [json.dumps(dict(c), default=str) for c in (self.pipe.unet.config, self.scheduler.config)]
        record = parameters(args, shape, image, timestep, alpha_bar, fixed, sample, seed, source, configs)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        if args.prompt is not None:
            fixed["prompt"] = args.prompt
        free = {"Conventions": "CF-1.8 hspace-1.0", "hspace_kind": "activations", "hspace_format": "1.0",
                "hspace_store_id": digest(record), "source": "hspace_export.py", "created": now}
        for key, value in {**fixed, **free}.items():
            f.attrs[key] = np.bytes_(value.encode())
        for key, text in zip(("parameters", "model_config", "scheduler_config"), (record, *configs)):
            f[f"provenance/{key}"] = text

    def write(self, name, first, step, values):
        values = values.cpu().numpy() if name == "x_0" else values.float().cpu().numpy()
        if name == "h" and "h" not in self.file:
            self.lay_out(values)
            for item in self.waiting:
                self.put(*item)
        if "h" not in self.file:
            self.waiting.append((name, first, step, values))
        else:
            self.put(name, first, step, values)

    def put(self, name, first, step, values):
        if name != "h" and name not in self.args.keep:
            return
        f, n = self.file, len(values)
        sums = crc32c(np.ascontiguousarray(values).reshape(n, -1).view("u1"))
        crc = "crc32c" if name == "h" else f"crc32c_{name}"
        if step is None:
            f[name][first:first + n], f[crc][first:first + n] = values, sums
        else:
            f[name][first:first + n, step], f[crc][first:first + n, step] = values, sums

    def seal(self):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.file.attrs["finished"], self.file.attrs["sealed"] = np.bytes_(now.encode()), 1
        self.file.close()


def main():
    args = parse()
    pipe = DiffusionPipeline.from_pretrained(args.pipeline)
    pipe.to(args.device)
    if hasattr(pipe.unet.config, "cross_attention_dim") and args.prompt is None:
        raise SystemExit("hspace_export: a conditional pipeline needs --prompt")
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(args.steps)
    store = Store(args.o, args, pipe, scheduler)
    dump(pipe, scheduler, args, store.write)
    store.seal()


if __name__ == "__main__":
    main()
