"""Several floats as one value in compiled code."""

import numpy as np
import pytest

from lolblur_synth.kernels.jit import jit
from lolblur_synth.kernels.simd import (
    WIDTH,
    broadcast8,
    broadcast_n,
    dot,
    fold,
    gather_rows,
    greater,
    horizontal_sum,
    load8,
    load16,
    load_broadcast16,
    load_broadcast_n,
    load_n,
    load_rows,
    maximum,
    select_greater,
    store,
    store_rows,
    subtract_rows,
    transpose8x8,
)

ONE, OTHER = np.random.default_rng(0).standard_normal((2, 8, 8)).astype(np.float32)


@jit
def calculate(a: np.ndarray, b: np.ndarray, number: float, out: np.ndarray) -> None:
    x, y = load8(a, 0), load8(b, 0)
    store(x + y, out, 0)
    store(x - y, out, 8)
    store(x * y, out, 16)
    store(x / y, out, 24)
    store(number + x, out, 32)
    store(number - x, out, 40)
    store(x * number, out, 48)
    store(number / x, out, 56)


def test_arithmetic_is_that_of_each_float():
    out, n = np.zeros((8, 8), np.float32), np.float32(3)
    calculate(ONE, OTHER, n, out)
    a, b = ONE[0], OTHER[0]
    np.testing.assert_allclose(out, [a + b, a - b, a * b, a / b, n + a, n - a, a * n, n / a], rtol=1e-6)


@jit
def compare(a: np.ndarray, b: np.ndarray, number: float, out: np.ndarray) -> None:
    x, y = load8(a, 0), load8(b, 0)
    store(greater(x, y), out, 0)
    store(greater(x, number), out, 8)
    store(maximum(x, y), out, 16)
    store(maximum(x, number), out, 24)
    store(broadcast8(number), out, 32)
    store(greater(x, x), out, 40)


def test_comparisons_are_those_of_each_float():
    out, n = np.zeros((6, 8), np.float32), np.float32(0.1)
    compare(ONE, OTHER, n, out)
    a, b = ONE[0], OTHER[0]
    assert 0 < (a > b).sum() < 8
    assert np.array_equal(out, [a > b, a > n, np.maximum(a, b), np.maximum(a, n), np.full(8, n), np.zeros(8)])


@jit
def move(a: np.ndarray, at: np.ndarray, out: np.ndarray) -> None:
    store_rows(transpose8x8(load_rows(a, 0, 8)), out, 0, 8)
    store_rows(gather_rows(a, at, 1), out, 64, 8)


def test_rows_are_moved():
    at, out = np.array([5, 0, 55, 17, 8, 9, 33, 2]), np.zeros((2, 8, 8), np.float32)
    move(ONE, at, out)
    assert np.array_equal(out[0], ONE.T)
    assert np.array_equal(out[1], [ONE.ravel()[k + 1 : k + 9] for k in at])


def test_what_is_not_named_is_left_alone():
    out = np.full((3, 8, 8), np.nan, np.float32)
    move(ONE, np.arange(8), out)
    assert np.isnan(out[2]).all()


@jit
def sums(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    gap = subtract_rows(load_rows(a, 0, 8), load_rows(b, 0, 8))
    return horizontal_sum(load8(a, 8)), dot(gap, gap)


def test_sums_are_those_of_all_floats():
    assert sums(ONE, OTHER) == pytest.approx((ONE[1].sum(), ((ONE - OTHER) ** 2).sum()), rel=1e-5)


def test_other_arrays_are_refused():
    out = np.zeros((6, 8))
    for a, b in ((ONE.astype(np.float64), OTHER), (ONE, OTHER.astype(np.int32)), (ONE[:, ::2], OTHER)):
        with pytest.raises(Exception, match="contiguous float32"):
            compare(a, b, np.float32(0), out.astype(np.float32))
    with pytest.raises(Exception, match="contiguous float32"):
        compare(ONE, OTHER, np.float32(0), out)


@jit
def calculate_wide(a: np.ndarray, b: np.ndarray, number: float, out: np.ndarray) -> float:
    x, y = load_n(a, 1), load_n(b, 1)
    store(x * y + number, out, 0)
    store(load_broadcast_n(a, 3) - x, out, WIDTH)
    store(select_greater(x, y, broadcast_n(number), y), out, 2 * WIDTH)
    store(select_greater(x, number, y, x), out, 3 * WIDTH)
    store(greater(x, y), out, 4 * WIDTH)
    return horizontal_sum(x)


def test_wide_values_are_as_many_floats_as_a_register_holds():
    a, b = np.random.default_rng(1).standard_normal((2, WIDTH + 1)).astype(np.float32)
    out, n = np.full((6, WIDTH), np.nan, np.float32), np.float32(0.1)
    found = calculate_wide(a, b, n, out)
    x, y = a[1:], b[1:]
    wanted = [x * y + n, a[3] - x, np.where(x > y, n, y), np.where(x > n, y, x), x > y]
    np.testing.assert_allclose(out[:5], wanted, rtol=1e-6, atol=1e-6)
    assert np.isnan(out[5]).all()
    assert found == pytest.approx(x.sum(), rel=1e-5)


@jit
def by_sixteen(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    product = load16(a, 3) * load_broadcast16(b, 5)
    store(product, out, 0)
    store(fold(product), out, 16)


def test_sixteen_floats_are_folded_to_eight():
    out = np.zeros(24, np.float32)
    by_sixteen(ONE, OTHER, out)
    expected = ONE.ravel()[3:19] * OTHER.ravel()[5]
    np.testing.assert_allclose(out[:16], expected, rtol=1e-6)
    np.testing.assert_allclose(out[16:], expected[:8] + expected[8:], rtol=1e-5, atol=1e-6)
