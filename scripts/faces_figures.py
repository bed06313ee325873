#!/usr/bin/env python3
"""How good a model of the painted faces is: every figure of quality, with its target, as a table and as JSON.

    scripts/faces_figures.py --model faces-a --work WORK [--only NAME ...] [--small] [--threads N]

Images, scores and activations come from build/hspace; statistics are done here with numpy, independently of the
C code; h5py reads dumps, Pillow writes sheets of images, gnuplot draws the heat map.  What WORK holds already is
not made again: files that depend on the model lie in a folder named by the hash of its weights, so that new
weights start afresh.

Renders are called by their index under --data-seed, the seed of the training data: 0 to 49999 were trained on,
those from 50000 on are held out.  All intervals are 95 %, by bootstrap over images.
"""
import argparse
import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
HSPACE = os.environ.get("HSPACE", str(ROOT / "build" / "hspace"))
TRAINED_ON = 50000  # renders 0 ... 49999
HEADLINE = ("smile", "glasses", "age", "yaw", "hair_length")
FINE = ("mouth_open", "eye_open", "brow")  # a pixel or two at 32 x 32
PROBE_STEPS = (100, 200, 300, 400, 500)
SIZES = {  # full, --small
    "frechet": (1000, 200),
    "memory_samples": (200, 50),
    "memory_pool": (TRAINED_ON, 4000),
    "inversion": (64, 8),
    "probe_fit": (4000, 400),
    "probe_test": (1000, 200),
    "direction": (512, 128),
    "edit": (64, 16),
    "attr": (2000, 500),
    "boot": (2000, 200),
}


# ---- Work: what hspace makes, once ----------------------------------------------------------------------


class Work:
    """Runs hspace and keeps what it makes."""

    def __init__(self, a):
        self.shared, self.threads, self.seed, self.data_seed = Path(a.work), str(a.threads), a.seed, a.data_seed
        self.model, self.twin, self.small = a.model, a.twin, a.small
        self.style, self.attr = a.style, a.attr
        self.own = self.shared / self.hash_of_model()
        self.own.mkdir(parents=True, exist_ok=True)
        factors = self.json("faces", "-N", "1")
        self.names = [f["name"] for f in factors["factors"]]
        self.binary = np.array([f["kind"] == "binary" for f in factors["factors"]])
        self.planted = {(p["a"], p["b"]): p["pearson"] for p in factors["correlations"]}

    def n(self, what):
        return SIZES[what][1 if self.small else 0]

    def hash_of_model(self):
        for folder in (Path(self.model), ROOT / "datasets" / "models" / self.model):
            weights = folder / "diffusion_pytorch_model.safetensors"
            if weights.exists():
                return hashlib.sha256(weights.read_bytes()).hexdigest()[:12]
        return self.model.replace(":", "-").replace("/", "-")

    def json(self, *words):
        line = [HSPACE, *map(str, words), "--json", "-q"]
        if words[0] in ("sample", "invert", "edit", "dump", "eval", "score"):
            line += ["--threads", self.threads]
        if words[0] == "faces":
            line += ["--style", self.style]
        if words[0] == "score":
            line += ["--attr", self.attr]
        done = subprocess.run(line, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)["results"]

    def make(self, path, *words):
        """The file, made by the command unless it is there."""
        if not path.exists():
            print(f"  {path.name}: hspace {words[0]}", file=sys.stderr, flush=True)
            self.json(*words, "-o", path)
        return path

    def folder(self, model):
        return self.own if model == self.model else self.shared

    def tag(self, model):
        return "model" if model == self.model else model.replace(":", "-").replace("/", "-")

    def renders(self, first, n, seed=None):
        seed = self.data_seed if seed is None else seed
        path = self.shared / f"renders-{seed}-{first}-{n}.npy"
        return self.make(path, "faces", "-N", n, "--first", first, "--seed", seed)

    def samples(self, n, model=None, seed=None):
        model, seed = model or self.model, self.seed if seed is None else seed
        path = self.folder(model) / f"samples-{self.tag(model)}-{seed}-{n}.npy"
        return self.make(path, "sample", "--model", model, "-N", n, "--steps", 50, "--seed", seed, "--batch", 16)

    def score(self, images, readout="attr"):
        """(n, factors) or (n, features) of an array of images."""
        path = images.with_suffix(f".{readout}.csv")
        self.make(path, "score", images, "--readout", readout)
        return read_table(path)[1]


