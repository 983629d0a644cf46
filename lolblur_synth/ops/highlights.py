"""Highlights: light beyond white, which display-referred operators do not know, taken off before them and put back."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear


def clip_highlights(rgb: Tensor) -> Tensor:
    """Clip sRGB (3, H, W), whose curve goes on above 1, at white: the tone map of the ground truth."""
    return rgb.clamp(max=1)


def highlights(rgb: Tensor) -> Tensor:
    """Linear light beyond white of sRGB (3, H, W), by channel, from 0 upwards.

    >>> highlights(torch.tensor([0.5, 1.0, 1.5]).expand(3, 1, 3))[0]
    tensor([[0.0000, 0.0000, 1.5372]])
    """
    return srgb_to_linear(rgb) - srgb_to_linear(clip_highlights(rgb))


def add_highlights(rgb: Tensor, light: Tensor) -> Tensor:
    """Add linear light to sRGB (3, H, W); where there is none the values stay as they are, to the bit.

    >>> frame = torch.tensor([0.5, 1.0, 1.5]).expand(3, 1, 3)
    >>> add_highlights(clip_highlights(frame), highlights(frame))[0]
    tensor([[0.5000, 1.0000, 1.5000]])
    """
    return torch.where(light > 0, linear_to_srgb(srgb_to_linear(rgb) + light), rgb)


def beside_highlights(
    frames: Iterable[Tensor], operator: Callable[[Iterator[Tensor]], Iterable[Tensor]]
) -> Iterator[Tensor]:
    """What a streaming operator, from as many frames to as many, makes of frames clipped at white, with their light.

    >>> frames = [torch.full((3, 1, 1), value) for value in (0.25, 1.5)]
    >>> [round(frame.mean().item(), 2) for frame in beside_highlights(frames, lambda clipped: clipped)]
    [0.25, 1.5]
    """
    kept: deque[Tensor] = deque()

    def clipped() -> Iterator[Tensor]:
        for frame in frames:
            kept.append(highlights(frame))
            yield clip_highlights(frame)

    for done in operator(clipped()):
        yield add_highlights(done, kept.popleft())
