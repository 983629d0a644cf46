"""The truth itself is checked against closed forms: a bench is worth what its scenes are worth."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.scenes import (
    Cutout,
    Lamp,
    Pose,
    Scene,
    as_photo,
    displacement,
    glide,
    render,
    sample,
    shake,
    shrink,
)

SIZE = (24, 40)
speeds = st.floats(0.1, 10)


def noise_photo(height: int = 60, width: int = 80) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))


def smooth_photo() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    wave = 0.5 + 0.2 * torch.sin(x / 5) + 0.2 * torch.cos(y / 7)
    return torch.stack((wave, 1 - wave, wave * wave))


def test_sampling_is_the_cubic_b_spline_surface():
    photo = noise_photo()
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-20, 100, SIZE), rng.uniform(-20, 80, SIZE)
    got = sample(photo, *(torch.tensor(v, dtype=torch.float32) for v in (x, y)))
    want = [ndimage.map_coordinates(c.double().numpy(), [y, x], order=3, prefilter=False, mode="mirror") for c in photo]
    np.testing.assert_allclose(got, np.stack(want), atol=2e-5)


def test_a_frame_is_in_range_float32_and_of_the_asked_size():
    frame = render(Scene(noise_photo()), 0.3, (100, 130))  # larger than the photograph: mirrored
    assert frame.shape == (3, 100, 130)
    assert frame.dtype == torch.float32
    assert 0 <= frame.min() <= frame.max() <= 1


@given(speeds, speeds, st.floats(-3, 3))
@settings(max_examples=20, deadline=None)
def test_a_ramp_moves_by_exactly_the_shift(dx: float, dy: float, t: float):
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    photo = torch.stack((x, y, x + y)) / 500
    moved = render(Scene(photo, glide(dx, dy)), t, SIZE) - render(Scene(photo), 0, SIZE)
    want = torch.tensor([dx * t, dy * t, (dx + dy) * t])[:, None, None].expand_as(moved) / 500
    torch.testing.assert_close(moved, want, atol=2e-6, rtol=0)


def test_density_is_photo_pixels_per_frame_pixel():
    y, x = torch.meshgrid(torch.arange(200.0), torch.arange(240.0), indexing="ij")
    frame = render(Scene(torch.stack((x, y, x)), density=1.5), 0, SIZE)
    assert torch.allclose(frame[0].diff(dim=1), torch.tensor(1.5), atol=1e-3)


@pytest.mark.parametrize("camera", [glide(3.3, -1.7), glide(angle=0.02), glide(zoom=1.03), glide(1, 1, 0.01, 0.98)])
def test_displacement_leads_to_the_same_point_of_the_scene(camera):
    scene = Scene(smooth_photo(), camera)
    flow = displacement(camera, 0.5, 1.25, SIZE)
    x, y = torch.arange(40.0)[None] + flow[0], torch.arange(24.0)[:, None] + flow[1]
    inside = (x > 2) & (x < 37) & (y > 2) & (y < 21)
    there = sample(render(scene, 1.25, SIZE), x, y)
    assert (there - render(scene, 0.5, SIZE))[:, inside].abs().max() < 4e-3  # the second sampling softens a little


@given(st.integers(0, 1000), speeds, st.integers(2, 40))
@settings(max_examples=20, deadline=None)
def test_a_hand_starts_at_rest_position_and_is_as_fast_as_asked(seed: int, speed: float, frames: int):
    path = shake(np.random.default_rng(seed), speed, frames)
    assert path(0) == Pose()
    steps = np.linspace(0, frames, frames * 8 + 1)
    ends = [(path(t - 1e-3), path(t + 1e-3)) for t in steps]
    fastest = max(math.hypot(b.x - a.x, b.y - a.y) / 2e-3 for a, b in ends)
    assert fastest == pytest.approx(speed, rel=1e-3)


def test_a_hand_is_smooth_rolls_and_is_repeatable():
    path, same, other = (shake(np.random.default_rng(seed), 8, 100) for seed in (1, 1, 2))
    assert path(37.3) == same(37.3) != other(37.3)
    x, angle = np.array([(path(t).x, path(t).angle) for t in np.arange(0, 100, 0.25)]).T
    assert np.ptp(angle) > 1e-3
    top = 0.048
    spectrum = np.abs(np.fft.rfft((x - np.linspace(x[0], x[-1], len(x))) * np.hanning(len(x)))) ** 2
    frequency = np.fft.rfftfreq(len(x), 0.25)
    assert spectrum[frequency > 2 * top].sum() < 1e-4 * spectrum.sum()


def test_lamps_are_clipped_when_captured_and_keep_their_radiance_when_not():
    scene = Scene(torch.full((3, 50, 50), 0.2), lamps=(Lamp(0, 0, 5, (8, 4, 2), halo=0),))
    captured, whole = render(scene, 0, (31, 31)), render(scene, 0, (31, 31), clip=False)
    assert captured.max() == pytest.approx(1, abs=1e-6)
    assert captured.max() <= 1
    floor = srgb_to_linear(torch.tensor(0.2))
    assert torch.allclose(srgb_to_linear(whole[:, 15, 15]), torch.tensor([8.0, 4, 2]) + floor, rtol=1e-5)
    assert torch.allclose(captured[:, 0, 0], torch.tensor(0.2), atol=1e-6)


def test_the_light_of_a_lamp_does_not_depend_on_its_place_between_pixels():
    def light(shift: float) -> float:
        scene = Scene(torch.zeros(3, 60, 60), glide(shift, 0.37 * shift), lamps=(Lamp(0, 0, 6, (1, 1, 1), halo=0),))
        return float(srgb_to_linear(render(scene, 1, (40, 40), clip=False))[0].sum())

    sums = [light(shift) for shift in (0, 0.2, 0.5, 0.8)]
    assert max(sums) - min(sums) < 3e-3 * sums[0]
    assert sums[0] == pytest.approx(math.pi * 36, rel=0.01)


def test_a_cutout_hides_what_is_behind_and_only_that():
    red = torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 30, 30)
    background = noise_photo()
    frame = render(Scene(background, cutouts=(Cutout(red, 6, glide(4, 2)),)), 1.5, SIZE)
    y, x = torch.meshgrid(torch.arange(24.0) - 11.5, torch.arange(40.0) - 19.5, indexing="ij")
    distance = torch.hypot(x - 6, y - 3)
    assert torch.allclose(frame[:, distance < 5.4], torch.tensor([[1.0], [0], [0]]), atol=1e-6)
    assert torch.equal(frame[:, distance > 6.6], render(Scene(background), 1.5, SIZE)[:, distance > 6.6])


def test_shrinking_keeps_the_mean_and_does_not_alias():
    stripes = torch.zeros(3, 60, 80)
    stripes[:, :, ::2] = 1
    small = shrink(stripes, 2)
    assert small.shape == (3, 30, 40)
    assert (small[..., 3:-3] - 0.5).abs().max() < 0.05


def test_photographs_come_as_eight_bit_or_float():
    eight = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert torch.equal(as_photo(eight), as_photo(eight.astype(np.float64) / 255))
    with pytest.raises(ValueError, match=r"\(4, 4\)"):
        as_photo(eight[..., 0])
