"""Frames of a window lie in one block, which the next window takes over."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.frame_buffer import FrameBuffer


@given(st.integers(1, 5), st.data())
def test_what_is_kept_is_what_was_given(size: int, data: st.DataObject):
    buffer = FrameBuffer(size)
    places = set()
    for _ in range(3):
        frames = [torch.rand(3, 2, 4) for _ in range(data.draw(st.integers(1, size)))]
        kept = buffer.keep(iter(frames))
        assert all(map(torch.equal, kept, frames))
        assert {frame.untyped_storage().data_ptr() for frame in kept}.isdisjoint(f.data_ptr() for f in frames)
        places.add(kept[0].data_ptr())
    assert len(places) == 1


def test_a_frame_of_another_shape_is_a_fault():
    with pytest.raises(ValueError, match=r"a frame \(1, 2, 2\) among frames \(3, 2, 2\)"):
        FrameBuffer(2).keep([torch.zeros(3, 2, 2), torch.zeros(1, 2, 2)])


def test_more_than_there_is_room_for_is_a_fault():
    with pytest.raises(IndexError):
        FrameBuffer(1).keep([torch.zeros(3, 2, 2)] * 2)
