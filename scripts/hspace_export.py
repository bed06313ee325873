#!/usr/bin/env python3
"""Writes an hspace activation store from a diffusers pipeline (needs torch, diffusers, h5py).

    python3 hspace_export.py google/ddpm-celebahq-256 -N 64 --steps 40 -o acts.h5
    python3 hspace_export.py runwayml/stable-diffusion-v1-5 --prompt "a face" -N 16 -o acts.h5

h is the output of unet.mid_block at every step (the tap mid_block.out), of the conditional branch
where the pipeline has one.  The file opens in every hspace command that reads stores.
"""
import argparse
import datetime
import json

import h5py
import numpy as np
import torch
from diffusers import DDIMScheduler, DiffusionPipeline


def parse():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("pipeline", help="folder or hub name of a diffusers pipeline")
    p.add_argument("-N", type=int, default=16, help="samples [16]")
    p.add_argument("--steps", type=int, default=40, help="DDIM steps [40]")
    p.add_argument("--batch", type=int, default=4, help="samples at once [4]")
    p.add_argument("--seed", type=int, default=0, help="sample i starts from torch's generator seed + i [0]")
    p.add_argument("--prompt", help="text of a conditional pipeline")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("-o", required=True, metavar="ACTS.h5")
    return p.parse_args()


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
    unet, held = pipe.unet, {}
    hook = unet.mid_block.register_forward_hook(
        lambda module, inputs, out: held.__setitem__("h", (out[0] if isinstance(out, tuple) else out)))
    conditional = hasattr(unet.config, "cross_attention_dim")
    for first in range(0, args.N, args.batch):
        n = min(args.batch, args.N - first)
        x = start(unet, first, n, args.seed).to(args.device, unet.dtype)
        text = {"encoder_hidden_states": text_states(pipe, args.prompt, n, args.device)} if conditional else {}
        for k, t in enumerate(scheduler.timesteps):
            eps = unet(x, t, **text).sample
            write(first, n, k, held["h"].float().cpu().numpy())
            x = scheduler.step(eps, t, x, eta=0.0).prev_sample
        print(f"{first + n}/{args.N} samples", flush=True)
    hook.remove()


def scale(f, name, values):
    f.create_dataset(name, data=values)
    f[name].make_scale(name)


def lay_out(f, shape, scheduler, args):
    n, steps, c, height, width = shape
    scale(f, "sample", np.arange(n, dtype="<i8"))
    scale(f, "timestep", np.asarray([int(t) for t in scheduler.timesteps], "<i4"))
    for name, size in (("channel", c), ("y", height), ("x", width)):
        scale(f, name, np.arange(size, dtype="<i4"))
    h = f.create_dataset("h", shape, "<f4", fillvalue=np.nan)
    for axis, name in enumerate(("sample", "timestep", "channel", "y", "x")):
        h.dims[axis].attach_scale(f[name])
    h.attrs["long_name"], h.attrs["units"] = "output of the U-Net's middle block", "1"
    f["alpha_bar"] = np.asarray([float(scheduler.alphas_cumprod[int(t)]) for t in scheduler.timesteps], "<f8")
    f["step"] = np.arange(steps, dtype="<i4")
    f["seed"] = args.seed + np.arange(n, dtype="<u8")
    for name, axis in (("alpha_bar", "timestep"), ("step", "timestep"), ("seed", "sample")):
        f[name].dims[0].attach_scale(f[axis])


def main():
    args = parse()
    pipe = DiffusionPipeline.from_pretrained(args.pipeline)
    pipe.to(args.device)
    if hasattr(pipe.unet.config, "cross_attention_dim") and args.prompt is None:
        raise SystemExit("hspace_export: a conditional pipeline needs --prompt")
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(args.steps)
    with h5py.File(args.o, "x", libver="v110") as f:
        def write(first, n, k, h):
            if "h" not in f:
                lay_out(f, (args.N, args.steps, *h.shape[1:]), scheduler, args)
            f["h"][first:first + n, k] = h
        dump(pipe, scheduler, args, write)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        attributes = {
            "Conventions": "CF-1.8 hspace-1.0", "hspace_kind": "activations", "hspace_format": "1.0",
            "source": "hspace_export.py", "tap": "mid_block.out", "model_name": str(args.pipeline),
            "model_format": "diffusers", "sampler": "ddim", "eta": 0.0, "steps": args.steps,
            "num_train_timesteps": int(scheduler.config.num_train_timesteps), "direction": "generate",
            "rng": "torch", "seed": args.seed, "created": now, "finished": now,
        }
        if args.prompt is not None:
            attributes["prompt"] = args.prompt
        for key, value in attributes.items():
            f.attrs[key] = np.bytes_(value) if isinstance(value, str) else value
        f["provenance/model_config"] = json.dumps(dict(pipe.unet.config), default=str)
        f["provenance/scheduler_config"] = json.dumps(dict(scheduler.config), default=str)
        f.attrs["sealed"] = 1


if __name__ == "__main__":
    main()
