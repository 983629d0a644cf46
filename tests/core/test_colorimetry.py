import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import rgb2lab

from lolblur_synth.core.colorimetry import (
    lightness,
    lightness_to_luminance,
    linear_to_srgb,
    luminance_to_lightness,
    srgb_to_linear,
)

IMAGE = torch.from_numpy(np.random.default_rng(0).random((3, 17, 23), dtype=np.float32))


@pytest.mark.parametrize(
    ("srgb", "linear"), [(0, 0), (1, 1), (0.04045, 0.04045 / 12.92), (0.5, 0.21404114), (0.02, 0.02 / 12.92)]
)
def test_decoding_known_values(srgb, linear):
    assert srgb_to_linear(torch.tensor(srgb, dtype=torch.float64)).item() == pytest.approx(linear, abs=1e-7)


@given(st.floats(0, 4, width=32))
def test_round_trip_also_above_one(value):
    there = srgb_to_linear(torch.tensor(value, dtype=torch.float64))
    assert linear_to_srgb(there).item() == pytest.approx(value, abs=2e-6)


def test_lightness_agrees_with_scikit_image_and_opencv():
    ours = 100 * lightness(IMAGE)[0].numpy()
    pixels = np.ascontiguousarray(IMAGE.permute(1, 2, 0).numpy())
    np.testing.assert_allclose(ours, rgb2lab(pixels)[..., 0], atol=2e-3)
    np.testing.assert_allclose(ours, cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)[..., 0], atol=0.2)  # OpenCV's is a table


def test_lightness_of_a_stack_is_that_of_each():
    stack = torch.stack([IMAGE, IMAGE.flip(0)])
    torch.testing.assert_close(lightness(stack)[1], lightness(IMAGE.flip(0)))
    assert lightness(stack).shape == (2, 1, 17, 23)


@given(st.floats(0, 1))
def test_luminance_at_a_lightness(value):
    y = torch.tensor(lightness_to_luminance(value), dtype=torch.float64)
    assert luminance_to_lightness(y).item() == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb, luminance_to_lightness])
def test_gradients_are_right_and_finite_at_black(function):
    x = torch.tensor([0.0, 0.001, 0.02, 0.5, 1.0, 1.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, x[1:].detach().requires_grad_())
    function(x).sum().backward()
    assert torch.isfinite(x.grad).all()
