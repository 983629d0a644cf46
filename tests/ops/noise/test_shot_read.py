"""Shot and read noise."""

import pytest
import torch

from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.ops.noise.shot_read import add_noise
from tests.support.pictures import grey


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_noise_has_the_variance_that_was_asked_for(level):
    field = torch.randn(3, 200, 200, generator=torch.Generator().manual_seed(0))
    noisy = srgb_to_linear(add_noise(grey(level, 200), 1e-4, 1e-6, field))
    linear = srgb_to_linear(torch.tensor(level)).item()
    assert noisy.var().item() == pytest.approx(1e-4 * linear + 1e-6, rel=0.03)
    assert noisy.mean().item() == pytest.approx(linear, abs=2e-4)


def test_noise_of_nothing_and_at_the_ends():
    field = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(add_noise(grey(0.3), 0, 0, field), grey(0.3), atol=1e-6, rtol=0)
    for level in (0.0, 1.0):
        noisy = add_noise(grey(level), 1e-2, 1e-3, field)
        assert torch.isfinite(noisy).all()
        assert 0 <= noisy.min() <= noisy.max() <= 1


def test_its_input_stays_as_it_is():
    frame = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(1))
    before = frame.clone()
    add_noise(frame, 1e-3, 1e-4, torch.ones_like(frame))
    assert torch.equal(frame, before)
