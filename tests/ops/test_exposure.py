"""dim, unclip, average, defocus and noise: what light does between the dark frames and the file."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.colorimetry import lightness, srgb_to_linear
from lolblur_synth.ops.defocus import defocus, generalized_gaussian
from lolblur_synth.ops.dim import dim
from lolblur_synth.ops.exposure import average, space_of
from lolblur_synth.ops.noise.shot_read import add_noise
from lolblur_synth.ops.unclip import unclip


def grey(value: float, size: int = 8) -> torch.Tensor:
    return torch.full((3, size, size), value)


@given(st.floats(0.1, 1), st.floats(0, 1))
def test_dim_is_a_factor_in_the_mid_tones_and_keeps_white(factor, value):
    dimmed = dim(grey(value, 1), factor)[0, 0, 0].item()
    assert dimmed <= value + 1e-6
    assert dim(grey(1, 1), factor)[0, 0, 0].item() == pytest.approx(1)
    if value < 0.5:
        assert dimmed == pytest.approx(factor * value, abs=0.005)


@given(st.floats(0.1, 1), st.floats(0, 0.99))
def test_dim_keeps_the_order_of_tones(factor, value):
    assert dim(grey(value, 1), factor)[0, 0, 0] < dim(grey(value + 0.01, 1), factor)[0, 0, 0]


def test_dim_keeps_hue():
    colour = torch.tensor([0.9, 0.3, 0.1])[:, None, None]
    dimmed = dim(colour, 0.7)
    torch.testing.assert_close(dimmed / dimmed[0], colour / colour[0])


def test_unclip_adds_exactly_where_lightness_exceeds_the_threshold():
    ramp = torch.linspace(0.9, 1, 512).expand(3, 1, 512)
    lifted = unclip(ramp, 50 / 255, 98)
    above = lightness(ramp)[0, 0] > 0.98
    assert 0 < above.sum() < 512
    torch.testing.assert_close(lifted[:, 0, above], ramp[:, 0, above] + 50 / 255)
    assert torch.equal(lifted[:, 0, ~above], ramp[:, 0, ~above])


def test_unclip_looks_at_lightness_not_at_single_channels():
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    assert torch.equal(unclip(red, 0.4), red)


def test_a_moving_lamp_leaves_a_streak():
    """With r > 0 the streak of a lamp that crosses in 65 sub-frames is brighter by r/65 per sub-frame on it."""
    frames = []
    for k in range(65):
        frame = grey(0.02, 80)
        frame[:, 40, k : k + 2] = 1
        frames.append(frame)
    plain = average(frames)
    lit = average(unclip(frame, 100 / 255) for frame in frames)
    torch.testing.assert_close((lit - plain)[:, 40, 10:60], torch.full((3, 50), 2 * 100 / 255 / 65))


@pytest.mark.parametrize("name", ["linear", "srgb"])
def test_average_of_equal_frames_is_the_frame(name):
    to_light, to_srgb = space_of(name)
    frame = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0)) * 1.3
    mean = to_srgb(average(to_light(frame) for _ in range(65)))
    torch.testing.assert_close(mean, frame, atol=3e-6, rtol=0)


def test_average_in_linear_light_and_in_srgb():
    black_and_white = [grey(0.0), grey(1.0)]
    for name, expected in (("srgb", 0.5), ("linear", 0.735356)):
        to_light, to_srgb = space_of(name)
        assert to_srgb(average(map(to_light, black_and_white)))[0, 0, 0].item() == pytest.approx(expected, abs=1e-5)


def test_average_holds_one_frame_and_changes_none():
    made = []

    def stream():
        for value in (0.0, 0.5, 1.0):
            made.append(grey(value))
            yield made[-1]

    assert average(stream())[0, 0, 0].item() == pytest.approx(0.5)
    assert [frame[0, 0, 0].item() for frame in made] == [0, 0.5, 1]


def test_average_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no frames"):
        average([])


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


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_noise_has_the_variance_that_was_asked_for(level):
    field = torch.randn(3, 200, 200, generator=torch.Generator().manual_seed(0))
    noisy = srgb_to_linear(add_noise(grey(level, 200), 1e-4, 1e-6, field))
    linear = srgb_to_linear(torch.tensor(level)).item()
    assert noisy.var().item() == pytest.approx(1e-4 * linear + 1e-6, rel=0.03)
    assert noisy.mean().item() == pytest.approx(linear, abs=2e-4)


def test_noise_of_nothing_and_at_the_ends():
    field = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(add_noise(grey(0.3), 0, 0, field), grey(0.3), atol=1e-6, rtol=0)
    for level in (0.0, 1.0):
        noisy = add_noise(grey(level), 1e-2, 1e-3, field)
        assert torch.isfinite(noisy).all()
        assert 0 <= noisy.min() <= noisy.max() <= 1


def test_operators_do_not_change_their_inputs():
    frame = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(1))
    before = frame.clone()
    dim(frame, 0.5)
    unclip(frame, 0.3)
    defocus(frame, generalized_gaussian(1, 1, 0, 2))
    add_noise(frame, 1e-3, 1e-4, torch.ones_like(frame))
    average([frame, frame])
    assert torch.equal(frame, before)
