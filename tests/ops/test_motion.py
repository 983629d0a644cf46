"""Paths of an exposure against closed forms: flows that are known, and frames that move as they say."""

import math

import pytest
import torch
from torch import Tensor

from lolblur_synth.core.threads import ordered_map
from lolblur_synth.ops.interpolation.backends import gap_note
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import Gap, interpolate
from lolblur_synth.ops.motion import CoarseFlow, GapNote, MotionBlur, coarse_flow, motion_blur, no_flow
from lolblur_synth.scenes import Path, Scene, displacement, glide, render

SIZE = (256, 384)
GAPS = 6


def known(camera: Path, gaps: int = GAPS) -> MotionBlur:
    """By the true flows of a camera's path."""
    pairs = [(number, number + 1) for number in range(gaps)]
    found = motion_blur(
        [coarse_flow(displacement(camera, *pair, SIZE), displacement(camera, *pair[::-1], SIZE)) for pair in pairs]
    )
    assert found
    return found


def seen(camera: Path, gaps: int = GAPS) -> MotionBlur:
    """By the flow that is seen in frames."""
    generator = torch.Generator().manual_seed(5)
    photo = torch.nn.functional.avg_pool2d(torch.rand(3, 600, 800, generator=generator), 3, 1)
    frames = [render(Scene(photo, camera), number, SIZE) for number in range(gaps + 1)]
    notes: list[GapNote] = []
    with ordered_map(2) as each:
        list(interpolate(frames, frames, 2, by_flow, each, notes.append))
    found = motion_blur([note.flow for note in notes])
    assert found
    return found


def off(found: MotionBlur, direction: float) -> float:
    """How many degrees a direction is off; directions of 0 and 180 are one."""
    assert found.direction is not None
    return abs((found.direction - direction + 90) % 180 - 90)


@pytest.mark.parametrize("gaps", [2, 6, 8])
@pytest.mark.parametrize(("x", "y", "direction"), [(3, 0, 0), (0, 2, 90), (2, -2, 45), (-2, -2, 135), (-3, 0, 0)])
def test_a_shift_has_its_length_in_every_gap_and_one_direction(x, y, direction, gaps):
    """A camera that goes right has everything go left, along the same line; rows go down, angles up."""
    found = known(glide(x, y), gaps)
    assert found.mean == pytest.approx(gaps * math.hypot(x, y), rel=1e-5)
    assert found.p95 == pytest.approx(found.mean, rel=1e-5)
    assert off(found, direction) < 1e-3
    assert (found.concentration, found.straightness) == (pytest.approx(1), pytest.approx(1))


def radius() -> Tensor:
    """How far the points of the grid are from the middle."""
    rows, columns = (torch.arange(8, side, 16) - (side - 1) / 2 for side in SIZE)
    return torch.hypot(rows[:, None], columns[None])


def test_a_turn_bends_and_has_all_directions():
    turn = 0.02  # radians a frame
    found = known(glide(angle=turn))
    path = GAPS * 2 * math.sin(turn / 2) * radius()  # chords of a gap
    assert found.mean == pytest.approx(float(path.mean()), rel=0.01)
    assert found.p95 == pytest.approx(float(path.flatten().quantile(0.95)), rel=0.02)
    chord = math.sin(GAPS * turn / 2) / (GAPS * math.sin(turn / 2))
    assert found.straightness == pytest.approx(chord, abs=5e-4)
    assert found.concentration < 0.35  # less at the sides than above and below, as the picture is wide


def test_a_zoom_is_straight_and_has_all_directions():
    found = known(glide(zoom=1.01))
    path = radius() * (1.01 ** (GAPS / 2) - 1.01 ** (-GAPS / 2))
    assert found.mean == pytest.approx(float(path.mean()), rel=0.01)
    assert found.straightness == pytest.approx(1, abs=1e-3)
    assert found.concentration < 0.35


def test_what_goes_to_and_fro_has_a_path_and_a_direction_but_no_chord():
    right = torch.tensor([3.0, 0.0])[:, None, None].expand(2, 4, 6)
    there, back = CoarseFlow(right, -right), CoarseFlow(-right, right)
    found = motion_blur([there, back] * 3)
    assert found
    assert (found.mean, found.p95, found.concentration, found.straightness) == (18, 18, pytest.approx(1), 0)
    assert off(found, 0) < 1e-3


def test_motion_is_followed_from_the_middle():
    """A grid point that meets fast motion later takes it along, one that leaves it does not."""
    flow = torch.zeros(2, 4, 6)
    flow[0, :, 3:] = 16
    found = motion_blur([CoarseFlow(flow, torch.zeros_like(flow))] * 2)
    assert found
    assert found.mean == pytest.approx(16 * 3 / 6)  # of the second gap alone: backwards nothing moves


def test_nothing_moves():
    still = MotionBlur(0, 0, None, 0, 1)
    assert motion_blur([no_flow(torch.zeros(3, 64, 64))] * 4) == still
    assert motion_blur([]) is None


@pytest.mark.parametrize(
    ("camera", "within"),
    [(glide(3, 1.5), 0.05), (glide(0.7, 0.2), 0.1), (glide(angle=0.02), 0.05), (glide(zoom=1.015), 0.05)],
    ids=["pan", "slow", "roll", "zoom"],
)
def test_what_is_seen_is_what_was_filmed(camera, within):
    found, true = seen(camera), known(camera)
    assert found.mean == pytest.approx(true.mean, rel=within)
    assert found.p95 == pytest.approx(true.p95, rel=0.1)
    assert found.concentration == pytest.approx(true.concentration, abs=0.05)
    assert found.straightness == pytest.approx(true.straightness, abs=0.01)
    if true.direction and true.concentration > 0.5:
        assert off(found, true.direction) < 3


def test_rife_sees_the_flow_at_a_quarter_of_the_size():
    photo = torch.nn.functional.avg_pool2d(torch.rand(3, 600, 800, generator=torch.Generator().manual_seed(5)), 5, 1)
    frames = [render(Scene(photo, glide(3, 1.5)), number, SIZE) for number in range(2)]
    found = motion_blur([gap_note(Gap(*frames, *frames, [0, 0.5])).flow])
    assert found
    assert found.mean == pytest.approx(math.hypot(3, 1.5), rel=0.1)


@pytest.mark.parametrize("size", [(5, 9), (16, 17), (64, 64)])
def test_any_size_has_a_grid(size):
    flow = torch.ones(2, *size)
    found = motion_blur([coarse_flow(flow, -flow)] * 2)
    assert found
    assert found.mean == pytest.approx(2 * math.sqrt(2), rel=1e-5)
