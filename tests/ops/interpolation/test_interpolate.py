import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.core.threads import ordered_map
from lolblur_synth.ops import optical_flow
from lolblur_synth.ops.interpolation import flow
from lolblur_synth.ops.interpolation.flow import by_flow, open_gap, subframe
from lolblur_synth.ops.interpolation.interpolate import (
    Gap,
    Interpolator,
    by_blending,
    interpolate,
)
from lolblur_synth.ops.motion import GapNote
from lolblur_synth.scenes import Cutout, Lamp, Pose, Scene, glide, render, shake

SIZE = (72, 96)


def texture(seed: int = 0, height: int = 200, width: int = 240) -> Tensor:
    """Noise of several scales, at most half of it near the limit of resolution: as detailed as a sharp photograph."""
    generator = torch.Generator().manual_seed(seed)
    layers = [
        torch.nn.functional.interpolate(
            torch.rand(1, 3, height // s, width // s, generator=generator), (height, width), mode="bicubic"
        )[0]
        for s in (2, 5, 20)
    ]
    return (0.2 * layers[0] + 0.3 * layers[1] + 0.5 * layers[2]).clamp(0, 1)


def film(scene: Scene, frames: int = 2) -> list[Tensor]:
    return [render(scene, t, SIZE) for t in range(frames)]


def psnr(one: Tensor, other: Tensor, border: int = 10) -> float:
    error = (one - other)[:, border:-border, border:-border].square().mean()
    return -10 * math.log10(max(float(error), 1e-12))


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([by_flow, by_blending]))
@settings(max_examples=20, deadline=None)
def test_source_frames_come_out_untouched_at_multiples_of_the_factor(count: int, factor: int, by: Interpolator):
    frames = film(Scene(texture(), glide(1.3, -0.6)), count)
    kept = [frame.clone() for frame in frames]
    out = list(interpolate(frames, frames, factor, by))
    assert len(out) == (count - 1) * factor + 1
    assert all(frame.shape == (3, *SIZE) and frame.dtype == torch.float32 for frame in out)
    assert all(torch.equal(got, frame) for got, frame in zip(out[::factor], kept, strict=True))
    assert all(torch.equal(now, before) for now, before in zip(frames, kept, strict=True))


@given(st.integers(2, 6))
@settings(max_examples=5, deadline=None)
def test_blending_is_a_weighted_mean(factor: int):
    black, white = torch.zeros(3, 4, 5), torch.full((3, 4, 5), 0.5)
    out = interpolate([black, white], [black, white], factor, by_blending)
    assert [float(frame.mean()) for frame in out] == pytest.approx([0.5 * i / factor for i in range(factor + 1)])


def test_nothing_moves_in_a_static_scene():
    frame = render(Scene(texture()), 0, SIZE)
    assert all(
        torch.equal(out, frame) for out in interpolate([frame] * 3, [frame.clone() for _ in range(3)], 4, by_flow)
    )


def test_a_smooth_pattern_moves_by_its_share_of_the_shift():
    y, x = torch.meshgrid(torch.arange(72.0), torch.arange(96.0), indexing="ij")

    def at(shift: float) -> Tensor:
        wave = 0.5 + 0.2 * torch.sin((x - shift) / 6) + 0.2 * torch.sin((y - shift / 2) / 5) * torch.cos(x / 200)
        return wave.expand(3, -1, -1).contiguous()

    out = list(interpolate([at(0), at(4)], [at(0), at(4)], 4, by_flow))
    for step in (1, 2, 3):
        assert psnr(out[step], at(step)) > 52


@pytest.mark.parametrize(
    "camera",
    [glide(0.3, 0.2), glide(2.6, -1.5), glide(7, 3.9), glide(angle=0.03), glide(zoom=1.02)],
    ids=["sub-pixel", "3 px", "8 px", "rotation", "zoom"],
)
def test_sub_frames_are_close_to_the_truth(camera):
    scene = Scene(texture(), camera)
    frames = film(scene)
    moved, linear = (list(interpolate(frames, frames, 4, by)) for by in (by_flow, by_blending))
    for step in (1, 2, 3):
        truth = render(scene, step / 4, SIZE)
        assert psnr(moved[step], truth) > max(40, psnr(linear[step], truth) - 2)


