"""The models of noise behind one seam."""

import pytest
import torch

from lolblur_synth.mosaic.color import normalized
from lolblur_synth.ops.noise.camera import Sensor
from lolblur_synth.ops.noise.models import noise_model
from lolblur_synth.ops.noise.shot_read import add_noise

EXPOSED = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0)) * 1.4


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_no_noise_is_what_is_clipped_at_white():
    assert torch.equal(noise_model("none", 0.1, 0.1, None)(EXPOSED, generator()), EXPOSED.clamp(0, 1))


def test_the_linear_model_clips_before_the_noise():
    field = torch.randn(EXPOSED.shape, generator=generator())
    expected = add_noise(EXPOSED.clamp(0, 1), 1e-3, 1e-5, field)
    assert torch.equal(noise_model("linear", 1e-3, 1e-5, None)(EXPOSED, generator()), expected)


def test_the_mosaic_clips_after_it():
    color, (red, blue) = normalized(((1.0, 0.1, 0.0), (0.0, 1.0, 0.1), (0.0, 0.1, 0.9)))
    sensor = Sensor("none", "GBRG", color, max(red, 1.5), max(blue, 1.5), 0.0, None, None, "malvar")
    lamp = torch.full((3, 32, 32), 1.3)
    assert noise_model("bayer", 1e-4, 1e-6, sensor)(lamp, generator()).min() > 1 - 1e-6
    assert noise_model("linear", 1e-4, 1e-6, None)(lamp, generator()).min() < 1 - 1e-3


def test_a_mosaic_needs_a_sensor():
    with pytest.raises(ValueError, match="needs a sensor"):
        noise_model("bayer", 1e-4, 1e-6, None)
