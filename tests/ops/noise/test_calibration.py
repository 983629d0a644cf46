"""Calibration by closed forms: what is measured on arrays of known noise, and what must not count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.ops.noise.calibration import (
    ROUNDING,
    FlatPair,
    dark_noise,
    measure_dark,
    measure_flat,
    transfer_curve,
    tukey_lambda_of,
)
from lolblur_synth.ops.noise.levels import tukey_lambda_variance

RNG = np.random.default_rng(0)
SIZE = (256, 256)


def normal(size, sigma: float, level: float = 512.0):
    return np.rint(level + RNG.normal(0, sigma, size)).astype(np.uint16)


@given(st.floats(-0.4, 0.9))
def test_the_shape_follows_from_the_mean_difference(shape):
    """Of Tukey-lambda quantiles, integrated over 200,000 steps."""
    p = (np.arange(200_000) + 0.5) / 200_000
    quantile = (np.log(p / (1 - p))) if abs(shape) < 1e-3 else (p**shape - (1 - p) ** shape) / shape
    gini = float(np.mean(2 * (2 * p - 1) * quantile)) / tukey_lambda_variance(shape) ** 0.5
    found = tukey_lambda_of(gini)
    if found is None:
        assert abs(shape - 0.14) < 0.04  # nearly normal
    else:
        assert found == pytest.approx(shape, abs=0.01)


def test_a_fixed_pattern_and_an_offset_of_the_frame_are_no_noise():
    pattern = RNG.integers(400, 600, SIZE).astype(np.uint16)
    pair = measure_dark(pattern, pattern + 3)
    assert (pair.read, pair.gini) == (0, 0)
    assert pair.row == pytest.approx(0, abs=1e-12)
    assert dark_noise([pair], *SIZE).row == 0


def test_rows_are_told_from_pixels():
    rows = 5 * RNG.standard_normal((2, SIZE[0], 1))
    one, other = (np.rint(512 + RNG.normal(0, 3, SIZE) + offset).astype(np.uint16) for offset in rows)
    found = dark_noise([measure_dark(one, other)], *SIZE)
    assert found.read == pytest.approx(9, rel=0.02)
    assert found.row == pytest.approx(25, rel=0.3)
    alone = dark_noise([measure_dark(normal(SIZE, 3), normal(SIZE, 3))], *SIZE)
    assert alone.row == 0


def test_black_is_that_of_each_site_and_rounding_is_taken_off():
    levels = np.tile([[500, 510], [520, 530]], (128, 128))
    frames = [np.rint(levels + RNG.normal(0, 2, SIZE)).astype(np.uint16) for _ in range(2)]
    found = dark_noise([measure_dark(*frames)], *SIZE)
    assert found.black == pytest.approx((500, 510, 520, 530), abs=0.1)
    assert found.read == pytest.approx(4, rel=0.02)


def test_light_at_one_place_is_seen():
    bright = normal(SIZE, 2).astype(np.uint16)
    bright[:128, :128] += 9
    assert measure_dark(bright, normal(SIZE, 2)).uneven == pytest.approx(4.5, abs=0.3)
    assert measure_dark(normal(SIZE, 2), normal(SIZE, 2)).uneven < 0.3


def line(gain: float, read: float, blocks: int = 400) -> FlatPair:
    light = np.linspace(10, 9000, blocks)
    return FlatPair(light, gain * light + read, np.zeros(blocks), np.zeros(blocks, bool), np.arange(blocks) % 4)


@given(st.floats(0.01, 20), st.floats(0.1, 400))
def test_a_line_is_fitted_exactly(gain, read):
    curve = transfer_curve([line(gain, read)], read)
    assert curve is not None
    assert curve.gain == pytest.approx(gain, rel=1e-6)
    assert curve.site_gains == pytest.approx((gain,) * 4, rel=1e-6)
    assert curve.misfit < 1e-6
    assert curve.gain_error < 1e-6


def test_clipped_blocks_and_those_with_texture_do_not_count():
    pair = line(2.0, 5.0)
    bad = FlatPair(pair.light, 9 * pair.variance, np.full(400, 0.9), pair.clipped, pair.site)
    clipped = FlatPair(pair.light, 0 * pair.variance, pair.correlation, ~pair.clipped, pair.site)
    curve = transfer_curve([pair, bad, clipped], 5.0)
    assert curve is not None
    assert curve.gain == pytest.approx(2)
    assert (curve.blocks, curve.clipped) == (400, pytest.approx(1 / 3))
    assert bad.strange
    assert not pair.strange
    assert transfer_curve([clipped], 5.0) is None


def test_shading_rows_and_a_dimmer_lamp_add_nothing():
    shading = 1000 * (1 + 0.3 * np.linspace(-1, 1, 256)) * np.ones((512, 1))
    rows = 6 * RNG.standard_normal((2, 512, 1))
    one, other = (
        np.rint(512 + RNG.poisson(shading * lamp) + row + RNG.normal(0, 2, shading.shape)).astype(np.uint16)
        for lamp, row in zip((1, 0.97), rows, strict=True)
    )
    pair = measure_flat(one, other, (512.0,) * 4, 16383)
    assert not pair.strange
    curve = transfer_curve([pair], 4 + ROUNDING)
    assert curve is not None
    assert curve.gain == pytest.approx(1, rel=0.02)


def test_what_moves_is_seen_where_it_is_and_where_it_is_little():
    texture = np.kron(RNG.uniform(900, 1100, (64, 32)), np.ones((8, 8)))
    one, moved = (RNG.poisson(np.roll(texture, by, 1)).astype(np.uint16) for by in (0, 3))
    assert measure_flat(one, moved, (0.0,) * 4, 16383).strange
    assert not measure_flat(one, RNG.poisson(texture).astype(np.uint16), (0.0,) * 4, 16383).strange
    partly = RNG.poisson(np.where(np.arange(512)[:, None] < 64, np.roll(texture, 3, 1), texture)).astype(np.uint16)
    assert measure_flat(one, partly, (0.0,) * 4, 16383).strange


def test_blocks_near_saturation_are_clipped():
    flat = RNG.poisson(np.linspace(100, 4000, 256) * np.ones((64, 1))).clip(0, 3500).astype(np.uint16)
    pair = measure_flat(flat, flat, (0.0,) * 4, 3500)
    assert pair.light[pair.seen].max() < 0.9 * 3500
    assert 0 < pair.clipped.mean() < 0.5
