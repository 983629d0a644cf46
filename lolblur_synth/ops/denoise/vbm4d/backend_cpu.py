"""V-BM4D's backend for the CPU: trajectories and volumes of one reference frame, by compiled kernels."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.ops.denoise.vbm4d.blocks import Accumulators, Frames, Trajectories
from lolblur_synth.ops.denoise.vbm4d.groups import filter_groups
from lolblur_synth.ops.denoise.vbm4d.passes import Job
from lolblur_synth.ops.denoise.vbm4d.trajectories import compute_trajectories
from lolblur_synth.ops.denoise.vbm4d.transforms import FRAMES, SIDE, Planes, bands
from lolblur_synth.ops.denoise.vbm4d.volumes import filter_volumes


def filter_job(job: Job, each: Map) -> None:
    """Compute the trajectories of a job's blocks, filter the volumes and aggregate them in its sums.

    In bands of rows, by `each`; those that are worked on at the same time write to different rows.
    """
    strips = bands(job.size[0])
    starts = [int(np.searchsorted(job.grid[0], top)) for top, _ in strips] + [len(job.grid[0])]
    trajectories = _trajectories(job, starts, each)
    noisy, pilot = (planes(frames) for frames in zip(*((f.noisy, f.pilot) for f in job.window), strict=True))
    mean, stride = job.variance.mean(1).numpy(), job.window[0].noisy.shape[-1]
    window = Frames(noisy, pilot, not job.settings.wiener, stride, job.reference, job.variance.numpy(), mean)
    values, weights = planes(job.sums), planes(job.weights)
    bottom, right = (side - SIDE for side in job.size)

    def filter_rows(k: int) -> None:
        low = 0 if k == 0 else sum(strips[k - 1]) // 2
        high = job.size[0] if k + 1 == len(strips) else sum(strips[k + 1]) // 2
        sums, rows = Accumulators(values, weights, low, high), (starts[k], starts[k + 1])
        if job.settings.grouped:
            filter_groups(window, trajectories, *rows, bottom, right, sums)
        else:
            thresholds = job.settings.threshold_dc, job.settings.threshold_ac
            filter_volumes(window, trajectories, *rows, *thresholds, sums)

    for parity in (0, 1):
        list(each(filter_rows, range(parity, len(strips), 2)))


def _trajectories(job: Job, starts: list[int], each: Map) -> Trajectories:
    """Of all blocks of the grid, whose rows are cut into bands at `starts`."""
    settings, (ys, xs), frames = job.settings, job.grid, len(job.window)
    places = np.zeros((len(ys), len(xs), frames, 2), np.float32)
    valid = np.zeros((len(ys), len(xs), frames), np.bool_)
    pilot, stride = planes(frame.pilot for frame in job.window), job.window[0].noisy.shape[-1]
    forward = torch.stack([frame.forward for frame in job.window]).numpy()
    backward = torch.stack([frame.backward for frame in job.window]).numpy()
    noise = float(job.variance.mean(1)[0]) * settings.noise
    bottom, right = (side - SIDE for side in job.size)

    def follow(band: int) -> None:
        rows = slice(starts[band], starts[band + 1])
        compute_trajectories(
            pilot, stride, job.reference, ys[rows], xs, forward, backward,
            noise, settings.match_tolerance, settings.slope_tolerance, settings.wiener,
            bottom, right, places[rows], valid[rows],
        )  # fmt: skip

    list(each(follow, range(len(starts) - 1)))
    return Trajectories(ys, xs, places, valid)


def planes(frames: Iterable[Tensor]) -> Planes:
    """Frames (C, H, W) for compiled functions."""
    flat = [frame.flatten(1).numpy() for frame in frames]
    return tuple(flat + flat[-1:] * (FRAMES - len(flat)))