def read_table(path):
    """Names of the columns and the numbers below them, without the first."""
    with open(path, newline="", encoding="utf-8") as f:
        head = next(csv.reader(f))[1:]
    return head, np.loadtxt(path, delimiter=",", skiprows=1, usecols=range(1, len(head) + 1), ndmin=2)


# ---- Statistics ----------------------------------------------------------------------------------------------


def frechet(a, b):
    """Squared Frechet distance of two Gaussians fitted to the rows."""
    ca, cb = np.cov(a.T), np.cov(b.T)
    w, v = np.linalg.eigh(ca)
    root = (v * np.sqrt(np.maximum(w, 0))) @ v.T
    cross = np.linalg.eigvalsh(root @ cb @ root)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb) - 2 * np.sqrt(np.maximum(cross, 0)).sum())


def bootstrap(n, statistic, times, seed=0):
    """2.5 and 97.5 % of statistic(indices)."""
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, n, n)) for _ in range(times)]
    return np.percentile(values, [2.5, 97.5], axis=0)


def r_squared(truth, guess):
    return 1 - ((truth - guess) ** 2).mean(0) / truth.var(0)


def nearest(a, pool):
    """Distance of each row of a to its nearest row of pool."""
    best = np.full(len(a), np.inf)
    for block in np.array_split(pool, max(1, len(pool) // 2000)):
        d = (a**2).sum(1)[:, None] - 2 * a @ block.T + (block**2).sum(1)
        best = np.minimum(best, d.min(1))
    return np.sqrt(np.maximum(best, 0))


def blurred(x):
    """3 x 3 binomial blur, edges repeated."""
    for axis in (2, 3):
        pad = [(0, 0)] * 4
        pad[axis] = (1, 1)
        p = np.pad(x, pad, "edge")
        n = x.shape[axis]
        a, b, c = (np.take(p, range(k, k + n), axis) for k in range(3))
        x = (a + 2 * b + c) / 4
    return x


class Ridge:
    """Ridge regression in dual form: one spectrum serves every factor; lambda by leave-one-out, in closed form."""

    def __init__(self, x):
        self.x, self.mean, self.scale = x, x.mean(0), x.std()
        z = (x - self.mean) / self.scale
        self.w, self.v = np.linalg.eigh((z @ z.T).astype(np.float64))
        self.w = np.maximum(self.w, 0)

    def predict(self, y, x):
        """Predictions (rows of x, factors) of y (fitted rows, factors)."""
        mean, lambdas = y.mean(0), self.w.mean() * 10.0 ** np.arange(-4, 3.5, 0.5)
        vy, v2, alpha, best = self.v.T @ (y - mean), self.v**2, np.zeros(y.shape), np.full(y.shape[1], np.inf)
        for lam in lambdas:
            a = self.v @ (vy / (self.w + lam)[:, None])
            left = a / (v2 @ (1 / (self.w + lam)))[:, None]  # residual of each row left out
            error = (left**2).mean(0)
            alpha[:, error < best] = a[:, error < best]
            best = np.minimum(best, error)
        weights = ((self.x - self.mean) / self.scale).T @ alpha.astype(np.float32)
        return mean + ((x - self.mean) / self.scale) @ weights


def sheet(path, x):
    """A picture of the images (rows, columns, 3, R, R), three times as large."""
    from PIL import Image

    rows, columns, _, side, _ = x.shape
    x = np.clip((x + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8).transpose(0, 3, 1, 4, 2)
    picture = Image.fromarray(x.reshape(rows * side, columns * side, 3))
    picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.NEAREST).save(path)


# ---- The figures ---------------------------------------------------------------------------------------------


def row(name, value, target="", met=None, interval=None):
    r = {"name": name, "value": None if value is None else round(float(value), 5)}
    if interval is not None:
        r["ci"] = [round(float(v), 5) for v in interval]
    if target:
        r["target"] = target
    if met is not None:
        r["met"] = bool(met)
    return r


def attr(w):
    """faces-attr on renders it never saw, of the seed it was trained with."""
    n, rows = w.n("attr"), []
    folder = w.shared / f"attr-{n}"
    if not folder.exists():
        w.json("faces", "-N", n, "--first", TRAINED_ON, "--seed", 7, "-o", f"{folder}/")
    truth = read_table(folder / "attributes.csv")[1]
    guess = read_table(w.make(w.shared / f"attr-{n}.csv", "score", folder))[1]
    for k, name in enumerate(w.names):
        if w.binary[k]:
            v = ((guess[:, k] > 0.5) == (truth[:, k] > 0.5)).mean()
            rows.append(row(f"{name} accuracy", v, ">= 0.98", v >= 0.98))
        else:
            v = r_squared(truth[:, k], guess[:, k])
            rows.append(row(f"{name} R2", v, ">= 0.95", v >= 0.95))
    return rows


def redrawn(w, images):
    """The renderer's faces of the factors read off the images."""
    w.score(images)
    path = images.with_suffix(".redrawn.npy")
    return w.make(path, "faces", "--factors", images.with_suffix(".attr.csv"))


def rerender(w):
    """Samples, drawn again at the factors read off them, and read again; samples.png: each beside its drawing."""
    images = w.samples(w.n("frechet"))
    again = redrawn(w, images)
    a, b = w.score(images), w.score(again)
    rows = []
    for k, name in enumerate(w.names):
        if w.binary[k]:
            rows.append(row(f"{name} agreement", ((a[:, k] > 0.5) == (b[:, k] > 0.5)).mean()))
        else:
            rows.append(row(f"{name} R2", r_squared(a[:, k], b[:, k])))
    pairs = np.stack([np.load(f)[:48].reshape(6, 8, 3, 32, 32) for f in (images, again)], 1)
    sheet(w.own / "samples.png", pairs.transpose(0, 2, 1, 3, 4, 5).reshape(6, 16, 3, 32, 32))
    error = pixel_error(images, again)
    rows.append(row("pixels apart, rms of [-1, 1], median sample", np.median(error)))
    return rows


def pixel_error(images, again):
    return np.sqrt(((np.clip(np.load(images), -1, 1) - np.load(again)) ** 2).mean((1, 2, 3)))


def frechet_distance(w):
    """Samples against held-out renders, as a ratio to renders against renders, and two controls."""
    n, rows = w.n("frechet"), []
    sets = [w.score(w.renders(TRAINED_ON + i * n, n), "feat") for i in range(4)]
    base = [frechet(sets[i], sets[j]) for i in range(4) for j in range(i)]
    unit = np.mean(base)
    rows.append(row(f"renders to renders, n = {n}, mean of 6 pairs", unit, interval=(min(base), max(base))))
    soft = w.shared / f"blurred-{n}.npy"
    if not soft.exists():
        np.save(soft, blurred(np.load(w.renders(TRAINED_ON, n))))
    for name, images in (("samples", w.samples(n)), ("blurred renders", soft), ("untrained twin", w.samples(n, w.twin))):
        feature = w.score(images, "feat")
        ratios = [frechet(feature, s) / unit for s in sets[1:]]
        target = ("<= 3", np.mean(ratios) <= 3) if name == "samples" else ("", None)
        rows.append(row(f"{name} to renders, ratio", np.mean(ratios), *target, interval=(min(ratios), max(ratios))))
    return rows


def factor_statistics(w):
    """Mean, sd and planted correlations of the factors of samples, beside renders read by the same network."""
    n, rows = w.n("frechet"), []
    a = w.score(w.samples(n))
    b = np.vstack([w.score(w.renders(TRAINED_ON + i * n, n)) for i in range(4)])
    sd = b.std(0)
    for k, name in enumerate(w.names):
        limit = 0.25 if name in FINE else 0.15
        shift, spread = (a[:, k].mean() - b[:, k].mean()) / sd[k], a[:, k].std() / sd[k] - 1
        rows.append(row(f"{name} mean, sd", shift, f"within {limit}", abs(shift) <= limit))
        rows.append(row(f"{name} sd, sd", spread, f"within {limit}", abs(spread) <= limit))
    for (p, q), planted in w.planted.items():
        i, j = w.names.index(p), w.names.index(q)
        r = np.corrcoef(a[:, i], a[:, j])[0, 1]
        interval = bootstrap(n, lambda s, i=i, j=j: np.corrcoef(a[s, i], a[s, j])[0, 1], w.n("boot"))
        rows.append(row(f"correlation {p}, {q}", r, f"{planted} +- 0.1", abs(r - planted) <= 0.1, interval))
    c = np.abs(np.corrcoef(a.T))
    for p, q in w.planted:
        c[w.names.index(p), w.names.index(q)] = c[w.names.index(q), w.names.index(p)] = 0
    np.fill_diagonal(c, 0)
    i, j = np.unravel_index(c.argmax(), c.shape)
    rows.append(row(f"largest of the {105 - len(w.planted)} others: {w.names[i]}, {w.names[j]}", c.max()))
    return rows


def pool_features(w, first):
    """Features of many renders; their pixels are not kept."""
    n, parts = w.n("memory_pool"), []
    path = w.shared / f"pool-{w.data_seed}-{first}-{n}.npy"
    if not path.exists():
        for at in range(first, first + n, 5000):
            images = w.renders(at, min(5000, first + n - at))
            parts.append(w.score(images, "feat").astype(np.float32))
            images.unlink()
            images.with_suffix(".feat.csv").unlink()
        np.save(path, np.vstack(parts))
    return np.load(path).astype(np.float64)


def memorisation(w):
    """Is the nearest render of a sample one that was trained on?"""
    n, rows, rng = w.n("memory_samples"), [], np.random.default_rng(w.seed)
    trained, held = pool_features(w, 0), pool_features(w, 2 * TRAINED_ON)
    images = w.renders(0, n)
    copies = images.with_name(f"copies-{n}.npy")
    if not copies.exists():
        x = np.load(images)
        np.save(copies, x + rng.normal(0, 0.05, x.shape).astype(x.dtype))
    fresh = w.renders(TRAINED_ON, n)
    sampled = w.samples(w.n("frechet"))
    for name, source in (("samples", sampled), ("fresh renders", fresh), ("noisy training renders", copies)):
        f = w.score(source, "feat")[:n]
        a, b = nearest(f, trained), nearest(f, held)
        gap = (b - a) / b.mean()
        interval = bootstrap(n, lambda s, g=gap: g[s].mean(), w.n("boot"))
        target = ("interval reaches 0", interval[0] <= 0) if name == "samples" else ("", None)
        rows.append(row(f"{name}: training renders nearer by (of {b.mean():.3g})", gap.mean(), *target, interval))
        rows.append(row(f"{name}: share whose nearest is a training render", (a < b).mean()))
    return rows


def inversion(w):
    """PSNR of held-out renders, inverted and sampled back."""
    rows = []
    images = w.renders(TRAINED_ON, w.n("inversion"))
    t700 = ",".join(str(int(t)) for t in np.linspace(700, 0, 50).round())
    for name, steps in (("50 steps", ("--steps", 50)), ("50 steps from t = 700", ("--timesteps", t700))):
        kept = w.own / f"inversion-{w.n('inversion')}-{steps[1] if steps[1] == 50 else 't700'}.json"
        if not kept.exists():
            out = kept.with_suffix(".npy")
            done = w.json("invert", "--model", w.model, "--x-0", images, *steps, "--check", "-f", "-o", out)
            kept.write_text(json.dumps(done["check"]["psnr_each"]))
        psnr = np.array(json.loads(kept.read_text()))
        interval = bootstrap(len(psnr), lambda s, p=psnr: np.median(p[s]), w.n("boot"))
        target = (">= 35 dB", np.median(psnr) >= 35) if name == "50 steps" else ("", None)
        rows.append(row(f"{name}, median PSNR", np.median(psnr), *target, interval))
        rows.append(row(f"{name}, lowest PSNR", psnr.min()))
    return rows


def schedule(w):
    """Betas of the model's linear schedule: first, last, how many."""
    config = json.loads((resolve(w.model) / "scheduler_config.json").read_text())
    assert config["beta_schedule"] == "linear", config["beta_schedule"]
    return config["beta_start"], config["beta_end"], config["num_train_timesteps"]


def noised(w, t, first, n):
    """q(x_t | x_0) of held-out renders."""
    ab = np.cumprod(1 - np.linspace(*schedule(w)))[t]
    x0 = np.load(w.renders(first, n))
    noise = np.random.default_rng([w.seed, t, first]).standard_normal(x0.shape)
    return (np.sqrt(ab) * x0 + np.sqrt(1 - ab) * noise).astype(np.float32)


def resolve(model):
    return Path(model) if Path(model).is_dir() else ROOT / "datasets" / "models" / model


def factors_of(w, first, n):
    """The true factors of renders; attributes.csv comes with a folder only."""
    path = w.shared / f"factors-{w.data_seed}-{first}-{n}.csv"
    if not path.exists():
        folder = path.with_suffix("")
        w.json("faces", "-N", n, "--first", first, "--seed", w.data_seed, "--size", 8, "-o", f"{folder}/")
        (folder / "attributes.csv").rename(path)
        for f in folder.iterdir():
            f.unlink()
        folder.rmdir()
    return read_table(path)[1]


def hidden(w, model, t, first, n):
    """h (n, d) of the noised renders."""
    x = noised(w, t, first, n)
    parts, at, out = [], w.own / "probe-x.npy", w.own / "probe-h.npz"
    for block in np.array_split(x, max(1, n // 500)):
        np.save(at, block)
        w.json("eval", "--model", model, "--x", at, "--t", t, "--batch", 16, "-f", "-o", out)
        parts.append(np.load(out)["h"].reshape(len(block), -1))
    at.unlink()
    out.unlink()
    return np.vstack(parts)


def probe_of(w, source, t):
    """Held-out predictions of every factor from h of a model, or from the pixels of x_t (None)."""
    fit, test = w.n("probe_fit"), w.n("probe_test")
    path = w.folder(source) / f"probe-{w.tag(source or 'pixels')}-{schedule(w)[1]:g}-{t}-{fit}.npy"
    if not path.exists():
        print(f"  probe, t = {t}: {source or 'pixels'}", file=sys.stderr, flush=True)
        a, b = (
            noised(w, t, first, n).reshape(n, -1) if source is None else hidden(w, source, t, first, n)
            for first, n in ((TRAINED_ON, fit), (TRAINED_ON + 10000, test))
        )
        np.save(path, Ridge(a).predict(factors_of(w, TRAINED_ON, fit), b))
    return np.load(path)


def probe(w):
    """Linear probes of h per factor and step, beside pixels and the untrained twin; and what pixels alone show."""
    truth, rows, table = factors_of(w, TRAINED_ON + 10000, w.n("probe_test")), [], {}
    for t in PROBE_STEPS:
        p = [probe_of(w, source, t) for source in (None, w.twin, w.model)]
        table[t] = np.array([r_squared(truth, g) for g in p])

        def gaps(s, p=p):
            r = [r_squared(truth[s], g[s]) for g in p]
            return np.array([r[2] - r[0], r[2] - r[1], r[2], r[0]])

        ci = bootstrap(len(truth), gaps, w.n("boot"))
        for name in HEADLINE:
            k = w.names.index(name)
            pixels, twin, h = table[t][:, k]
            if t in (200, 300):
                least = 0.5 if t == 200 else 0.3
                rows.append(row(f"t = {t} {name}: pixels R2", pixels, f">= {least}", pixels >= least, ci[:, 3, k]))
            judged = ("above pixels, twin", ci[0, 0, k] > 0 and ci[0, 1, k] > 0) if 200 <= t <= 400 else ("", None)
            label = f"t = {t} {name}: h R2 (pixels {pixels:.3f}, twin {twin:.3f})"
            rows.append(row(label, h, *judged, ci[:, 2, k]))
    heat_map(w, table)
    return rows


def heat_map(w, table):
    """Three panels, factors by steps."""
    block, script = [], w.own / "probe.gp"
    for s in range(3):
        lines = [f"{c} {k} {table[t][s][k]:.4f}" for k in range(len(w.names)) for c, t in enumerate(PROBE_STEPS)]
        block.append(f"$p{s} << EOD\n" + "\n".join(lines) + "\nEOD\n")
    factors = ", ".join(f"'{n}' {k}" for k, n in enumerate(w.names)).replace("_", " ")
    steps = ", ".join(f"'{t}' {c}" for c, t in enumerate(PROBE_STEPS))
    text = "".join(block) + (
        f"set terminal pngcairo size 1350,620 font 'Sans,11'\nset output '{w.own / 'probe.png'}'\n"
        "set multiplot layout 1,3\nset cbrange [0:1]\nset palette defined (0 '#f7f7f7', 0.5 '#7fb3d5', 1 '#0b2f5b')\n"
        f"set xtics ({steps})\nset ytics ({factors})\nset xlabel 't'\nset yrange [{len(w.names) - 0.5}:-0.5]\n"
        f"set xrange [-0.5:{len(PROBE_STEPS) - 0.5}]\nunset key\n"
    )
    for s, title in enumerate(("pixels of x_t", "h, untrained twin", "h")):
        text += f"set title '{title}' noenhanced\n"
        text += f"plot $p{s} using 1:2:3 with image, '' using 1:2:(sprintf('%.2f', $3)):($3 > 0.55 ? 0xffffff : 0) "
        text += "with labels font ',8' tc rgb variable\n"
    script.write_text(text)
    subprocess.run(["gnuplot", str(script)], check=True)


# ---- Edits -----------------------------------------------------------------------------------------------------

EDIT_STEPS = 40
STRENGTHS = (-0.5, 0, 0.25, 0.5, 0.75, 1, 2)


def mean_difference(w, name):
    """A direction file: mean of h over the upper third of the samples' scores less that over the lower, per step."""
    path = w.own / f"{name}-{w.n('direction')}.h5"
    if path.exists():
        return path
    import h5py

    n = w.n("direction")
    acts = w.make(w.own / f"acts-{n}.h5", "dump", "--model", w.model, "-N", n, "--steps", EDIT_STEPS, "--dtype", "f16",
                  "--keep", "x_0", "--seed", w.seed + 1, "--batch", 16)  # fmt: skip
    with h5py.File(acts) as f:
        images = w.own / f"acts-{n}.npy"
        np.save(images, f["x_0"][:].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
        score = w.score(images)[:, w.names.index(name)]
        order, third = np.argsort(score), n // 3
        weight = np.zeros(n, np.float32)
        weight[order[-third:]], weight[order[:third]] = 1 / third, -1 / third
        delta = np.stack([np.tensordot(weight, f["h"][:, k].astype(np.float32), 1) for k in range(EDIT_STEPS)])
        t = ",".join(str(v) for v in f["timestep"][:])
    np.save(path.with_suffix(".npy"), delta)
    w.json("import", path.with_suffix(".npy"), "--kind", "direction", "--name", name, "--t", t, "-o", path)
    return path


def edited(w, tag, direction, strengths):
    """(strengths, n, factors) read off the edits, and the files of their images, one a strength."""
    n, files = w.n("edit"), [w.own / f"edit-{w.n('edit')}-{tag}-{s:g}.npy" for s in strengths]
    if not all(f.exists() for f in files):
        print(f"  edits: {tag}", file=sys.stderr, flush=True)
        out = w.own / "edit.npy"
        w.json("edit", "--model", w.model, "--direction", direction, "--strength", ",".join(f"{s:g}" for s in strengths),
               "-N", n, "--steps", EDIT_STEPS, "--seed", w.seed + 2, "--batch", 16, "-f", "-o", out)  # fmt: skip
        x = np.load(out).reshape(n, len(strengths), 3, 32, 32)
        for k, f in enumerate(files):
            np.save(f, x[:, k])
        out.unlink()
    return np.array([w.score(f) for f in files]), files


def natural(w, files):
    """Of each strength: the median distance to the renderer's own face of the same factors; images stay natural
    while it lies below what a tenth of the unedited exceed."""
    error = [pixel_error(f, redrawn(w, f)) for f in files]
    plain = error[STRENGTHS.index(0)]
    return np.array([np.median(e) for e in error]), np.quantile(plain, 0.9)


def edit_of(w, name):
    n, k = w.n("edit"), w.names.index(name)
    sd = factors_of(w, TRAINED_ON, 2000).std(0)
    direction = mean_difference(w, name)
    score, files = edited(w, name, f"{direction}:{name}", STRENGTHS)
    effect = (score - score[STRENGTHS.index(0)]) / sd
    error, limit = natural(w, files)
    mean = effect[:, :, k].mean(1)
    fair = [i for i in range(len(STRENGTHS)) if error[i] <= limit]
    enough = [i for i in fair if mean[i] >= 1]
    best = min(enough, key=lambda i: STRENGTHS[i]) if enough else max(fair, key=lambda i: mean[i])
    rows = []
    for i, s in enumerate(STRENGTHS):
        side = np.abs(effect[i].mean(0))
        side[k] = 0
        label = f"{name} x{s:g}: effect, sd (apart {error[i]:.3f} of {limit:.3f}; most else {w.names[side.argmax()]} {side.max():.2f})"
        rows.append(row(label, mean[i], interval=bootstrap(n, lambda b, i=i: effect[i, b, k].mean(), w.n("boot"))))
    rows.append(row(f"{name}: first effect of 1 sd while natural, or the largest: x{STRENGTHS[best]:g}", mean[best], ">= 1 sd", mean[best] >= 1))
    other = w.make(w.own / f"random-{name}-{w.n('direction')}.h5", "direction", "random", "--like", f"{direction}:{name}",
                   "-k", 8, "--seed", w.seed + 3)  # fmt: skip
    at, drift = STRENGTHS[best] or 1, []
    for r in range(8):
        null = edited(w, f"{name}-random{r}", f"{other}:random{r}", (at,))[0][0]
        drift.append((null - score[STRENGTHS.index(0)]).mean(0)[k] / sd[k])
    rows.append(row(f"{name}: 8 random directions of that norm, mean size", np.abs(drift).mean(), "< 0.2 sd",
                    np.abs(drift).mean() < 0.2, (np.abs(drift).min(), np.abs(drift).max())))  # fmt: skip
    sheet(w.own / f"edit-{name}.png", np.stack([np.load(f)[:8] for f in files], 1))
    return rows


def edit(w):
    """The constant edit along the mean difference of h: what it does, and where images stay faces."""
    return edit_of(w, "smile") + edit_of(w, "age")


# ---- The table ---------------------------------------------------------------------------------------------------

FIGURES = {
    "attr": attr,
    "frechet": frechet_distance,
    "factors": factor_statistics,
    "rerender": rerender,
    "memorisation": memorisation,
    "inversion": inversion,
    "probe": probe,
    "edit": edit,
}


def show(name, rows):
    print(f"\n{name}")
    for r in rows:
        ci = "[{:.4g}, {:.4g}]".format(*r["ci"]) if "ci" in r else ""
        met = {True: "yes", False: "NO", None: ""}[r.get("met")]
        print(f"  {r['name']:<78} {r['value']:>9.4g}  {ci:<20} {r.get('target', ''):<20} {met}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="faces-a", help="a folder, or the name of a model that ships")
    p.add_argument("--twin", default="random:faces-32:1", help="the untrained twin: its first weights")
    p.add_argument("--style", default="paint", help="how the renders are drawn: paint or lines")
    p.add_argument("--attr", default="faces-attr", help="the attribute network that reads them (lines-attr)")
    p.add_argument("--work", required=True, help="folder for what is made on the way")
    p.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES), help="these figures alone")
    p.add_argument("--small", action="store_true", help="small sizes: a trial, not a figure")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=1000, help="of samples, noise and edits")
    p.add_argument("--data-seed", type=int, default=1, help="of the renders the model was trained on")
    w = Work(p.parse_args())
    kept = w.own / ("figures-small.json" if w.small else "figures.json")
    figures = json.loads(kept.read_text()) if kept.exists() else {}
    for name in p.parse_args().only:
        figures[name] = FIGURES[name](w)
        show(name, figures[name])
        kept.write_text(json.dumps(figures, indent=1))
    print(f"\n{kept}")


if __name__ == "__main__":
    main()
