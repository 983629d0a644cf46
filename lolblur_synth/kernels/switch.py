"""Whether compiled kernels run, decided here alone; set `LOLBLUR_KERNELS=torch` to have plain torch instead."""

import os

import torch
from torch import Tensor

from lolblur_synth.core.errors import UserError

VARIABLE = "LOLBLUR_KERNELS"


def kernels_enabled() -> bool:
    """False where `LOLBLUR_KERNELS` is `torch`; true where it is `compiled`, empty or not set; else `UserError`."""
    value = os.environ.get(VARIABLE, "")
    if value not in ("", "compiled", "torch"):
        raise UserError(f"{VARIABLE} is {value!r}", advice="set it to compiled or torch, or leave it unset")
    return value != "torch"


def runs_compiled(*tensors: Tensor) -> bool:
    """Whether compiled kernels take these tensors: float32 on a CPU, not traced, not under autocast, not switched off.

    >>> runs_compiled(torch.zeros(1, dtype=torch.float64))
    False
    """
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    return all(x.device.type == "cpu" and x.dtype == torch.float32 for x in tensors) and kernels_enabled()
