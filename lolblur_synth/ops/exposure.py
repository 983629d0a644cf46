"""The exposure: averaging of light while the shutter is open, of all rows at once or of one after the other."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Literal

import torch
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


def row_weights(count: int, exposed: int, readout: float, height: int) -> Tensor:
    """Rolling shutter: the weights (count, H), in [0, 1], with which each row of a picture averages sub-frames.

    Row y of H averages `exposed` moments, one sub-frame apart, around (y/(H-1) - 1/2) `readout` sub-frames from the
    middle one of `count`; moments between two sub-frames are interpolated linearly. Every row's weights sum to
    `exposed`. Raises `ValueError` where `count` does not reach the first and the last row.

    >>> row_weights(5, 3, 1.0, 3).T
    tensor([[0.5000, 1.0000, 1.0000, 0.5000, 0.0000],
            [0.0000, 1.0000, 1.0000, 1.0000, 0.0000],
            [0.0000, 0.5000, 1.0000, 1.0000, 0.5000]], dtype=torch.float64)
    """
    if exposed + readout > count:
        raise ValueError(f"{count} sub-frames hold no exposure of {exposed} that is read out in {readout:g}")
    rows = torch.linspace(-0.5, 0.5, height, dtype=torch.float64) if height > 1 else torch.zeros(1, dtype=torch.float64)
    places = torch.arange(count, dtype=torch.float64)[:, None] - (count - 1) / 2
    return ((exposed + 1) / 2 - (places - readout * rows).abs()).clamp(0, 1)


def expose(frames: Iterable[Tensor], count: int, exposed: int, readout: float) -> Tensor:
    """The exposure of a stream of `count` frames (3, H, W): their average, or that of each row under a rolling shutter.

    `row_weights` has the rows' shares, from top to bottom. They are taken as a running mean, which leaves alike what
    is alike in all frames, to the bit. Without `readout` it is `average`, of all frames.

    >>> frames = [torch.full((3, 3, 1), float(number)) for number in range(5)]
    >>> expose(frames, 5, 3, 1.0)[0, :, 0]
    tensor([1.5000, 2.0000, 2.5000])
    """
    return average(frames) if readout == 0 else _average_by_rows(iter(frames), count, exposed, readout)


def _average_by_rows(frames: Iterator[Tensor], count: int, exposed: int, readout: float) -> Tensor:
    first = next(frames, None)
    if first is None:
        raise ValueError("exposure of no frames")
    weights = row_weights(count, exposed, readout, first.shape[-2])
    shares = (weights / weights.cumsum(0)).nan_to_num_(0.0).to(first)  # of what has been seen, so that the mean runs
    mean = torch.zeros_like(first)
    for frame, share in zip(chain([first], frames), shares, strict=True):
        mean.lerp_(frame, share[:, None])
    return mean
