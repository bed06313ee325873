#!/usr/bin/env python3
"""The peers of `hspace bench`: what a user would otherwise run, timed in the same run.

Speaks JSON lines: reads one request a line on stdin, answers one line on stdout, so that bench can
take turns with it (A B A B ...) on a noisy machine.  Needs torch and diffusers for "unet", scikit-learn
for "pca"; a missing package is answered with {"error": ...}.

    {"cmd": "unet", "config": "cifar10"|"ddpm256", "batch": 8, "mode": "eager"|"channels_last"|"compile"}
    {"cmd": "pca", "file": "X.npy", "k": 50, "mode": "randomized"|"incremental"}
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
    threads, unets = int(os.environ.get("OMP_NUM_THREADS", "2")), None
    for line in sys.stdin:
        request = json.loads(line)
        if request["cmd"] == "quit":
            break
        try:
            if request["cmd"] == "unet":
                unets = unets or Unets(threads)
                seconds = unets.time(request["config"], request["batch"], request["mode"])
            else:
                seconds = time_pca(request["file"], request["k"], request["mode"])
            answer = {"seconds": seconds}
        except Exception as error:  # the peer is optional: say why it can't run
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
