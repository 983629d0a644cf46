"""Compute devices: CUDA or the CPU, its cores, how many threads a worker gets, and exact convolution on either."""

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.errors import UserError, setting

MOST_THREADS = 8  # of a worker: each holds frames, and more would wait for each other


def choose_device(name: str) -> torch.device:
    """Torch device by name: `auto` is CUDA where there is one; `cuda` without one is a `UserError`, no silent fallback.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "torch finds no CUDA device here",
            where=f"{setting('device')} cuda",
            advice=f"use {setting('device')} cpu (lolblur-synth doctor tells more)",
        )
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def convolve(images: Tensor, kernels: Tensor, groups: int = 1) -> Tensor:
    """Convolution of images (N, C, H, W) in their own precision on any device.

    Left to itself, cuDNN rounds float32 to TF32, 11 bits: pictures have up to 16.

    >>> convolve(torch.ones(1, 1, 3, 3), torch.full((1, 1, 3, 3), 2.0))
    tensor([[[[18.]]]])
    """
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return F.conv2d(images, kernels, groups=groups)


def memory_used(device: torch.device) -> int:
    """Memory in bytes: the most that tensors on a CUDA device took so far; on the CPU, what this process holds now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def threads_for(workers: int, device: torch.device) -> int:
    """Threads of each worker, so that all together are as many as the cores; on CUDA the device does the work."""
    return 1 if device.type == "cuda" else min(MOST_THREADS, max(1, cores() // max(1, workers)))
