import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.core.colorimetry import OPPONENT
from lolblur_synth.ops.denoise import bm4d as module
from lolblur_synth.ops.denoise.denoise import Stream, by_rows, denoise
from lolblur_synth.ops.denoise.noise_model import NoiseModel, white_noise
from lolblur_synth.scenes import Scene, glide, render

SIGMA = 8.0
NOISE = white_noise(SIGMA)


def clip(count: int, size: tuple[int, int] = (24, 30), motion: float = 0.5) -> list[Tensor]:
    y, x = torch.meshgrid(torch.arange(90.0), torch.arange(120.0), indexing="ij")
    wave = 0.5 + 0.2 * torch.sin(x / 5) + 0.2 * torch.cos(y / 4)
    scene = Scene(torch.stack((wave, 0.8 * wave, 1 - wave)), glide(motion))
    return [render(scene, t, size) for t in range(count)]


def noisy(frames: list[Tensor], sigma: float, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [frame + sigma / 255 * torch.randn(frame.shape, generator=generator) for frame in frames]


def rms(one: Tensor, other: Tensor) -> float:
    return 255 * float((one - other).square().mean().sqrt())


@pytest.mark.parametrize(("backend", "noise"), [("none", NOISE), ("bm4d", None), ("vbm4d", None)])
def test_nothing_to_do_passes_the_very_frames_through(backend, noise: NoiseModel | None):
    frames = clip(3)
    assert all(out is frame for out, frame in zip(denoise(frames, noise, backend), frames, strict=True))


@pytest.mark.parametrize("backend", ["vbm4d", "bm4d"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 11, 19])
def test_as_many_frames_come_out_in_order_and_cleaner(backend, count: int):
    clean = clip(count, (14, 16), motion=1.5)
    frames = noisy(clean, SIGMA)
    kept = [frame.clone() for frame in frames]
    out = list(denoise(frames, NOISE, backend))
    assert len(out) == count
    for got, frame, truth in zip(out, frames, clean, strict=True):
        assert got.shape == frame.shape
        assert got.dtype == torch.float32
        assert 0 <= got.min() <= got.max() <= 1
        assert rms(got, truth) < 0.6 * SIGMA
    assert all(torch.equal(now, before) for now, before in zip(frames, kept, strict=True))


@pytest.mark.parametrize("backend", ["vbm4d", "bm4d"])
def test_what_comes_out_is_on_the_grid_of_sixteen_bits(backend):
    frame = next(denoise(noisy(clip(1, (16, 16)), SIGMA), NOISE, backend))
    codes = frame.double() * 65535
    assert (codes - codes.round()).abs().max() < 0.01


@given(st.floats(0.1, 1))  # a tone far below the noise is thresholded away by BM4D like any other coefficient
@settings(max_examples=5)
@pytest.mark.parametrize(("backend", "preset"), [("vbm4d", "best"), ("vbm4d", "fast"), ("bm4d", "best")])
def test_a_constant_stays(backend, preset, level: float):
    frames = [torch.full((3, 16, 16), level)] * 5
    assert all((out - level).abs().max() < 1e-4 for out in denoise(frames, NOISE, backend, preset))


@pytest.mark.parametrize("backend", ["vbm4d", "bm4d"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused_by_frame(backend, value: float):
    frames = [torch.zeros(3, 16, 16) for _ in range(4)]
    frames[2][1, 3, 3] = value
    with pytest.raises(ValueError, match="frame 2"):
        list(denoise(frames, NOISE, backend))


def test_the_opponent_transform_keeps_noise_as_it_is():
    assert torch.allclose(OPPONENT @ OPPONENT.T, torch.eye(3), atol=1e-6)


@pytest.mark.parametrize("backend", ["vbm4d", "bm4d"])
def test_nothing_is_seen_across_a_break(backend):
    """What comes before a cut is filtered as if nothing came after it, and the other way round."""
    before, after = noisy([torch.full((3, 16, 16), 0.3)] * 6, SIGMA), noisy([torch.full((3, 16, 16), 0.8)] * 7, SIGMA)
    apart = [*denoise(before, NOISE, backend), *denoise(after, NOISE, backend)]
    joined = list(denoise([*before, *after], NOISE, backend, stream=Stream(breaks={6})))
    assert len(joined) == 13
    assert all(torch.equal(one, other) for one, other in zip(apart, joined, strict=True))


@pytest.mark.parametrize("preset", ["fast", "best"])
def test_frames_that_are_needed_are_the_same_when_others_are_not(preset):
    clip = noisy([torch.full((3, 16, 24), 0.3 + 0.02 * k) for k in range(26)], SIGMA)
    needed = {0, 1, 5, 6, 7, 13, 25}
    every = list(denoise(clip, NOISE, "vbm4d", preset, Stream(breaks={11})))
    some = list(denoise(clip, NOISE, "vbm4d", preset, Stream({11}, needed)))
    assert all(torch.equal(every[at], some[at]) for at in needed)
    unfinished = sum(not torch.equal(one, other) for one, other in zip(every, some, strict=True))
    assert unfinished == (26 - len(needed) if preset == "best" else 0)


def test_dark_parts_keep_their_mean_where_noise_grows_with_light():
    """Averaging stabilised values and going straight back would darken: the inverse makes up for it."""
    light = NoiseModel("srgb", (0.004,) * 3, (1e-6,) * 3, white_noise(1).spectrum, 10)
    level = torch.tensor([0.05, 0.2, 0.6])[:, None, None].expand(3, 64, 64)
    generator = torch.Generator().manual_seed(0)
    spread = (0.004 * level + 1e-6).sqrt()
    frames = [level + spread * torch.randn(level.shape, generator=generator) for _ in range(9)]
    out = torch.stack(list(denoise(frames, light)))
    assert torch.allclose(out.mean((0, 2, 3)), level[:, 0, 0], rtol=0.01)


def test_bm4d_volumes_leave_no_mark_where_they_meet():
    clean = clip(20, (14, 16))
    errors = [rms(out, truth) for out, truth in zip(denoise(noisy(clean, SIGMA), NOISE, "bm4d"), clean, strict=True)]
    assert max(errors[6:12]) < 1.35 * sorted(errors)[len(errors) // 2]


def test_bm4d_bands_leave_no_mark_where_they_meet(monkeypatch: pytest.MonkeyPatch):
    clean = clip(5, (40, 16))
    frames = noisy(clean, SIGMA)
    whole = list(denoise(frames, NOISE, "bm4d"))
    monkeypatch.setattr(module, "_ROWS", 20)
    banded = list(denoise(frames, NOISE, "bm4d"))
    assert max(rms(one, other) for one, other in zip(whole, banded, strict=True)) < 0.1 * SIGMA


@pytest.mark.parametrize(
    ("backend", "preset", "ahead"), [("bm4d", "best", 10), ("vbm4d", "fast", 11), ("vbm4d", "best", 23)]
)
def test_no_more_than_a_window_is_read_ahead(backend, preset, ahead: int):
    read = 0

    def stream() -> Iterator[Tensor]:
        nonlocal read
        for frame in noisy(clip(30, (16, 16)), SIGMA):
            read += 1
            yield frame

    out = denoise(stream(), NOISE, backend, preset)
    assert read == 0
    next(out)
    assert read == ahead


@pytest.mark.parametrize("size", [(700, 100), (1, 30000), (5, 4)])
def test_pixels_come_back_from_strips_where_they_were(size: tuple[int, int]):
    frame = torch.rand(3, *size)
    seen = []

    def doubled(rows: Tensor) -> Tensor:
        seen.append(rows.shape[1])
        return 2 * rows

    assert torch.equal(by_rows(doubled, frame), 2 * frame)
    assert sum(seen) == size[0]
    assert (len(seen) > 1) == (frame.numel() > 1 << 16 and size[0] > 1)
