"""Menon's demosaicing in torch."""

import pytest
import torch

from lolblur_synth.mosaic.menon import menon


@pytest.mark.parametrize("dim", [0, 1])
def test_stripes_are_interpolated_along_themselves(dim):
    """Grey that changes along one axis at random is exact: the direction in which nothing changes is chosen."""
    line = torch.rand(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    raw = line.expand(32, 40) if dim else line[:32, None].expand(32, 40)
    torch.testing.assert_close(menon(raw, 0, 0), raw.expand(3, 32, 40), atol=1e-12, rtol=0)


def test_colour_differences_that_are_flat_are_exact():
    """Any detail that red, green and blue share in a direction is kept, with the colour of the surface on it."""
    detail = torch.rand(40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rgb = detail.expand(3, 32, 40) + torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64)[:, None, None]
    raw = rgb[1].clone()
    raw[0::2, 0::2], raw[1::2, 1::2] = rgb[0, 0::2, 0::2], rgb[2, 1::2, 1::2]
    torch.testing.assert_close(menon(raw, 0, 0), rgb, atol=1e-12, rtol=0)
