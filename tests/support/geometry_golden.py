"""The numbers of tests/unit/geom/test_cloud.c and tests/unit/stats/test_twoway.c, by numpy and definitions alone."""
import itertools
import numpy as np

i = np.arange(60)
x = np.stack([np.cos(0.37 * i), np.sin(0.61 * i + 1), (i % 7) / 5, np.sqrt(i) / 4], 1).astype("f4").astype(float)
n = len(x)
D = np.sqrt(((x[:, None] - x[None]) ** 2).sum(-1))

S = np.sort(D, 1)
mu = np.sort(S[:, 2] / S[:, 1])
keep = int(0.9 * n)
lx, ly = np.log(mu[:keep]), -np.log(1 - np.arange(1, n + 1)[:keep] / n)
print("twonn %.12f" % ((lx * ly).sum() / (lx * lx).sum()))
k = 8
inv = np.array([np.mean(np.log(S[p, k] / S[p, 1:k])) for p in range(n)])
print("mle %.12f" % (1 / inv.mean()))


def quad(a, b, c, d):
    s = sorted((D[a, b] + D[c, d], D[a, c] + D[b, d], D[a, d] + D[b, c]))
    return (s[2] - s[1]) / 2


q = np.array([(quad(*c)) for c in itertools.combinations(range(n), 4)])
has0 = np.array([0 in c for c in itertools.combinations(range(n), 4)])
print("gromov max %.12f mean %.12f without 0 %.12f diameter %.12f" % (
    2 * q.max() / D.max(), 2 * q.mean() / D.max(), 2 * q[~has0].mean() / D.max(), D.max()))
s = np.linalg.svd(x - x.mean(0), compute_uv=False)
print("spectrum", ", ".join("%.12f" % v for v in s))

N, M = 5, 4
a, b = np.meshgrid(np.arange(N), np.arange(M), indexing="ij")
y = np.stack([np.sin(a + 2 * b * b), np.cos(1.3 * a * b) + b, a * 0.5 + np.sin(3.0 * a)], 2).astype("f4").astype(float)
g, r, c = y.mean((0, 1)), y.mean(1), y.mean(0)
msa = M * ((r - g) ** 2).sum() / (N - 1)
msb = N * ((c - g) ** 2).sum() / (M - 1)
msc = ((y - r[:, None] - c[None] + g) ** 2).sum() / ((N - 1) * (M - 1))
sa, sb, sc = (msa - msc) / M, (msb - msc) / N, msc
t = sa + sb + sc
print("anova shares %.12f %.12f %.12f, within row %.12f between %.12f" % (
    sa / t, sb / t, sc / t, np.sqrt(2 * (sb + sc)), np.sqrt(2 * t)))