def test_the_blur_of_a_shaken_camera_is_true():
    scene = Scene(texture(), shake(np.random.default_rng(3), 6, 4))
    frames = film(scene, 5)
    truth = torch.stack([render(scene, i / 8, SIZE) for i in range(33)]).mean(0)
    blur = torch.stack(list(interpolate(frames, frames, 8, by_flow))).mean(0)
    assert psnr(blur, truth) > 50
    assert psnr(blur, truth) > psnr(torch.stack(frames).mean(0), truth) + 10


@pytest.mark.parametrize("speed", [6, 12])
def test_an_object_crosses_a_background(speed: int):
    path = glide(speed, speed / 3, start=Pose(-speed / 2, -speed / 6))
    scene = Scene(texture(), cutouts=(Cutout(texture(1), 14, path),))
    frames = film(scene)
    middle = list(interpolate(frames, frames, 2, by_flow))[1]
    truth = render(scene, 0.5, SIZE)
    assert psnr(middle, truth) > psnr((frames[0] + frames[1]) / 2, truth) + 4


def test_other_devices_move_frames_nearly_alike(monkeypatch: pytest.MonkeyPatch):
    """Through what samples there, by another kernel; here it runs on the CPU."""
    monkeypatch.setattr(optical_flow, "sample_opencv", optical_flow.sample_torch)
    scene = Scene(texture(), glide(2.6, -1.5), cutouts=(Cutout(texture(1), 14, glide(6, 2)),))
    before, after = film(scene)
    gap = open_gap(before, after, before, after)
    for time in (0.2, 0.5, 0.9):
        assert psnr(subframe(replace(gap, moving=None), time), subframe(gap, time)) > 45


def test_time_runs_backwards_alike():
    frames = film(Scene(texture(), glide(3, 1, 0.01)), 3)
    forth = list(interpolate(frames, frames, 4, by_flow))
    back = list(interpolate(frames[::-1], frames[::-1], 4, by_flow))[::-1]
    assert max(float((one - other).abs().max()) for one, other in zip(forth, back, strict=True)) < 1e-5


def test_motion_is_seen_in_the_guide_and_applied_to_the_dark():
    scene = Scene(texture(), glide(5, 2))
    guide = film(scene)
    dark = [frame * 0.01 for frame in guide]
    bright, dim = (list(interpolate(frames, guide, 4, by_flow)) for frames in (guide, dark))
    assert all(torch.allclose(d, b * 0.01, atol=1e-6) for d, b in zip(dim, bright, strict=True))
    still = [guide[0]] * 2
    assert all(
        torch.allclose(out, torch.lerp(*dark, step / 4))
        for step, out in enumerate(interpolate(dark, still, 4, by_flow))
    )


def test_what_enters_the_picture_is_taken_from_the_frame_that_has_it():
    scene = Scene(texture(), glide(8))
    frames = film(scene)
    middle = list(interpolate(frames, frames, 2, by_flow))[1]
    entering = (middle - render(scene, 0.5, SIZE))[:, 8:-8, -4:]
    assert entering.square().mean().sqrt() < 0.03


def test_any_time_of_a_gap():
    scene = Scene(texture(), glide(3, 1))
    before, after = film(scene)
    gap = open_gap(before, after, before, after)
    assert torch.equal(subframe(gap, 0), before)
    assert psnr(subframe(gap, 0.37), render(scene, 0.37, SIZE)) > 40
    assert psnr(subframe(gap, 1e-4), before) > 60


def test_lamps_keep_their_light_and_dig_no_rings():
    lamps = (Lamp(0, 0, 6, (20, 20, 20), halo=0), Lamp(20, 12, 2, (5, 5, 5), halo=0))
    scene = Scene(texture() * 0.1, glide(3.3, 1.7), lamps=lamps)
    guide = film(scene)
    dark = [render(scene, t, SIZE, clip=False) * 0.5 for t in range(2)]
    floor, peak = min(float(f.min()) for f in dark), max(float(f.max()) for f in dark)
    for out in list(interpolate(dark, guide, 8, by_flow))[1:-1]:
        assert floor - 1e-6 <= out.min()
        assert out.max() <= peak + 1e-5
        assert out.max() > 0.95 * peak > 1


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (31, 33), (16, 300)])
def test_sizes_too_small_for_the_flow(size: tuple[int, int]):
    scene = Scene(texture(), glide(1))
    frames = [render(scene, t, size) for t in range(2)]
    out = list(interpolate(frames, frames, 2, by_flow))
    assert out[1].shape == (3, *size)
    assert torch.isfinite(out[1]).all()


