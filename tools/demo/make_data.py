#!/usr/bin/env python3
"""Writes the arrays of the demo beside this file. Deterministic: a second run writes the same bytes."""
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent


def save(name, array):
    np.save(HERE / f"{name}.npy", array)


def image(height=240, width=320):
    """A landscape: sky from blue to orange, a sun and two ridges. RGB in [0, 1]."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    sky = np.stack([0.25 + 0.75 * y, 0.45 + 0.2 * y, 0.85 - 0.55 * y], axis=-1)
    sun = np.exp(-(((x - 0.62) * 4 / 3) ** 2 + (y - 0.42) ** 2) / 0.004)[..., None]
    rgb = sky + sun * (np.array([1.0, 0.9, 0.6]) - sky)
    far = y > 0.55 + 0.06 * np.sin(9 * x) + 0.03 * np.sin(23 * x + 1)
    near = y > 0.74 + 0.08 * np.sin(5 * x + 2) + 0.01 * np.sin(61 * x)
    rgb[far] = np.array([0.25, 0.22, 0.38])
    rgb[near] = np.array([0.08, 0.14, 0.10])
    return np.clip(rgb, 0, 1).astype(np.float32)


def main():
    rng = np.random.default_rng(2022)

    def normal(*shape, scale=1.0, dtype=np.float32):
        return (scale * rng.standard_normal(shape)).astype(dtype)

    save("image", image())
    save("sepia", np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32))

    save("batch_a", normal(8, 128, 96))
    save("batch_b", normal(8, 96, 112))

    # (A B) C costs 17 times as much as A (B C). B is stored in Fortran order.
    save("chain_a", normal(320, 16, dtype=np.float64))
    save("chain_b", np.asfortranarray(normal(16, 320, dtype=np.float64)))
    save("chain_c", normal(320, 24, dtype=np.float64))

    # Attention: 2 sequences of 64 tokens, 128 channels, 8 heads of 16.
    save("attention_x", normal(2, 64, 128))
    for matrix in "qkv":
        save(f"attention_w{matrix}", normal(128, 8, 16, scale=128**-0.5))
    save("attention_wo", normal(8, 16, 128, scale=128**-0.5))


if __name__ == "__main__":
    main()
