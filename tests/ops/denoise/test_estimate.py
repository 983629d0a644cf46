"""Photographs seen by a shaking camera, with something that crosses them, and noise that is known."""

import math
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.colorimetry import OPPONENT, linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.denoise import estimate as module
from lolblur_synth.ops.denoise.estimate import estimate_noise
from lolblur_synth.ops.denoise.noise_model import NoiseModel, from_stable, to_stable, white_noise
from lolblur_synth.ops.noise.shot_read import add_noise
from lolblur_synth.scenes import Cutout, Scene, as_photo, glide, render, shake

FLAT = ((1.0,) * 64,) * 3
SIZE = (288, 400)


@cache
def clip(name: str, speed: float, count: int = 5) -> tuple[Tensor, ...]:
    image = getattr(skimage.data, name)()
    photo = as_photo(image[0] if isinstance(image, tuple) else image)
    disc = Cutout(as_photo(skimage.data.coffee()), 50, glide(4.3, 1.6))
    scene = Scene(photo, shake(np.random.default_rng(0), speed, count), cutouts=(disc,))
    return tuple(render(scene, t, SIZE) for t in range(count))


def fields(frames: tuple[Tensor, ...], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(frame.shape, generator=generator) for frame in frames]


def with_white(frames: tuple[Tensor, ...], sigma: float, seed: int = 0) -> list[Tensor]:
    return [
        (frame + sigma / 255 * field).clamp(0, 1) for frame, field in zip(frames, fields(frames, seed), strict=True)
    ]


def with_sensor(frames: tuple[Tensor, ...], shot: float, read: float) -> list[Tensor]:
    return [add_noise(frame, shot, read, field) for frame, field in zip(frames, fields(frames), strict=True)]


def develop(frames: tuple[Tensor, ...], sigma: float) -> list[Tensor]:
    """Through a Bayer mosaic with noise, and bilinear demosaicking; kept clear of 0 and 1."""
    rng = np.random.default_rng(2)
    y, x = np.indices(SIZE)
    channel = y % 2 + x % 2
    developed = []
    for frame in frames:
        mosaic = np.take_along_axis((0.8 * frame + 0.1).numpy(), channel[None], 0)[0]
        mosaic = mosaic + sigma / 255 * rng.standard_normal(SIZE)
        pixels = cv2.cvtColor((mosaic * 65535).round().clip(0, 65535).astype(np.uint16), cv2.COLOR_BayerRGGB2RGB)
        developed.append(torch.from_numpy((pixels / np.float32(65535)).transpose(2, 0, 1).copy()))
    return developed


def true_spectrum(noise: Tensor) -> Tensor:
    """Of noise (t, 3, H, W), divided by its channels' standard deviations: (3, 8, 8)."""
    noise = noise / noise.square().mean((0, 2, 3), keepdim=True).sqrt()
    matrix = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    opponent = np.einsum("ij,tjhw->tihw", matrix, noise.numpy())
    power = np.zeros((3, 8, 8))
    blocks = [(t, y, x) for t in range(len(noise)) for y in range(0, SIZE[0], 8) for x in range(0, SIZE[1], 8)][::7]
    for t, y, x in blocks:
        power += [cv2.dct(plane[y : y + 8, x : x + 8]) ** 2 for plane in opponent[t]]
    return torch.from_numpy(power / len(blocks))


def linear_variance(model: NoiseModel, x: Tensor) -> Tensor:
    """Of the noise at linear light x, per channel (3, n)."""
    a, b = torch.tensor(model.a)[:, None], torch.tensor(model.b)[:, None]
    if model.space == "linear":
        return a * x + b
    srgb = linear_to_srgb(x)
    slope = (srgb_to_linear(srgb + 1e-3) - srgb_to_linear(srgb - 1e-3)) / 2e-3
    return (a * srgb + b) * slope**2


@pytest.mark.parametrize("sigma", [1, 2, 5, 10, 20])
@pytest.mark.parametrize(("name", "speed"), [("stereo_motorcycle", 0.5), ("coffee", 3), ("astronaut", 1.7)])
def test_white_noise_of_moving_photographs(name: str, speed: float, sigma: float):
    model = estimate_noise(with_white(clip(name, speed), sigma))
    assert model.sigma == pytest.approx(sigma, rel=0.08)
    assert model.space == "srgb"
    assert model.spectrum == FLAT
    for x in (0.2, 0.5, 0.8):
        deviations = [255 * math.sqrt(a * x + b) for a, b in zip(model.a, model.b, strict=True)]
        assert deviations == pytest.approx([sigma] * 3, rel=0.1)


@pytest.mark.parametrize("sigma", [2, 5, 10])
def test_two_frames_will_do(sigma: float):
    model = estimate_noise(with_white(clip("astronaut", 1.7)[:2], sigma))
    assert model.sigma == pytest.approx(sigma, rel=0.08)
    assert model.spectrum == FLAT


