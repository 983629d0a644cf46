"""Learning rate: the schedule that both trainers follow, a cosine after a linear warm-up, and where it is set."""

from math import cos, pi

from torch.optim import Optimizer


def cosine_rate(step: int, steps: int, peak: float, floor: float = 0.01, warm_up: float = 0.05) -> float:
    """Cosine annealing (SGDR, eq. 5): the learning rate of a step, of those that are counted from 0.

    It rises to `peak` in a fraction `warm_up` of the steps, then falls to a fraction `floor` of it.

    >>> [round(cosine_rate(step, 100, peak=1e-3), 6) for step in (0, 4, 50, 100)]
    [0.0002, 0.000996, 0.000505, 1e-05]
    """
    rise = min(1.0, (step + 1) / (warm_up * steps)) if warm_up else 1.0
    return peak * rise * (floor + (1 - floor) * (1 + cos(pi * step / steps)) / 2)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the next step of an optimizer, for all of its weights."""
    for group in optimizer.param_groups:
        group["lr"] = rate
