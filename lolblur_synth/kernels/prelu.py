"""PReLU whose gradients are found in one pass over memory on CPUs.

Torch writes the slope's gradient for every element before it adds them up: half of the time, and memory of the size of
the images.
"""

from math import fsum
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lolblur_synth.core.threads import on_torch_threads
from lolblur_synth.kernels.jit import ZERO, Floats, Real, jit
from lolblur_synth.kernels.layout import channels_last, flat
from lolblur_synth.kernels.simd import WIDTH, broadcast_n, horizontal_sum, load_n, select_greater, store
from lolblur_synth.kernels.switch import runs_compiled

_SPAN = 2**17  # elements whose sum is of float32; the same for any number of threads


class PReLU(nn.PReLU):
    """max(x, 0) + slope min(x, 0), with one slope that is learned (He et al., ICCV 2015)."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """Of any shape."""
        if not _applies(x, self.weight):
            return super().forward(x)
        sloped: Tensor = _PReLUFunction.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return sloped


def _applies(x: Tensor, slope: Tensor) -> bool:
    """Whether its gradient is found here: that of images, where one is asked for."""
    return torch.is_grad_enabled() and x.ndim == 4 and runs_compiled(x, slope)


class _PReLUFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return F.prelu(x, slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        to_x = torch.empty_like(x, memory_format=torch.channels_last)
        arrays = flat(channels_last(x)), flat(channels_last(gradient)), flat(channels_last(to_x))
        value = slope.detach().numpy()[0]
        spans = [(first, min(first + _SPAN, x.numel())) for first in range(0, x.numel(), _SPAN)]
        sums = on_torch_threads(lambda span: _backward_span(*arrays, value, *span), spans)
        return to_x, torch.tensor([fsum(sums)], dtype=slope.dtype)


@jit
def _backward_span(x: Floats, gradient: Floats, to_x: Floats, slope: Real, first: int, last: int) -> float:
    """Gradients of elements from `first` on; that of the slope is returned."""
    whole = first + (last - first) // WIDTH * WIDTH
    sums = broadcast_n(ZERO)
    for k in range(first, whole, WIDTH):
        value, outer = load_n(x, k), load_n(gradient, k)
        store(select_greater(value, ZERO, outer, slope * outer), to_x, k)
        sums = sums + select_greater(value, ZERO, broadcast_n(ZERO), value * outer)
    to_slope = horizontal_sum(sums)
    for k in range(whole, last):
        above = x[k] > ZERO
        to_x[k] = gradient[k] if above else slope * gradient[k]
        to_slope += ZERO if above else x[k] * gradient[k]
    return float(to_slope)
