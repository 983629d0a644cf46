import pytest
import torch

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.deflicker import deflicker


def rows_of(height: int, width: int) -> torch.Tensor:
    return ((torch.arange(height) + 0.5) / height)[:, None].expand(height, width)


def test_linear_light_is_scaled():
    grey = linear_to_srgb(torch.full((3, 4, 5), 0.1))
    made = srgb_to_linear(deflicker(grey, torch.tensor([1.5]), rows_of(4, 5)))
    torch.testing.assert_close(made, torch.full((3, 4, 5), 0.15), atol=1e-3, rtol=0)


def test_gains_lie_at_the_middles_of_bands_and_are_interpolated_between():
    grey = linear_to_srgb(torch.full((3, 8, 1), 0.05))
    gain = srgb_to_linear(deflicker(grey, torch.tensor([1.0, 2.0]), rows_of(8, 1)))[0, :, 0] / 0.05
    torch.testing.assert_close(gain, torch.tensor([1, 1, 1.125, 1.375, 1.625, 1.875, 2, 2]), atol=2e-3, rtol=0)


@pytest.mark.parametrize("gain", [0.6, 1.0, 1.7])
def test_white_stays_white_and_values_in_range_and_in_order(gain):
    ramp = torch.linspace(0, 1, 256).expand(3, 1, -1).contiguous()
    made = deflicker(ramp, torch.tensor([gain] * 3), torch.full((1, 256), 0.4))
    assert made[:, 0, -1].tolist() == pytest.approx([1, 1, 1], abs=1e-6)
    assert made.min() >= 0
    assert made.diff(dim=2).min() >= -1e-6 if gain >= 1 else made.diff(dim=2).min() > -0.01
    if gain == 1:
        torch.testing.assert_close(made, ramp, atol=1e-6, rtol=0)
