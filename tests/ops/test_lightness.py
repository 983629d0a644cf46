"""Compiled lightness, against its formula."""

import pytest
import torch

from lolblur_synth.core import colorimetry
from lolblur_synth.ops.lightness import lightness


@pytest.mark.parametrize("shape", [(3, 40, 50), (2, 3, 7, 9), (3, 1, 1)])
def test_it_is_that_of_the_formula(shape):
    frame = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 1.1
    frame.view(-1)[:3] = torch.tensor([0.0, 0.04045, 1.0])
    found = lightness(frame)
    assert found.shape == colorimetry.lightness(frame).shape
    torch.testing.assert_close(found.double(), colorimetry.lightness(frame.double()), atol=4e-6, rtol=0)


def test_dark_greys_are_on_the_line():
    ramp = torch.linspace(0, 0.1, 1000).expand(3, 1, 1000)
    torch.testing.assert_close(lightness(ramp).double(), colorimetry.lightness(ramp.double()), atol=4e-6, rtol=0)


def test_gradients_go_through():
    frame = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    lightness(frame).sum().backward()
    assert frame.grad is not None
    assert (frame.grad > 0).all()
