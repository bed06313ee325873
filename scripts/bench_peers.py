#!/usr/bin/env python3
"""The peers of `hspace bench`: what a user would otherwise run, timed in the same run.

Speaks JSON lines: reads one request a line on stdin, answers one line on stdout, so that bench can
take turns with it (A B A B ...) on a noisy machine.  Needs torch and diffusers for "unet", "train" and "asyrp",
scikit-learn for "pca"; a missing package is answered with {"error": ...}.

    {"cmd": "unet", "config": "cifar10"|"ddpm256", "batch": 8, "mode": "eager"|"channels_last"|"compile"}
    {"cmd": "pca", "file": "X.npy", "k": 50, "mode": "randomized"|"incremental"}
    {"cmd": "train", "config": {of UNet2DModel}, "batch": 32, "steps": 3, "T": 1000, "rate": 2e-4, "clip": 1,
     "ema": 0.999, "mode": as "unet" or "compile_channels_last"}
                    also answers "parameters", "peak_rss", and "rss_before" the network was made, in bytes
    {"cmd": "asyrp", "config": {of UNet2DModel}, "vit": {sizes}, "batch": 8, "t": [900, 700], "rate", "l1", "mode":
     "eager"|"channels_last"}
                    also answers "parameters" (of the U-Net and f_t), and "peak_rss" in bytes
    {"cmd": "clip", "batch": 4, "mode": "sdpa"|"eager", "steps": 2, and of CLIPVisionConfig what follows}
                    embeddings of images and the gradient in their pixels
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


class Editor:
    """f_t learns an edit as Asyrp's program teaches it: an update at every timestep, against the image."""

    def __init__(self, threads, request):
        import torch
        from diffusers import UNet2DModel
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.request, self.warm = torch, request, False
        self.last = request["mode"] == "channels_last"
        self.net = UNet2DModel.from_config(request["config"]).eval().requires_grad_(False)
        self.net = self.net.to(memory_format=torch.channels_last) if self.last else self.net
        self.size, vit = request["config"]["sample_size"], request["vit"]
        width = request["config"]["block_out_channels"][-1]
        temb = self.net.time_embedding.linear_2.out_features
        self.f = torch.nn.ModuleDict({"conv1": torch.nn.Conv2d(width, width, 1), "time": torch.nn.Linear(temb, width),
                                      "norm": torch.nn.GroupNorm(32, width, eps=1e-6),
                                      "conv2": torch.nn.Conv2d(width, width, 1)})
        self.sgd = torch.optim.SGD(self.f.parameters(), lr=request["rate"])
        self.tower = self.image_tower(vit)
        self.text = torch.nn.functional.normalize(torch.randn(1, vit["projection"]), dim=-1)
        batch = request["batch"]
        self.x_T, self.x_0 = torch.randn(batch, 3, self.size, self.size), torch.rand(batch, 3, self.size, self.size) * 2 - 1
        self.alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), 0).tolist()

    def image_tower(self, v):
        torch, nn = self.torch, self.torch.nn

        class Tower(nn.Module):
            def __init__(self):
                super().__init__()
                self.patch = nn.Conv2d(3, v["hidden"], v["patch"], v["patch"], bias=False)
                self.first = nn.Parameter(torch.randn(1, 1, v["hidden"]) * 0.02)
                self.place = nn.Parameter(torch.randn(1, (v["size"] // v["patch"]) ** 2 + 1, v["hidden"]) * 0.02)
                self.before, self.after = nn.LayerNorm(v["hidden"]), nn.LayerNorm(v["hidden"])
                self.layers = nn.ModuleList(
                    nn.TransformerEncoderLayer(v["hidden"], v["heads"], v["mlp"], dropout=0, norm_first=True,
                                               batch_first=True, activation=lambda x: x * torch.sigmoid(1.702 * x))
                    for _ in range(v["layers"]))
                self.out = nn.Linear(v["hidden"], v["projection"], bias=False)

            def forward(self, x):
                if x.shape[-1] != v["size"]:
                    x = nn.functional.interpolate(x, v["size"], mode="bicubic", antialias=True)
                x = self.patch((x + 1) / 2).flatten(2).transpose(1, 2)
                x = self.before(torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.place)
                for layer in self.layers:
                    x = layer(x)
                return self.out(self.after(x[:, 0]))

        return Tower().train().requires_grad_(False)  # train: autograd's own path, no fused inference

    def decode(self, h, temb, skips):
        """The up blocks as UNet2DModel's forward runs them."""
        for block in self.net.up_blocks:
            count = len(block.resnets)
            mine, skips = skips[-count:], skips[:-count]
            h = block(h, mine, temb)
        return self.net.conv_out(self.net.conv_act(self.net.conv_norm_out(h)))

    def encode(self, x, t):
        net = self.net
        t = self.torch.full((len(x),), t)
        temb = net.time_embedding(net.time_proj(t).to(x.dtype))
        h = net.conv_in(x)
        skips = (h,)
        for block in net.down_blocks:
            h, more = block(h, temb)
            skips += more
        return net.mid_block(h, temb), temb, skips

    def change(self, h, temb):
        silu, f = self.torch.nn.functional.silu, self.f
        v = f["conv1"](h) + f["time"](silu(temb))[:, :, None, None]
        return f["conv2"](silu(f["norm"](v)))

    def step(self, x, eps_p, eps_d, ab, ab_next):
        P = (x - (1 - ab) ** 0.5 * eps_p) / ab ** 0.5
        return P, ab_next ** 0.5 * P + (1 - ab_next) ** 0.5 * eps_d

    def trajectory(self):
        torch, request = self.torch, self.request
        unit = lambda e: torch.nn.functional.normalize(e, dim=-1)
        x = self.x_T.contiguous(memory_format=torch.channels_last) if self.last else self.x_T
        plain = x
        with torch.no_grad():
            source = unit(self.tower(self.x_0))
        for k, t in enumerate(request["t"]):
            ab = self.alpha_bar[t]
            ab_next = self.alpha_bar[request["t"][k + 1]] if k + 1 < len(request["t"]) else 1.0
            with torch.no_grad():
                if k > 0:
                    h, temb, skips = self.encode(plain, t)
                    eps = self.decode(h, temb, skips)
                    P_plain, plain = self.step(plain, eps, eps, ab, ab_next)
                h, temb, skips = self.encode(x, t)
                eps = self.decode(h, temb, skips)
                if k == 0:
                    P_plain, plain = self.step(plain, eps, eps, ab, ab_next)
            self.sgd.zero_grad(set_to_none=True)
            edited = self.decode(h + self.change(h, temb), temb, skips)
            P, x_next = self.step(x, edited, eps, ab, ab_next)
            turn = 1 - torch.nn.functional.cosine_similarity(unit(self.tower(P)) - source, self.text).mean()
            loss = -torch.log((2 - turn) / 2) + request["l1"] * torch.nn.functional.l1_loss(P, P_plain)
            loss.backward()
            self.sgd.step()
            x = x_next.detach()

    def time(self):
        if not self.warm:
            self.trajectory()
            self.warm = True
        start = time.perf_counter()
        self.trajectory()
        seconds = (time.perf_counter() - start) / len(self.request["t"])
        count = sum(p.numel() for m in (self.net, self.f) for p in m.parameters())
        return {"seconds": seconds, "parameters": count, "peak_rss": memory("VmHWM")}


class Clip:
    """One image tower of transformers, its weights fixed."""

    def __init__(self, threads, request):
        import torch
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.torch, self.request = torch, request
        sizes = {k: v for k, v in request.items() if k not in ("cmd", "mode", "batch", "steps")}
        config = CLIPVisionConfig(**sizes, attn_implementation=request["mode"])
        self.net = CLIPVisionModelWithProjection(config).eval().requires_grad_(False)
        self.x = torch.randn(request["batch"], 3, sizes["image_size"], sizes["image_size"], requires_grad=True)
        self.u = torch.randn(request["batch"], sizes["projection_dim"])
        self.step()  # warm up

    def step(self):
        self.x.grad = None
        self.net(pixel_values=self.x).image_embeds.backward(self.u)

    def time(self):
        start = time.perf_counter()
        for _ in range(self.request["steps"]):
            self.step()
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
    threads = int(os.environ.get("OMP_NUM_THREADS", "2"))
    unets, trainer, editor, clips = None, None, None, {}
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
            elif request["cmd"] == "asyrp":
                if editor is None or editor.request != request:
                    editor = Editor(threads, request)
                answer = editor.time()
            elif request["cmd"] == "clip":
                if request["mode"] not in clips or clips[request["mode"]].request != request:
                    clips[request["mode"]] = Clip(threads, request)
                answer = {"seconds": clips[request["mode"]].time() / request["steps"]}
            else:
                answer = {"seconds": time_pca(request["file"], request["k"], request["mode"])}
        except Exception as error:  # the peer is optional: say why it can't run
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