@pytest.mark.parametrize(
    ("dark", "guide", "factor", "message"),
    [
        ([], [], 2, "at least one"),
        ([torch.zeros(3, 4, 4)] * 2, [torch.zeros(3, 4, 4)], 2, "got 1 and 2"),
        ([torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)], [torch.zeros(3, 4, 4)] * 2, 2, "frame 1"),
        ([torch.zeros(3, 4, 4)], [torch.zeros(3, 8, 8)], 2, "guide 0"),
        ([torch.zeros(4, 4)], [torch.zeros(4, 4)], 2, "frame 0"),
        ([torch.zeros(3, 4, 4).double()], [torch.zeros(3, 4, 4)], 2, "float64"),
        ([torch.zeros(3, 4, 4)], [torch.zeros(3, 4, 4)], 0, "factor"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(dark, guide, factor, message):
    with pytest.raises(ValueError, match=message):
        interpolate(dark, guide, factor, by_flow)


def test_sub_frames_are_made_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    opened = []

    def counted(*frames: Tensor):
        opened.append(1)
        return open_gap(*frames)

    monkeypatch.setattr(flow, "open_gap", counted)
    frames = film(Scene(texture(), glide(1)), 4)
    out = interpolate(frames, frames, 3, by_flow)
    assert not opened
    for _ in range(4):
        next(out)
    assert len(opened) == 2


@pytest.fixture
def set_threads() -> Iterator:
    before = torch.get_num_threads(), cv2.getNumThreads()

    def set_both(count: int) -> None:
        torch.set_num_threads(count)
        cv2.setNumThreads(count)

    yield set_both
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_threads_change_no_bit(set_threads):
    scene = Scene(texture(), glide(3, 2, 0.01))
    frames = [render(scene, t, (150, 200)) for t in range(3)]
    set_threads(1)
    want = list(interpolate(frames, frames, 3, by_flow))
    set_threads(2)
    assert all(torch.equal(a, b) for a, b in zip(want, interpolate(frames, frames, 3, by_flow), strict=True))
    with ordered_map(2) as each:
        shared = list(interpolate(frames, frames, 3, by_flow, each))
        blended = list(interpolate(frames, frames, 3, by_blending, each))
    assert all(torch.equal(a, b) for a, b in zip(want, shared, strict=True))
    assert len(blended) == 7


def test_frames_may_be_views_of_interleaved_pixels():
    frames = film(Scene(texture(), glide(3, 1)))
    views = [frame.permute(1, 2, 0).contiguous().permute(2, 0, 1) for frame in frames]
    out = interpolate(views, views, 2, by_flow)
    assert all(torch.equal(a, b) for a, b in zip(interpolate(frames, frames, 2, by_flow), out, strict=True))


def test_gaps_may_want_any_moments():
    frames = film(Scene(texture(), glide(3, 1)), 3)
    pairs = pairwise(frames)
    gaps = [Gap(*pair, *pair, times) for pair, times in zip(pairs, ([0, 0.3], [0.1, 0.6, 0.9]), strict=True)]
    out = list(by_flow(iter(gaps), map, lambda told: None))
    assert torch.equal(out[0], frames[0])
    for made, moment in zip(out, (0, 0.3, 1.1, 1.6, 1.9), strict=True):
        assert psnr(made, render(Scene(texture(), glide(3, 1)), moment, SIZE)) > 40
    with ordered_map(2) as each:
        assert all(torch.equal(a, b) for a, b in zip(out, by_flow(iter(gaps), each, lambda told: None), strict=True))


def test_each_gap_tells_its_flow_inconsistency():
    frames = [*film(Scene(texture(), glide(3, 1)), 3), render(Scene(texture(9)), 0, SIZE)]
    notes: list[GapNote] = []
    with ordered_map(2) as each:
        list(interpolate(frames, frames, 3, by_flow, each, notes.append))
    shares = [note.inconsistency for note in notes]
    assert len(shares) == 3
    assert max(shares[:2]) < 0.02
    assert shares[2] > 0.7
    told: list[GapNote] = []
    list(interpolate(frames, frames, 3, by_blending, note=told.append))
    assert not told
