"""The simplest pictures."""

import torch
from torch import Tensor


def grey(value: float, size: int = 8) -> Tensor:
    """One value everywhere, (3, size, size)."""
    return torch.full((3, size, size), value)
