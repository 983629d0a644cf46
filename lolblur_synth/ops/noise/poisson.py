"""Poisson counts by quantiles: each sample follows from one standard normal number, whatever its neighbours are.

A rejection sampler takes as many random numbers as it needs, so that a rate that is rounded otherwise on another device
changes all counts behind it. Here it can change one count by one.
"""

import math

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.kernels.jit import Floats, jit
from lolblur_synth.kernels.switch import runs_compiled

EXACT = 30.0  # electrons; above, the normal distribution of the same mean and variance
_LAST = 90  # the count of 30 electrons reaches it with probability 1e-18


def poisson(rate: Tensor, normal: Tensor) -> Tensor:
    """Poisson counts of these rates by the inverse distribution function, exact below 30; at 30 and above normal.

    `normal` is standard normal, of the same shape; rates below 0 count as 0.

    >>> poisson(torch.tensor([0.0, 2.0, 100.0]), torch.tensor([3.0, 0.0, 1.0]))
    tensor([  0.,   2., 110.])
    """
    if not runs_compiled(rate, normal):
        return _poisson(rate, normal)
    counts = torch.empty(rate.shape)
    _poisson_compiled(rate.contiguous().view(-1).numpy(), normal.contiguous().view(-1).numpy(), counts.view(-1).numpy())
    return counts


def _poisson(rate: Tensor, normal: Tensor) -> Tensor:
    few = rate.clamp(0, EXACT).double()
    uniform = torch.special.ndtr(normal.double())
    probability = torch.exp(-few)
    below = probability.clone()
    count = torch.zeros_like(few)
    for k in range(1, _LAST):
        count += uniform > below
        probability *= few / k
        below += probability
    return torch.where(rate < EXACT, count.to(rate.dtype), rate + rate.clamp(min=0).sqrt() * normal)


@jit
def _poisson_compiled(rate: Floats, normal: Floats, counts: Floats) -> None:
    for i in range(rate.size):
        if rate[i] >= np.float32(EXACT):
            counts[i] = rate[i] + math.sqrt(rate[i]) * normal[i]
            continue
        mean = float(max(rate[i], np.float32(0)))
        uniform = 0.5 * math.erfc(-float(normal[i]) * math.sqrt(0.5))
        probability = math.exp(-mean)
        below = probability
        count = 0
        while uniform > below and count < _LAST - 1:
            count += 1
            probability *= mean / count
            below += probability
        counts[i] = np.float32(count)
