"""What there is to compute on."""

import os

import torch

from lolblur_synth.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one; `cuda` without one is a `UserError`, never a silent fallback."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "--device cuda: torch finds no CUDA device here; use --device cpu (lolblur-synth doctor tells more)"
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))
