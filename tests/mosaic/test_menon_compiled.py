"""Menon's demosaicing, compiled."""

import pytest
import torch

from lolblur_synth.mosaic.menon import menon
from lolblur_synth.mosaic.menon_compiled import menon_compiled


@pytest.mark.parametrize("red", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("size", [(16, 16), (33, 48), (40, 57)])
def test_it_is_the_one_in_torch(red, size):
    raw = torch.rand(size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(menon_compiled(raw, *red), menon(raw, *red), atol=2e-6, rtol=0)


def test_its_input_stays_as_it_is():
    raw = torch.rand(24, 24, generator=torch.Generator().manual_seed(1))
    before = raw.clone()
    menon_compiled(raw, 0, 0)
    assert torch.equal(raw, before)
