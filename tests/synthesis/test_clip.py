"""A clip's head: the frames that noise is measured of."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from lolblur_synth.synthesis.clip import Clip


def numbered() -> Iterator[Tensor]:
    return (torch.tensor(number) for number in range(100, 130))


@pytest.mark.parametrize(
    ("breaks", "taken"),
    [
        ((), range(100, 108)),
        ((100,), range(100, 108)),
        ((103,), range(103, 111)),
        ((112,), range(100, 108)),
        ((105, 108), range(108, 116)),
        (range(100, 130), range(100, 101)),
        ((104, *range(110, 130)), range(104, 110)),
    ],
)
def test_the_head_is_of_one_scene(breaks, taken):
    clip = Clip(range(100, 130), frozenset(breaks), numbered)
    assert [int(frame) for frame in clip.head(8)] == list(taken)