@pytest.mark.parametrize("name", ["stereo_motorcycle", "coffee", "astronaut"])
@pytest.mark.parametrize("sigma", [2, 5, 10, 20])
def test_a_lone_frame_tells_too(name: str, sigma: float):
    model = estimate_noise(with_white(clip(name, 1)[:1], sigma))
    assert model.sigma == pytest.approx(sigma, rel=0.12)
    assert model.spectrum == FLAT


@pytest.mark.parametrize(("shot", "read"), [(0.002, 1e-5), (5e-4, 4e-6), (0.005, 1e-4)])
@pytest.mark.parametrize("name", ["stereo_motorcycle", "coffee", "astronaut"])
def test_sensor_noise_is_found_in_linear_light(name: str, shot: float, read: float):
    frames = clip(name, 2)
    model = estimate_noise(with_sensor(frames, shot, read))
    x = torch.tensor([0.05, 0.1, 0.2, 0.4, 0.8])
    ratio = linear_variance(model, x) / (shot * x + read)
    assert model.space == "linear"
    assert model.spectrum == FLAT
    assert ratio.min() > 0.85
    assert ratio.max() < 1.17
    noise = torch.stack(with_sensor(frames, shot, read)) - torch.stack(frames)
    assert model.sigma == pytest.approx(255 * float(noise.square().mean().sqrt()), rel=0.12)


def test_channels_are_told_apart():
    scale = torch.tensor([2.0, 4.0, 8.0])[:, None, None] / 255
    frames = clip("coffee", 2)
    model = estimate_noise([f + scale * n for f, n in zip(frames, fields(frames), strict=True)])
    assert [255 * math.sqrt(a * 0.4 + b) for a, b in zip(model.a, model.b, strict=True)] == pytest.approx(
        [2, 4, 8], rel=0.1
    )


@pytest.mark.parametrize("name", ["flat", "stereo_motorcycle", "coffee"])
def test_the_spectrum_of_demosaicked_noise(name: str):
    frames = (torch.full((3, *SIZE), 0.5),) * 5 if name == "flat" else clip(name, 1)
    noisy = develop(frames, 5)
    noise = torch.stack(noisy) - torch.stack(develop(frames, 0))
    model = estimate_noise(noisy)
    truth = true_spectrum(noise)
    found = torch.tensor(model.spectrum, dtype=torch.float64).view(3, 8, 8)
    strong = truth > 0.2
    # Not all of them: false colours at edges, R - B at the highest frequencies, differ from frame to frame like noise.
    assert (found / truth - 1)[strong].abs().quantile(0.9) < 0.2
    assert (found - truth).abs().sum() < 0.12 * truth.sum()
    assert found.mean() == pytest.approx(1, abs=1e-5)
    assert found[~strong].max() < 0.4
    assert model.sigma == pytest.approx(255 * float(noise.square().mean().sqrt()), rel=0.06)


def test_blurred_noise_is_not_taken_for_less():
    kernel = torch.outer(torch.tensor([1.0, 2, 1]), torch.tensor([1.0, 2, 1]))[None, None] / 16
    frames = clip("stereo_motorcycle", 1)
    noise = [F.conv2d(F.pad(n, (1, 1, 1, 1))[:, None], kernel)[:, 0] * 16 / 255 for n in fields(frames)]
    model = estimate_noise([f + n for f, n in zip(frames, noise, strict=True)])
    assert model.sigma == pytest.approx(6, rel=0.06)  # the kernel leaves 3/8 of the deviation
    assert model.spectrum[0][1] > 4 > 0.2 > model.spectrum[0][63]


def test_grey_noise_shows_in_one_opponent_channel():
    frames = clip("coffee", 1)
    model = estimate_noise([f + n[:1] * 5 / 255 for f, n in zip(frames, fields(frames), strict=True)])
    means = [sum(row) / 64 for row in model.spectrum]
    assert means == pytest.approx([3, 0, 0], abs=0.15)
    assert model.sigma == pytest.approx(5, rel=0.06)


def test_a_channel_without_noise_leaves_the_others_as_they_are():
    frames = [0.5 + n * 5 / 255 for n in fields(clip("coffee", 1))]
    for frame in frames:
        frame[1] = 0.5
    model = estimate_noise(frames)
    assert [255 * math.sqrt(b) for b in model.b] == pytest.approx([5, 0, 5], abs=0.25)


def test_clipped_areas_do_not_count():
    frames = [frame.clone() for frame in clip("coffee", 1)]
    for frame in frames:
        frame[:, :, :150], frame[:, :, 300:] = -0.1, 1.1
    assert estimate_noise(with_white(tuple(frames), 6)).sigma == pytest.approx(6, rel=0.08)
    dark = tuple(frame * 0.3 - 0.02 for frame in clip("coffee", 1))
    assert estimate_noise(with_white(dark, 6)).sigma == pytest.approx(6, rel=0.1)


