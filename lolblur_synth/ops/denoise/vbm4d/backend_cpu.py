"""The volumes of one reference frame, traced and filtered on the processor by what numba compiled."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.ops.denoise.vbm4d.blocks import Frames, Sums, Traced
from lolblur_synth.ops.denoise.vbm4d.groups import denoise_groups
from lolblur_synth.ops.denoise.vbm4d.trajectories import trace
from lolblur_synth.ops.denoise.vbm4d.transforms import FRAMES, SIDE, Planes, bands
from lolblur_synth.ops.denoise.vbm4d.volumes import denoise_volumes

if TYPE_CHECKING:
    from lolblur_synth.ops.denoise.vbm4d.stages import Job


def work(job: "Job", each: Map) -> None:
    """Trace and filter the volumes of a job, and add them to its sums.

    In bands of rows, by `each`; those that are worked on at the same time write to different rows.
    """
    settings, size, (ys, xs) = job.settings, job.size, job.grid
    frames, stride = len(job.window), job.window[0].noisy.shape[-1]
    bottom, right = size[0] - SIDE, size[1] - SIDE
    places = np.zeros((len(ys), len(xs), frames, 2), np.float32)
    valid = np.zeros((len(ys), len(xs), frames), np.bool_)
    noisy, pilot = planes(frame.noisy for frame in job.window), planes(frame.pilot for frame in job.window)
    forward = torch.stack([frame.forward for frame in job.window]).numpy()
    backward = torch.stack([frame.backward for frame in job.window]).numpy()
    mean = job.variance.mean(1)
    strips = bands(size[0])
    starts = [int(np.searchsorted(ys, top)) for top, _ in strips] + [len(ys)]

    def follow(k: int) -> None:
        rows = slice(starts[k], starts[k + 1])
        trace(
            pilot, stride, job.reference, ys[rows], xs, forward, backward,
            float(mean[0]) * settings.noise, settings.allowed, settings.misfit, settings.wiener,
            bottom, right, places[rows], valid[rows],
        )  # fmt: skip

    list(each(follow, range(len(strips))))

    window = Frames(noisy, pilot, not settings.wiener, stride, job.reference, job.variance.numpy(), mean.numpy())
    traced = Traced(ys, xs, places, valid)
    values, weights = planes(job.sums), planes(job.weights)

    def filter_rows(k: int) -> None:
        low = 0 if k == 0 else sum(strips[k - 1]) // 2
        high = size[0] if k + 1 == len(strips) else sum(strips[k + 1]) // 2
        sums = Sums(values, weights, low, high)
        if settings.grouped:
            denoise_groups(window, traced, starts[k], starts[k + 1], bottom, right, sums)
        else:
            denoise_volumes(window, traced, starts[k], starts[k + 1], settings.still, settings.moving, sums)

    for parity in (0, 1):
        list(each(filter_rows, range(parity, len(strips), 2)))


def planes(frames: Iterable[Tensor]) -> Planes:
    """Frames (C, H, W) for compiled functions."""
    flat = [frame.flatten(1).numpy() for frame in frames]
    return tuple(flat + flat[-1:] * (FRAMES - len(flat)))
