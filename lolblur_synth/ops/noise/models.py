"""Models of noise behind one seam: each takes exposed sRGB, not clipped above white, and a generator of its fields."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from lolblur_synth.ops.noise.bayer import add_bayer_noise
from lolblur_synth.ops.noise.camera import Model, Sensor
from lolblur_synth.ops.noise.shot_read import add_noise

AddNoise = Callable[[Tensor, torch.Generator], Tensor]


def noise_model(model: Model, shot: float, read: float, sensor: Sensor | None) -> AddNoise:
    """The noise model of these levels, as a function of (3, H, W) and a CPU generator; its result is in [0, 1].

    `sensor` is of `bayer`; `ValueError` where that has none.

    >>> add = noise_model("none", 0.0, 0.0, None)
    >>> add(torch.full((3, 1, 1), 1.5), torch.Generator()).flatten()
    tensor([1., 1., 1.])
    """
    if model == "none":
        return _clip
    if model == "linear":
        return partial(_add_linear, shot=shot, read=read)
    if sensor is None:
        raise ValueError("noise on a mosaic needs a sensor")
    return partial(add_bayer_noise, shot=shot, read=read, sensor=sensor)


def _clip(exposed: Tensor, _: torch.Generator) -> Tensor:
    return exposed.clamp(0, 1)


def _add_linear(exposed: Tensor, generator: torch.Generator, shot: float, read: float) -> Tensor:
    """Shot and read noise in linear light, of what is clipped at white before."""
    return add_noise(exposed.clamp(0, 1), shot, read, torch.randn(exposed.shape, generator=generator))
