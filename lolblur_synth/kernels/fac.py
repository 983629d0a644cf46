"""Filter-adaptive convolution (FAC): every pixel and channel is filtered by a 5x5 kernel of its own.

Zhou et al., STFAN (ICCV 2019); in LEDNet the kernels are a 1x1 convolution of features of the encoder. All kernels of
an image would be 25 times as large as the image. Here they are predicted one tap at a time, for a band of rows that
stays in the processor's cache, applied and forgotten, and predicted again on the way back. For CPUs this is
compiled, where channels are many.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from lolblur_synth.kernels import fac_compiled
from lolblur_synth.kernels.fac_compiled import SIDE as SIDE
from lolblur_synth.kernels.layout import channels_last

_CACHED = 2**17  # elements of a band on a CPU: faster than a quarter or four times as many
_HELD = 2**26  # and elsewhere, where launching a kernel costs more than memory
Band = tuple[slice, slice]


def filter_adaptively(image: Tensor, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Filter an image by kernels that are predicted from features, with continued borders.

    `image` (N, C, H, W); `features` (N, F, H, W); `weight` (25 C, F, 1, 1) and `bias` (25 C,) give tap t of channel c,
    row by row, at 25 c + t. The result has the shape, type and layout of the image; sums are of float32 at least. Under
    autocast the kernels are predicted in its type.

    >>> image, features = torch.ones(1, 2, 4, 4), torch.zeros(1, 3, 4, 4)
    >>> filtered = filter_adaptively(image, features, torch.zeros(50, 3, 1, 1), torch.full((50,), 0.04))
    >>> torch.allclose(filtered, image)  # a mean of 5x5 pixels
    True
    """
    kind = image.device.type
    if torch.is_autocast_enabled(kind):
        lower = torch.get_autocast_dtype(kind)
        features, weight, bias = features.to(lower), weight.to(lower), bias.to(lower)
    precise = torch.promote_types(image.dtype, torch.float32)
    channels = image.shape[1]
    padded = channels_last(_continue_borders(image.to(precise), SIDE // 2))
    taps = weight.view(channels, SIDE * SIDE, -1).permute(1, 2, 0).contiguous()
    biases = bias.view(channels, SIDE * SIDE).t().contiguous()
    with torch.autocast(kind, enabled=False):
        filtered = _filter(padded, channels_last(features), taps, biases)
    filtered = filtered.permute(0, 3, 1, 2).to(image.dtype)
    last = image.is_contiguous(memory_format=torch.channels_last)
    return filtered if last else filtered.contiguous()


def _continue_borders(image: Tensor, by: int) -> Tensor:
    """An image with its border repeated `by` times on each side."""
    if not torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return F.pad(image, (by, by, by, by), mode="replicate")
    # Of channels-last images the gradient of that padding fails when compiled (torch 2.13): it comes in another layout.
    for axis in (2, 3):
        ends = (image.narrow(axis, at, 1) for at in (0, image.shape[axis] - 1))
        first, last = (end.expand(*(by if dim == axis else -1 for dim in range(4))) for end in ends)
        image = torch.cat((first, image, last), axis)
    return image


def _filter(padded: Tensor, features: Tensor, taps: Tensor, biases: Tensor) -> Tensor:
    return cast(Tensor, _FilterAdaptively.apply(padded, features, taps, biases))  # type: ignore[no-untyped-call]


class _FilterAdaptively(torch.autograd.Function):
    """Of padded images (N, H + 4, W + 4, C), features (N, H, W, F), taps (25, F, C) and biases (25, C)."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, features: Tensor, taps: Tensor, biases: Tensor) -> Tensor:
        ctx.save_for_backward(padded, features, taps, biases)
        if fac_compiled.fits(padded, features, taps):
            return fac_compiled.filtered(padded, features, taps, biases)
        filtered = padded.new_empty((*features.shape[:3], padded.shape[3]))
        for images, rows in _bands(filtered):
            inputs, sums = features[images, rows].flatten(0, 2), torch.zeros_like(filtered[images, rows])
            for tap, (weight, bias) in enumerate(zip(taps, biases, strict=True)):
                kernel = torch.addmm(bias, inputs, weight).view(sums.shape).to(sums.dtype)
                sums.addcmul_(kernel, _shifted(padded, images, rows, tap))
            filtered[images, rows] = sums  # at once: in a traced graph every write is a copy of all
        return filtered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        padded, features, taps, biases = ctx.saved_tensors
        gradient = gradient.contiguous()
        if fac_compiled.fits(padded, features, taps):
            return fac_compiled.gradients(padded, features, taps, biases, gradient)
        sums = [torch.zeros_like(x, dtype=padded.dtype) for x in (padded, features, taps, biases)]
        to_padded, to_features, to_taps, to_biases = sums
        for images, rows in _bands(gradient):
            inputs, outer = features[images, rows].flatten(0, 2), gradient[images, rows]
            to_inputs = to_features[images, rows].flatten(0, 2)
            for tap, (weight, bias) in enumerate(zip(taps, biases, strict=True)):
                kernel = torch.addmm(bias, inputs, weight).view(outer.shape).to(outer.dtype)
                _shifted(to_padded, images, rows, tap).addcmul_(kernel, outer)
                to_kernel = (_shifted(padded, images, rows, tap) * outer).flatten(0, 2)
                to_biases[tap] += to_kernel.sum(0)
                to_kernel = to_kernel.to(inputs.dtype)
                to_inputs += to_kernel @ weight.t()
                to_taps[tap] += inputs.t() @ to_kernel
        return to_padded, to_features.to(features.dtype), to_taps.to(taps.dtype), to_biases.to(biases.dtype)


def _bands(images: Tensor) -> Iterator[Band]:
    """Whole images (N, H, W, C) if they are small enough, else rows of one of them; all at once in a traced graph."""
    count, height, width, channels = images.shape
    if torch.compiler.is_compiling():
        yield slice(None), slice(0, height)
        return
    rows = max(1, (_CACHED if images.device.type == "cpu" else _HELD) // (width * channels))
    together = max(1, rows // height)
    for first in range(0, count, together):
        for top in range(0, height, rows):
            yield slice(first, first + together), slice(top, min(top + rows, height))


def _shifted(padded: Tensor, images: slice, rows: slice, tap: int) -> Tensor:
    """What a tap sees of a band."""
    down, right = divmod(tap, SIDE)
    width = padded.shape[2] - SIDE + 1
    return padded[images, rows.start + down : rows.stop + down, right : right + width]
