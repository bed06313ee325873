#!/usr/bin/env python3
"""The peers of `hspace bench`: what a user would otherwise run, timed in the same run.

Speaks JSON lines: reads one request a line on stdin, answers one line on stdout, so that bench can
take turns with it (A B A B ...) on a noisy machine.  Needs torch and diffusers for "unet" and "train",
scikit-learn for "pca"; a missing package is answered with {"error": ...}.

    {"cmd": "unet", "config": "cifar10"|"ddpm256", "batch": 8, "mode": "eager"|"channels_last"|"compile"}
    {"cmd": "pca", "file": "X.npy", "k": 50, "mode": "randomized"|"incremental"}
    {"cmd": "train", "config": {of UNet2DModel}, "batch": 32, "steps": 3, "T": 1000, "rate": 2e-4, "clip": 1,
     "ema": 0.999, "mode": as "unet" or "compile_channels_last"}
                    also answers "parameters", "peak_rss", and "rss_before" the network was made, in bytes
    {"cmd": "quit"}
"""
import json
import os
import sys
import time

UNET = {
    "cifar10": dict(sample_size=32, block_out_channels=(128, 256, 256, 256), layers_per_block=2,
                    down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D")),
    "ddpm256": dict(sample_size=256, block_out_channels=(128, 128, 256, 256, 512, 512), layers_per_block=2,
                    down_block_types=("DownBlock2D",) * 4 + ("AttnDownBlock2D", "DownBlock2D"),
                    up_block_types=("UpBlock2D", "AttnUpBlock2D") + ("UpBlock2D",) * 4),
}
COMMON = dict(in_channels=3, out_channels=3, attention_head_dim=None, downsample_padding=0, flip_sin_to_cos=False,
              freq_shift=1, norm_eps=1e-6, norm_num_groups=32)


class Unets:
    """Networks and compiled forms, made once each."""

    def __init__(self, threads):
        import torch
        from diffusers import UNet2DModel
        self.torch, self.kind, self.made = torch, UNet2DModel, {}
        torch.set_num_threads(threads)

    def get(self, config, mode):
        if (config, mode) not in self.made:
            self.torch.manual_seed(0)
            net = self.kind(**UNET[config], **COMMON).eval()
            if mode == "channels_last":
                net = net.to(memory_format=self.torch.channels_last)
            if mode == "compile":
                net = self.torch.compile(net)
            self.made[config, mode] = net
        return self.made[config, mode]

    def time(self, config, batch, mode):
        torch, size = self.torch, UNET[config]["sample_size"]
        net = self.get(config, mode)
        x = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(1))
        if mode == "channels_last":
            x = x.contiguous(memory_format=torch.channels_last)
        t = torch.full((batch,), 500)
        with torch.inference_mode():
            if (config, mode, batch) not in self.made:  # warm up, and compile, once a shape
                net(x, t)
                self.made[config, mode, batch] = True
            start = time.perf_counter()
            net(x, t)
            return time.perf_counter() - start


def memory(key):
    """A line of /proc/self/status in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key + ":"))


class Trainer:
    """One network and everything an update moves: fused Adam, clipped gradient, averaged weights."""

    def __init__(self, threads, request):
        import torch
        from diffusers import UNet2DModel
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.request, self.before, self.k = torch, request, memory("VmRSS"), 0
        mode, T, batch = request["mode"], request["T"], request["batch"]
        self.last = mode.endswith("channels_last")
        net = UNet2DModel.from_config(request["config"]).train()
        net = net.to(memory_format=torch.channels_last) if self.last else net
        self.parameters = list(net.parameters())
        self.average = [p.detach().clone() for p in self.parameters]
        self.adam = torch.optim.Adam(self.parameters, lr=request["rate"], fused=True)
        self.net = torch.compile(net) if mode.startswith("compile") else net
        size, channels = request["config"]["sample_size"], request["config"]["in_channels"]
        self.x_0 = self.formatted(torch.randn(batch, channels, size, size))
        alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 1e-2, T, dtype=torch.float64), 0)
        self.signal, self.noise = (v.float().view(T, 1, 1, 1) for v in (alpha_bar.sqrt(), (1 - alpha_bar).sqrt()))

    def formatted(self, x):
        return x.contiguous(memory_format=self.torch.channels_last) if self.last else x

    def update(self):
        torch, request = self.torch, self.request
        self.k += 1
        t = torch.randint(0, request["T"], (request["batch"],))
        eps = torch.randn_like(self.x_0)
        x_t = self.formatted(self.signal[t] * self.x_0 + self.noise[t] * eps)
        self.adam.zero_grad(set_to_none=True)
        loss = torch.nn.functional.mse_loss(self.net(x_t, t, return_dict=False)[0], eps)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, request["clip"], foreach=True)
        self.adam.step()
        with torch.no_grad():
            decay = min(request["ema"], (1 + self.k) / (10 + self.k))
            torch._foreach_lerp_(self.average, self.parameters, 1 - decay)
        return loss.item()

    def time(self):
        if self.k == 0:  # warm up, and compile
            self.update()
            self.update()
        start = time.perf_counter()
        for _ in range(self.request["steps"]):
            self.update()
        seconds = (time.perf_counter() - start) / self.request["steps"]
        return {"seconds": seconds, "parameters": sum(p.numel() for p in self.parameters),
                "peak_rss": memory("VmHWM"), "rss_before": self.before}


def time_pca(file, k, mode):
    import numpy as np
    from sklearn.decomposition import PCA, IncrementalPCA
    x = np.load(file, mmap_mode="r" if mode == "incremental" else None)
    start = time.perf_counter()
    if mode == "randomized":
        PCA(k, svd_solver="randomized", random_state=0).fit(x)
    else:
        pca, rows = IncrementalPCA(k), 200
        for first in range(0, len(x), rows):
            pca.partial_fit(np.asarray(x[first:first + rows]))
    return time.perf_counter() - start


def main():
    threads, unets, trainer = int(os.environ.get("OMP_NUM_THREADS", "2")), None, None
    for line in sys.stdin:
        request = json.loads(line)
        if request["cmd"] == "quit":
            break
        try:
            if request["cmd"] == "unet":
                unets = unets or Unets(threads)
                answer = {"seconds": unets.time(request["config"], request["batch"], request["mode"])}
            elif request["cmd"] == "train":
                if trainer is None or trainer.request != request:
                    trainer = Trainer(threads, request)
                answer = trainer.time()
            else:
                answer = {"seconds": time_pca(request["file"], request["k"], request["mode"])}
        except Exception as error:  # the peer is optional: say why it can't run
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
