"""Area averages of planes, against fractions and OpenCV."""

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.video.content import picture_samples
from lolblur_synth.video.small_pictures import area_average, small_picture


def shares(samples: int, places: int) -> np.ndarray:
    """How much of each sample lies in each place, of which each has the same length: (places, samples)."""
    edges = [Fraction(samples * place, places) for place in range(places + 1)]
    return np.array([[max(Fraction(0), min(b, n + 1) - max(a, n)) for n in range(samples)] for a, b in pairwise(edges)])


@given(
    rows=st.integers(1, 24), columns=st.integers(1, 24), seed=st.integers(0, 99), depth=st.sampled_from([8, 10, 16]),
    data=st.data(),
)  # fmt: skip
def test_every_sample_counts_by_its_share(rows, columns, seed, depth, data):
    height, width = (data.draw(st.integers(1, side)) for side in (rows, columns))
    plane = np.random.default_rng(seed).integers(0, 2**depth, (rows, columns)).astype(np.uint8 if depth == 8 else "u2")
    sums = shares(rows, height) @ plane.astype(object) @ shares(columns, width).T
    exact = sums * Fraction(height * width, rows * columns)
    told = area_average(plane, (width, height))
    assert told.dtype == plane.dtype
    assert max(abs(int(a) - b) for a, b in zip(told.flat, exact.flat, strict=True)) <= Fraction(1, 2) + Fraction(1, 64)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (1280, 720), (848, 480), (1120, 640), (1366, 768), (65, 3)])
def test_it_is_what_opencv_has(kind, size):
    """Whose sums of floats are rounded otherwise here and there, where sides are no multiples."""
    plane = np.random.default_rng(0).integers(0, np.iinfo(kind).max, size[::-1]).astype(kind)
    small = 64, max(1, round(64 * size[1] / size[0]))
    told, expected = (
        np.int64(way) for way in (area_average(plane, small), cv2.resize(plane, small, interpolation=cv2.INTER_AREA))
    )
    assert np.abs(told - expected).max() <= 1
    assert (told != expected).mean() < (0.001 if kind == np.uint8 else 0.05)


def test_large_sums_do_not_wrap():
    plane = np.full((4099, 4093), 65535, np.uint16)
    assert (area_average(plane, (64, 64)) == 65535).all()


def test_a_small_plane_is_enlarged():
    plane = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert area_average(plane, (8, 3)).shape == (3, 8)
    assert np.array_equal(area_average(plane, (4, 3)), plane)


def test_16_bits_become_8():
    picture = np.full((64, 128, 3), (0x12FF, 0x8000, 0xFFFF), np.uint16)
    assert (small_picture(picture_samples(picture, 16)) == (0x12, 0x80, 0xFF)).all()
