"""Light that adds up while the shutter is open."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.ops.exposure import average, expose, row_weights, space_of
from tests.support.pictures import grey


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


@st.composite
def exposures(draw: st.DrawFn) -> tuple[int, int, float, int]:
    """Sub-frames, those of a row, the readout in sub-frames, and rows."""
    exposed = 2 * draw(st.integers(0, 8)) + 1
    readout = draw(st.one_of(st.floats(0, 40), st.integers(0, 40).map(float)))
    margin = int(readout / 2) + 1 + draw(st.integers(0, 3))
    return exposed + 2 * margin, exposed, readout, draw(st.integers(1, 40))


@given(exposures())
def test_every_row_is_exposed_alike_around_its_own_moment(exposure):
    count, exposed, readout, height = exposure
    weights = row_weights(*exposure)
    moments = torch.arange(count, dtype=torch.float64)[:, None] - (count - 1) / 2
    rows = torch.arange(height, dtype=torch.float64) / max(1, height - 1) - (0.5 if height > 1 else 0)
    assert weights.min() >= 0
    assert weights.max() <= 1
    torch.testing.assert_close(weights.sum(0), torch.full((height,), float(exposed), dtype=torch.float64))
    torch.testing.assert_close((weights * moments).sum(0) / exposed, readout * rows, atol=1e-9, rtol=0)
    torch.testing.assert_close(weights.flip(0, 1), weights, atol=1e-9, rtol=0)  # the last rows are as the first ones
    assert ((weights > 0) & (weights < 1)).sum(0).max() <= 2  # only ends are shared


@given(exposures(), st.integers(0, 2**32))
def test_a_still_scene_is_unchanged_to_the_bit(exposure, seed):
    count, exposed, _, height = exposure
    frame = torch.rand(3, height, 5, generator=torch.Generator().manual_seed(seed)) * 3
    readout = max(exposure[2], 0.5)
    assert torch.equal(expose((frame for _ in range(count)), count, exposed, readout), frame)


def edges(count: int, speed: float, height: int = 33, width: int = 64) -> Iterator[Tensor]:
    """A vertical edge that moves so many pixels a sub-frame, past the middle in the middle sub-frame; light by area."""
    x = torch.arange(width, dtype=torch.float64)
    for number in range(count):
        at = width / 2 + speed * (number - (count - 1) / 2)
        yield (x + 1 - at).clamp(0, 1).expand(3, height, width).clone()


@pytest.mark.parametrize(("speed", "readout"), [(0.7, 8.0), (-0.4, 13.37), (1.3, 0.25)])
def test_a_moving_edge_leans_by_its_speed_times_the_readout(speed, readout):
    exposed, count = 9, 9 + 2 * 7
    picture = expose(edges(count, speed), count, exposed, readout)
    places = 64 - picture[0].sum(1)  # where the edge is in each row
    lean = torch.linspace(-0.5, 0.5, 33, dtype=torch.float64) * speed * readout
    torch.testing.assert_close(places, 32 + lean, atol=1e-9, rtol=0)
    sharp = expose(edges(count, speed), count, 1, readout)
    torch.testing.assert_close(64 - sharp[0].sum(1), places, atol=1e-9, rtol=0)


def test_without_readout_all_rows_are_averaged_at_once():
    frames = list(torch.rand(7, 3, 4, 5, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(expose(iter(frames), 7, 7, 0.0), average(frames))
    whole = expose(iter(frames), 7, 5, 1e-12)
    torch.testing.assert_close(whole, average(frames[1:-1]), atol=1e-6, rtol=0)


def test_an_exposure_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"5 sub-frames hold no exposure of 3 that is read out in 2\.5"):
        row_weights(5, 3, 2.5, 10)
    for frames in ([], [grey(0.0)] * 4, [grey(0.0)] * 6):
        with pytest.raises(ValueError, match=r"no frames|zip"):
            expose(iter(frames), 5, 3, 1.0)