def test_what_a_coder_did_not_send_does_not_count():
    still = (clip("coffee", 1)[0],) * 3
    noisy = with_white(still, 4)
    for frame in noisy[1:]:
        frame[:, :200] = noisy[0][:, :200]
    assert estimate_noise(noisy).sigma == pytest.approx(4, rel=0.08)


def test_noise_that_a_coder_copies_from_frame_to_frame_is_found():
    """Of neighbours alone the difference would be 0.45 of what it is between frames that have nothing in common."""
    still = (clip("coffee", 1)[0],) * 9
    noise = fields(still)
    for before, after in pairwise(noise):
        after.mul_(0.6).add_(before, alpha=0.8)
    noisy = [frame + 5 / 255 * n for frame, n in zip(still, noise, strict=True)]
    assert estimate_noise(noisy).sigma == pytest.approx(5, rel=0.12)


def test_flicker_is_not_noise():
    frames = tuple(frame * gain for frame, gain in zip(clip("coffee", 1), (0.9, 0.95, 1, 0.97, 0.9), strict=True))
    model = estimate_noise(with_white(frames, 4))
    assert model.sigma == pytest.approx(4, rel=0.08)
    assert model.spectrum == FLAT


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("size", [(2, 3), (9, 40), (64, 64)])
def test_a_constant_has_no_noise(count: int, level: float, size: tuple[int, int]):
    model = estimate_noise([torch.full((3, *size), level)] * count)
    assert (model.sigma, *model.a, *model.b) == pytest.approx((0,) * 7, abs=1e-4)
    assert model.spectrum == FLAT


@pytest.mark.parametrize(("name", "speed"), [("stereo_motorcycle", 0.5), ("coffee", 3), ("astronaut", 0.5)])
def test_clean_footage_has_next_to_none(name: str, speed: float):
    model = estimate_noise(clip(name, speed))
    assert 0 <= model.sigma < 0.15
    assert all(math.isfinite(value) for row in (model.a, model.b, *model.spectrum) for value in row)


def test_eight_bits_are_noise_of_their_own():
    frames = tuple((frame * 255).round() / 255 for frame in with_white(clip("coffee", 2), 1))
    assert estimate_noise(frames).sigma == pytest.approx(math.sqrt(1 + 1 / 12), rel=0.08)


def test_the_same_frames_give_the_same_model():
    frames = with_white(clip("coffee", 3), 5)
    kept = [frame.clone() for frame in frames]
    torch.manual_seed(1)
    first = estimate_noise(frames)
    torch.manual_seed(2)
    assert estimate_noise(frames) == first
    assert all(torch.equal(now, before) for now, before in zip(frames, kept, strict=True))


def test_refusals():
    with pytest.raises(ValueError, match="no frames to estimate the noise of"):
        estimate_noise([])
    for value in (math.nan, math.inf, -math.inf):
        frames = [torch.zeros(3, 16, 16), torch.zeros(3, 16, 16)]
        frames[1][2, 3, 4] = value
        with pytest.raises(ValueError, match="not finite"):
            estimate_noise(frames)


def test_white_noise_is_what_it_says():
    model = white_noise(5.1)
    assert (model.space, model.a, model.spectrum, model.sigma) == ("srgb", (0, 0, 0), FLAT, 5.1)
    assert model.b == pytest.approx((4e-4,) * 3)
    frame = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(to_stable(frame, model), frame * 50)
    assert torch.allclose(from_stable(to_stable(frame, model), model), frame, atol=1e-6)
    assert from_stable(torch.full((3, 1, 1), -3.0), model).min() == 0


def test_stable_frames_have_noise_of_variance_one_and_come_back_unbiased():
    model = NoiseModel("linear", (0.004, 0.002, 0.003), (1e-5, 2e-5, 0.0), FLAT, 5)
    a, b = (torch.tensor(values)[:, None, None] for values in (model.a, model.b))
    generator = torch.Generator().manual_seed(3)
    for level in (0.3, 0.6, 0.9):
        linear = srgb_to_linear(torch.full((3, 200, 200), level))
        noisy = linear_to_srgb(linear + (a * linear + b).sqrt() * torch.randn(linear.shape, generator=generator))
        stable = to_stable(noisy, model)
        assert stable.std((1, 2)) == pytest.approx(torch.ones(3), abs=0.05)
        back = from_stable(stable.mean((1, 2), keepdim=True), model).flatten()
        assert back == pytest.approx(torch.full((3,), level), abs=2e-3)


def test_the_transforms_keep_noise_as_it_is():
    for matrix in (OPPONENT, module._BASIS):
        assert torch.allclose(matrix @ matrix.T, torch.eye(len(matrix)), atol=1e-6)
    plane = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(module.block_dct(plane), torch.from_numpy(cv2.dct(plane.numpy())), atol=1e-5)
