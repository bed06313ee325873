"""Deltas (n, S, d) of known shares, for the command line's tests."""
import numpy as np

r = np.random.default_rng(1)


def planted(n, S, d, g, tau):
    """sqrt(g) b + sqrt(tau) e_k + noise: unit b, e_k that sum to 0, noise of mean square 1 - g - tau."""
    e = r.normal(size=(S, d))
    e -= e.mean(0)
    e /= np.sqrt((e**2).sum(1, keepdims=True))
    b = r.normal(size=d)
    b /= np.linalg.norm(b)
    noise = np.sqrt((1 - g - tau) / d) * r.normal(size=(n, S, d))
    return (np.sqrt(g) * b + np.sqrt(tau) * e + noise).astype("f4")
