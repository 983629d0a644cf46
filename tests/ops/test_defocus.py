"""Generalized Gaussian kernels, and convolution by them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.ops.defocus import defocus, generalized_gaussian
from tests.support.pictures import grey


@given(st.floats(0.3, 3), st.floats(0.3, 3), st.floats(0, math.pi), st.floats(0.8, 8))
def test_kernels_are_normalised_symmetric_and_odd(sigma_x, sigma_y, angle, shape):
    kernel = generalized_gaussian(sigma_x, sigma_y, angle, shape)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert kernel.min() >= 0
    torch.testing.assert_close(kernel, kernel.flip((0, 1)), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("shape", [1.5, 2.0, 4.0, 8.0])
def test_sigma_is_the_standard_deviation_whatever_the_shape(shape):
    kernel = generalized_gaussian(2.0, 1.0, 0.0, shape).double()
    x = torch.arange(len(kernel), dtype=torch.float64) - len(kernel) // 2
    pixel = 1 / 12  # the variance that a pixel's own area adds
    assert (kernel.sum(0) * x**2).sum().item() == pytest.approx(4 + pixel, rel=0.04)
    assert (kernel.sum(1) * x**2).sum().item() == pytest.approx(1 + pixel, rel=0.04)


def test_shape_two_is_a_gaussian():
    kernel = generalized_gaussian(1.5, 1.5, 0.0, 2.0)
    middle = len(kernel) // 2
    erf = [math.erf((k + 0.5) / 1.5 / 2**0.5) - math.erf((k - 0.5) / 1.5 / 2**0.5) for k in range(4)]
    ratios = kernel[middle, middle : middle + 4] / kernel[middle, middle]
    torch.testing.assert_close(ratios, torch.tensor([value / erf[0] for value in erf]), atol=2e-3, rtol=0)


def test_defocus_of_a_point_is_the_kernel_and_light_is_kept():
    kernel = generalized_gaussian(0.8, 1.4, 0.5, 2.0)
    point = torch.zeros(3, 31, 31)
    point[:, 15, 15] = 2
    half = len(kernel) // 2
    blurred = defocus(point, kernel)
    torch.testing.assert_close(blurred[1, 15 - half : 16 + half, 15 - half : 16 + half], 2 * kernel)
    assert blurred.sum().item() == pytest.approx(6, rel=1e-4)
    torch.testing.assert_close(defocus(grey(0.4, 40), kernel), grey(0.4, 40))


def test_a_sharp_lens_changes_nothing():
    frame = grey(0.3)
    assert defocus(frame, None) is frame


def test_its_input_stays_as_it_is():
    frame = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(1))
    before = frame.clone()
    defocus(frame, generalized_gaussian(1, 1, 0, 2))
    assert torch.equal(frame, before)
