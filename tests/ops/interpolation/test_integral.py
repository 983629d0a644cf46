"""The exposure of a gap as one integral, against the sum over all of its sub-frames."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.ops.exposure import average, expose, row_weights
from lolblur_synth.ops.interpolation.flow import by_flow, see_motion
from lolblur_synth.ops.interpolation.integral import Rule, integrate, moments_at, rules
from lolblur_synth.ops.interpolation.interpolate import Exposure, integrate_exposures, interpolate
from lolblur_synth.ops.interpolation.warp import moving
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.scenes import Cutout, Fence, Lamp, Pose, Scene, glide
from tests.ops.interpolation.test_interpolate import film, psnr, texture

PLAIN, BOOSTED = Linearization(0, 98, "linear"), Linearization(80 / 255, 98, "linear")


def exposures(frames: list[Tensor], factor: int, to_light: Linearization) -> tuple[Tensor, Tensor]:
    """By sub-frames, and as integrals."""
    one_by_one = average(map(to_light, interpolate(frames, frames, factor, by_flow)))
    return one_by_one, integrated(frames, factor, to_light)


def integrated(frames: list[Tensor], factor: int, to_light: Linearization, each: Map = map, rows=None) -> Tensor:
    (light,) = integrate_exposures([Exposure(frames, to_light, rows)], frames, factor, by_flow, each, lambda told: None)
    return light


@given(st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_each_rule_sums_polynomials_of_time_as_all_sub_frames_do(factor: int):
    *_, fine = rules(factor)
    assert len(fine.times) == factor + 1
    for rule in rules(factor):
        for degree in range(2 * len(rule.times) - 2 if rule is not fine else 1):
            (wanted, found) = (
                float(each.weights.astype(float) @ each.times.astype(float) ** degree) for each in (fine, rule)
            )
            assert found == pytest.approx(wanted, rel=1e-5)
        assert rule.times[0] == 0
        assert rule.times[-1] == 1
        assert (rule.weights > 0).all()


@given(st.floats(0.02, 12), st.floats(0, 2 * math.pi), st.floats(0.01, 0.2), st.sampled_from([4, 8, 17, 32]))
@settings(max_examples=300, deadline=None)
def test_the_rule_of_a_speed_sums_waves_as_all_sub_frames_do(speed, phase, frequency, factor):
    chosen = rules(factor)[min(int(moments_at(np.float32(speed))), len(rules(factor)) - 1)]

    def mean(rule: Rule) -> float:
        return float(rule.weights @ np.sin(2 * np.pi * frequency * speed * rule.times + phase)) / factor

    assert mean(chosen) == pytest.approx(mean(rules(factor)[-1]), abs=3e-3)


@given(st.floats(0.1, 12), st.sampled_from([4, 8, 17, 32]))
@settings(max_examples=100, deadline=None)
def test_what_pictures_lose_by_fewer_moments_is_60_db_below_their_detail(speed: float, factor: int):
    frequency = np.linspace(0.002, 0.5, 400)
    power = np.exp(-np.square(frequency / 0.35)) / np.square(frequency)

    def transfer(rule: Rule) -> np.ndarray:
        return np.exp(2j * np.pi * np.outer(frequency * speed, rule.times.astype(float))) @ rule.weights / factor

    chosen = rules(factor)[min(int(moments_at(np.float32(speed))), len(rules(factor)) - 1)]
    lost = power * np.square(np.abs(transfer(chosen) - transfer(rules(factor)[-1])))
    assert lost.sum() < 1e-6 * power.sum()


@pytest.mark.parametrize(
    ("scene", "near"),
    [
        (Scene(texture(), glide(0.4, -0.3)), 80),
        (Scene(texture(), glide(2.6, 1.1)), 70),
        (Scene(texture(), glide(angle=0.01)), 70),
        (Scene(texture(), glide(zoom=1.02)), 70),
        (Scene(texture(), glide(6, -2)), 75),
        (Scene(texture(), cutouts=(Cutout(texture(1), 25, glide(6, 1, start=Pose(-20, -4))),)), 65),
        (Scene(texture(), fences=(Fence(40, 2.5, glide(3, -1, 0.002, start=Pose(angle=0.6))),)), 65),
    ],
    ids=["slow", "glide", "roll", "zoom", "fast", "object", "wires"],
)
@pytest.mark.parametrize("factor", [8, 32])
def test_it_is_the_sum_of_all_sub_frames(scene: Scene, near: float, factor: int):
    one_by_one, whole = exposures(film(scene, 3), factor, PLAIN)
    assert psnr(one_by_one, whole) > near


def test_lamps_leave_the_same_streaks():
    """Light has steps where it is clipped: all moments are taken there."""
    lamp = Lamp(0, 0, 5, (20, 18, 14), path=glide(3.7, 1.2, start=Pose(-8, -3)))
    frames = film(Scene(texture() * 0.35, glide(0.5), lamps=(lamp,)), 4)
    one_by_one, whole = exposures(frames, 8, BOOSTED)
    assert whole.max() > 1.2
    assert psnr(one_by_one, whole) > 60
    unboosted, _ = exposures(frames, 8, PLAIN)
    assert psnr(unboosted, whole) < 45


@pytest.mark.parametrize("exposed", [1, 17, 33])
@pytest.mark.parametrize("readout", [3.0, 11.7])
def test_rows_of_a_rolling_shutter_are_those_of_the_sub_frames(exposed: int, readout: float):
    thing = Cutout(texture(1), 25, glide(4, 1, start=Pose(-12, -4)))
    frames = film(Scene(texture(), glide(1.3, -0.6), cutouts=(thing,)), 7)
    height = frames[0].shape[1]
    sub_frames = map(BOOSTED, interpolate(frames, frames, 8, by_flow))
    one_by_one = expose(sub_frames, 49, exposed, readout)
    whole = integrated(frames, 8, BOOSTED, rows=row_weights(49, exposed, readout, height))
    assert psnr(one_by_one, whole) > 65


def test_what_stands_still_is_the_frame():
    frame = texture()[:, :60, :90].contiguous()
    told, motion = see_motion(frame, frame)
    ready = moving(frame)
    total = torch.from_numpy(integrate(ready, ready, motion, 8, PLAIN))
    assert told.inconsistency == 0
    torch.testing.assert_close(total / 8, PLAIN(frame), atol=1e-6, rtol=0)


def test_what_stands_still_and_changes_its_brightness_is_blended_as_sub_frames_are():
    """The light of a blend is less than the blend of the light."""
    before = texture()[:, :60, :90].contiguous() * 0.2
    after = before + 0.5
    for factor in (8, 32):
        one_by_one, whole = exposures([before, after], factor, PLAIN)
        torch.testing.assert_close(whole, one_by_one, atol=1e-3, rtol=0)
    assert (PLAIN(before) + PLAIN(after) - 2 * whole).mean() > 0.01


@pytest.mark.parametrize("size", [(40, 33), (35, 70), (16, 48)])
def test_pictures_of_any_size_are_whole_to_their_borders(size: tuple[int, int]):
    scene = Scene(texture(), glide(1.5, -0.7))
    frames = [frame[:, : size[0], : size[1]].contiguous() for frame in film(scene, 3)]
    one_by_one, whole = exposures(frames, 8, PLAIN)
    assert psnr(one_by_one, whole, border=1) > 60


def test_threads_change_nothing():
    frames = film(Scene(texture(), glide(1.4, 0.8)), 5)
    alone = integrated(frames, 8, BOOSTED)
    with ordered_map(3) as each:
        assert torch.equal(integrated(frames, 8, BOOSTED, each), alone)


def test_each_gap_is_told_of_in_order():
    frames, told = film(Scene(texture(), glide(1.4, 0.8)), 4), []
    integrate_exposures([Exposure(frames, PLAIN)], frames, 4, by_flow, map, told.append)
    assert [round(float(note.flow.forward[0].mean()), 1) for note in told] == [-1.4] * 3
