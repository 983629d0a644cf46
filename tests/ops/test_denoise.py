import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.ops import denoise as module
from lolblur_synth.ops.denoise import denoise, estimate_sigma
from lolblur_synth.scenes import Scene, glide, render

SIGMA = 8.0


def clip(count: int, size: tuple[int, int] = (14, 16), motion: float = 0.5) -> list[Tensor]:
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    wave = 0.5 + 0.2 * torch.sin(x / 5) + 0.2 * torch.cos(y / 4)
    scene = Scene(torch.stack((wave, 0.8 * wave, 1 - wave)), glide(motion))
    return [render(scene, t, size) for t in range(count)]


def noisy(frames: list[Tensor], sigma: float, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [frame + sigma / 255 * torch.randn(frame.shape, generator=generator) for frame in frames]


def rms(one: Tensor, other: Tensor) -> float:
    return 255 * float((one - other).square().mean().sqrt())


@pytest.mark.parametrize(("backend", "sigma"), [("none", 5.0), ("bm4d", 0.0)])
def test_nothing_to_do_passes_the_very_frames_through(backend, sigma):
    frames = clip(3)
    assert all(out is frame for out, frame in zip(denoise(frames, backend, sigma), frames, strict=True))


@pytest.mark.parametrize("count", [0, 1, 3, 5, 10, 11, 19])
def test_as_many_frames_come_out_in_order_and_cleaner(count: int):
    clean = clip(count, motion=1.5)
    frames = noisy(clean, SIGMA)
    kept = [frame.clone() for frame in frames]
    out = list(denoise(frames, "bm4d", SIGMA))
    assert len(out) == count
    for got, frame, truth in zip(out, frames, clean, strict=True):
        assert got.shape == frame.shape
        assert got.dtype == torch.float32
        assert 0 <= got.min() <= got.max() <= 1
        assert rms(got, truth) < 0.6 * SIGMA
    assert all(torch.equal(now, before) for now, before in zip(frames, kept, strict=True))


def test_volumes_leave_no_mark_where_they_meet():
    clean = clip(20)
    errors = [rms(out, truth) for out, truth in zip(denoise(noisy(clean, SIGMA), "bm4d", SIGMA), clean, strict=True)]
    assert max(errors[6:12]) < 1.35 * sorted(errors)[len(errors) // 2]


def test_bands_leave_no_mark_where_they_meet(monkeypatch: pytest.MonkeyPatch):
    clean = clip(5, (40, 16))
    frames = noisy(clean, SIGMA)
    whole = list(denoise(frames, "bm4d", SIGMA))
    monkeypatch.setattr(module, "_ROWS", 20)
    banded = list(denoise(frames, "bm4d", SIGMA))
    assert max(rms(one, other) for one, other in zip(whole, banded, strict=True)) < 0.1 * SIGMA


def test_no_more_than_a_volume_is_read_ahead():
    read = 0

    def stream() -> Iterator[Tensor]:
        nonlocal read
        for frame in noisy(clip(30, (8, 8)), SIGMA):
            read += 1
            yield frame

    out = denoise(stream(), "bm4d", SIGMA)
    assert read == 0
    next(out)
    assert read == 10


@given(st.floats(0.1, 1))  # a tone far below the noise is thresholded away by BM4D like any other coefficient
@settings(max_examples=5, deadline=None)
def test_a_constant_stays(level: float):
    frames = [torch.full((3, 8, 8), level)] * 5
    assert all((out - level).abs().max() < 1e-4 for out in denoise(frames, "bm4d", SIGMA))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused_by_frame(value: float):
    frames = [torch.zeros(3, 8, 8) for _ in range(4)]
    frames[2][1, 3, 3] = value
    with pytest.raises(ValueError, match="frame 2"):
        list(denoise(frames, "bm4d", SIGMA))


def test_the_opponent_transform_keeps_noise_as_it_is():
    assert torch.allclose(module._OPPONENT @ module._OPPONENT.T, torch.eye(3), atol=1e-6)


@given(st.floats(0.5, 20), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_the_noise_of_a_flat_clip_is_found(sigma: float, count: int):
    frames = noisy([torch.full((3, 80, 90), 0.5)] * count, sigma)
    assert estimate_sigma(frames) == pytest.approx(sigma, rel=0.06)


def test_texture_is_not_noise_where_nothing_moves():
    texture = torch.rand(3, 80, 90, generator=torch.Generator().manual_seed(1))
    frames = noisy([texture] * 3, 3)
    assert estimate_sigma(frames[:1]) > 30
    assert estimate_sigma(frames) == pytest.approx(3, rel=0.06)


def test_motion_is_not_noise_where_nothing_is_textured():
    frames = noisy([torch.full((3, 80, 90), level) for level in (0.2, 0.5, 0.8)], 3)
    assert estimate_sigma(frames) == pytest.approx(3, rel=0.06)


def test_clipped_areas_do_not_count():
    frame = noisy([torch.full((3, 80, 90), 0.5)], 4)[0]
    frame[:, :60] = 0
    assert estimate_sigma([frame]) == pytest.approx(4, rel=0.1)
    assert estimate_sigma([torch.zeros(3, 16, 16)]) == 0


def test_there_is_no_noise_of_no_frames():
    with pytest.raises(ValueError, match="no frames"):
        estimate_sigma([])


def test_no_volume_reaches_across_a_break():
    """What comes before a cut is filtered as if nothing came after it, and the other way round."""
    before, after = noisy([torch.full((3, 8, 8), 0.3)] * 6, SIGMA), noisy([torch.full((3, 8, 8), 0.8)] * 7, SIGMA)
    apart = [*denoise(before, "bm4d", SIGMA), *denoise(after, "bm4d", SIGMA)]
    joined = list(denoise([*before, *after], "bm4d", SIGMA, breaks={6}))
    assert len(joined) == 13
    assert all(torch.equal(one, other) for one, other in zip(apart, joined, strict=True))
