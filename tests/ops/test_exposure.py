"""Light that adds up while the shutter is open."""

import pytest
import torch

from lolblur_synth.ops.exposure import average, space_of
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
