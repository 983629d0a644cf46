"""The exposure: averaging of light while the shutter is open."""

from collections.abc import Callable, Iterable
from typing import Literal

from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear

Space = Literal["linear", "srgb"]


def _unchanged(image: Tensor) -> Tensor:
    return image


def space_of(name: Space) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """The functions from sRGB to the space in which light is added, and back.

    >>> import torch
    >>> to_light, to_srgb = space_of("linear")
    >>> to_srgb(average(map(to_light, [torch.tensor(0.0), torch.tensor(1.0)])))
    tensor(0.7354)
    """
    return (srgb_to_linear, linear_to_srgb) if name == "linear" else (_unchanged, _unchanged)


def average(frames: Iterable[Tensor]) -> Tensor:
    """The mean of a stream of equal shapes, kept as one running sum; raises `ValueError` for an empty stream.

    >>> import torch
    >>> average(torch.tensor([value]) for value in (0.0, 0.5, 1.0))
    tensor([0.5000])
    """
    total: Tensor | None = None
    count = 0
    for frame in frames:
        total = frame.clone() if total is None else total.add_(frame)
        count += 1
    if total is None:
        raise ValueError("average of no frames")
    return total.div_(count)
