"""The dimming of the ground truth."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.ops.dim import dim
from tests.support.pictures import grey


@given(st.floats(0.1, 1), st.floats(0, 1))
def test_dim_is_a_factor_in_the_mid_tones_and_keeps_white(factor, value):
    dimmed = dim(grey(value, 1), factor)[0, 0, 0].item()
    assert dimmed <= value + 1e-6
    assert dim(grey(1, 1), factor)[0, 0, 0].item() == pytest.approx(1)
    if value < 0.5:
        assert dimmed == pytest.approx(factor * value, abs=0.005)


@given(st.floats(0.1, 1), st.floats(0, 0.99))
def test_dim_keeps_the_order_of_tones(factor, value):
    assert dim(grey(value, 1), factor)[0, 0, 0] < dim(grey(value + 0.01, 1), factor)[0, 0, 0]


def test_dim_keeps_hue():
    colour = torch.tensor([0.9, 0.3, 0.1])[:, None, None]
    dimmed = dim(colour, 0.7)
    torch.testing.assert_close(dimmed / dimmed[0], colour / colour[0])


def test_its_input_stays_as_it_is():
    frame = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(1))
    before = frame.clone()
    dim(frame, 0.5)
    assert torch.equal(frame, before)
