"""Micro-kernels of matrix products, against float64."""

import numpy as np

from lolblur_synth.kernels.gemm import MR, MR_TRANSPOSED, NR, add_matmul_transposed, matmul_panel
from lolblur_synth.kernels.jit import jit
from lolblur_synth.kernels.simd import WIDTH, store_rows


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@jit
def multiply(left: np.ndarray, right: np.ndarray, inner: int, out: np.ndarray) -> None:
    low, high = matmul_panel(left, 0, inner, right, 0, inner)
    store_rows(low, out, 0, NR)
    store_rows(high, out, WIDTH, NR)


def test_a_panel_is_a_product():
    left, right, out = numbers(MR, 40), numbers(40, NR, seed=1), np.zeros((MR, NR), np.float32)
    multiply(left, right, 40, out)
    np.testing.assert_allclose(out, left.astype(np.float64) @ right.astype(np.float64), atol=1e-5)


def test_transposed_products_are_added():
    left, right, sums = numbers(30, MR_TRANSPOSED), numbers(30, NR, seed=1), numbers(MR_TRANSPOSED, NR, seed=2)
    expected = sums + left.T.astype(np.float64) @ right.astype(np.float64)
    add_matmul_transposed(left, 0, MR_TRANSPOSED, right, 0, NR, sums, 0, NR, 30)
    np.testing.assert_allclose(sums, expected, atol=1e-5)
