"""Image signal processing: what a camera does to a developed picture before it is stored, sharpening and JPEG."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.defocus import generalized_gaussian
from lolblur_synth.video.images import dequantize, quantize, through_jpeg
from lolblur_synth.video.metadata import Subsampling


@dataclass(frozen=True)
class Jpeg:
    """How a sequence is compressed; it is in the record."""

    quality: int  # 1 to 100, as libjpeg counts
    subsampling: Subsampling  # of chroma


def process(rgb: Tensor, sharpening: float, radius: float, jpeg: Jpeg | None) -> Tensor:
    """Sharpening, then JPEG, of a picture (3, H, W) in [0, 1], as it is encoded; what is off is no step, nor a copy.

    >>> import torch
    >>> frame = torch.rand(3, 8, 8)
    >>> process(frame, 0.0, 1.0, None) is frame
    True
    """
    sharpened = sharpen(rgb, sharpening, radius) if sharpening else rgb
    return compress(sharpened, jpeg) if jpeg else sharpened


def sharpen(rgb: Tensor, amount: float, radius: float) -> Tensor:
    """Unsharp masking of (3, H, W): add `amount` times the difference to a Gaussian blur; clipped to [0, 1].

    `radius` is the Gaussian's standard deviation in pixels. A wave of which the Gaussian leaves a share k gains
    1 + amount (1 - k). Borders are mirrored; each channel is sharpened by itself.
    """
    return (rgb + amount * (rgb - _blur(rgb, radius))).clamp(0, 1)


def _blur(rgb: Tensor, radius: float) -> Tensor:
    """Gaussian blur, along rows, then along columns."""
    weights = generalized_gaussian(radius, radius, 0.0, 2.0).sum(0).tolist()
    half = len(weights) // 2
    blurred = F.pad(rgb[None], (half, half, half, half), mode="reflect")[0]
    return _filter(_filter(blurred, weights, 2), weights, 1)


def _filter(padded: Tensor, weights: list[float], axis: int) -> Tensor:
    """A filter along one axis, tap by tap: torch's convolutions of single rows took 14 times as long on a CPU."""
    size = padded.shape[axis] - len(weights) + 1
    total = padded.narrow(axis, 0, size) * weights[0]
    for tap, weight in enumerate(weights[1:], 1):
        total.add_(padded.narrow(axis, tap, size), alpha=weight)
    return total


def compress(rgb: Tensor, jpeg: Jpeg) -> Tensor:
    """JPEG of (3, H, W) in [0, 1], rounded to 8 bits before it and after; on the CPU, given back to the device.

    Raises `SequenceError` for sides that JPEG cannot hold.

    >>> import torch
    >>> grey = torch.full((3, 8, 8), 100 / 255)
    >>> (compress(grey, Jpeg(50, "4:2:0")) * 255).unique()
    tensor([100.])
    """
    return dequantize(through_jpeg(quantize(rgb, 8), jpeg.quality, jpeg.subsampling)).to(rgb.device)
