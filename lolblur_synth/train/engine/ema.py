"""Exponential moving average (EMA) of weights: smoother than the last ones, and what is kept in their place."""

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


def update_ema(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move averaged weights to `decay` of themselves and 1 - `decay` of a network's, after each of its steps.

    `average` begins as a copy of the network before its first step. torch's `AveragedModel` would begin with the
    weights after it, store them under other names, and wait for the device at each step to read its counter.
    """
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    update(list(average.parameters()), list(net.parameters()), 0)
