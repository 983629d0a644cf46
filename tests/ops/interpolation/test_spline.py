"""Cubic B-spline sampling, against SciPy's in double precision."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lolblur_synth.ops.interpolation.spline import EDGE, spline_frame
from lolblur_synth.ops.interpolation.warp import blend, moving
from lolblur_synth.ops.optical_flow import pixel_grid
from tests.ops.interpolation.test_interpolate import texture


def sampled(frame: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A frame (3, H, W) at positions (2, H, W), x and y."""
    ready, nothing = moving(torch.from_numpy(frame)), np.zeros(frame.shape[1:], np.float32)
    return blend(ready, ready, np.stack((at, at)), nothing).numpy()


@pytest.mark.parametrize("size", [(30, 40), (3, 50), (1, 1)])
def test_coefficients_are_those_of_a_recursive_filter(size: tuple[int, int]):
    frame = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    found = spline_frame(frame).coefficients.reshape(size[0] + 2 * EDGE, size[1] + 2 * EDGE, 4)
    padded = np.pad(frame.double().numpy(), ((0, 0), (EDGE, EDGE), (EDGE, EDGE)), mode="edge")
    for channel, plane in enumerate(padded):
        np.testing.assert_allclose(found[..., channel], ndimage.spline_filter(plane, 3, mode="mirror"), atol=2e-6)


def test_frames_are_sampled_by_cubic_splines_within_the_range_of_the_pixels_around():
    frame = texture()[:, :30, :40].contiguous().numpy()
    frame[:, 10:13, 20:22] = 3  # a lamp, about which splines ring
    rng = np.random.default_rng(0)
    at = pixel_grid(torch.zeros(30, 40)).numpy() + rng.integers(-512, 512, (2, 30, 40)).astype(np.float32) / 256
    at = at.clip(-1, np.array([40, 30])[:, None, None]).astype(np.float32)  # who comes from farther has left
    padded = np.pad(frame.astype(np.float64), ((0, 0), (EDGE, EDGE), (EDGE, EDGE)), mode="edge")
    places = at[::-1] + EDGE
    expected = np.stack([ndimage.map_coordinates(plane, places, order=3, mode="mirror") for plane in padded])
    first = (np.floor(places).astype(int) - 1) // 2 * 2 - 1
    blocks = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), (1, 2))[:, first[0], first[1]]
    limited = expected.clip(blocks.min((-2, -1)), blocks.max((-2, -1)))
    assert abs(limited - expected).max() > 0.05
    np.testing.assert_allclose(sampled(frame, at), limited, atol=3e-6)


def test_pixels_are_untouched():
    frame = texture()[:, :30, :40].contiguous()
    assert np.array_equal(sampled(frame.numpy(), pixel_grid(frame).numpy()), frame.numpy())


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0, 1), st.floats(-0.02, 0.02))
@settings(max_examples=20, deadline=None)
def test_constants_and_ramps_are_kept(right: float, down: float, level: float, slope: float):
    right, down = (round(part * 256) / 256 for part in (right, down))
    x = np.broadcast_to(np.arange(30, dtype=np.float32), (3, 20, 30))
    at = pixel_grid(torch.zeros(20, 30)).numpy() + np.array([right, down], np.float32)[:, None, None]
    found = sampled(np.ascontiguousarray(level + np.float32(slope) * x, np.float32), at)
    inner = (slice(None), slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(found[inner], (level + slope * (x + right))[inner], atol=2e-6)
