"""V-BM4D's backend for the CPU: trajectories and volumes of one reference frame, by compiled kernels."""

from collections.abc import Iterable

import torch
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.ops.denoise.vbm4d.blocks import Accumulators, Frames, Trajectories
from lolblur_synth.ops.denoise.vbm4d.common_motion import share_motion
from lolblur_synth.ops.denoise.vbm4d.groups import filter_groups
from lolblur_synth.ops.denoise.vbm4d.passes import Job
from lolblur_synth.ops.denoise.vbm4d.trajectories import compute_trajectories, nothing_followed
from lolblur_synth.ops.denoise.vbm4d.transforms import FRAMES, SIDE, Planes, bands, rows_of_bands
from lolblur_synth.ops.denoise.vbm4d.volumes import filter_volumes


def filter_job(job: Job, each: Map) -> None:
    """Compute the trajectories of a job's blocks, filter the volumes and aggregate them in its sums.

    In bands of rows, by `each`; those that are worked on at the same time write to different rows.
    """
    strips = bands(job.size[0])
    starts = rows_of_bands(job.grid[0], job.size[0])
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
    settings, (ys, xs) = job.settings, job.grid
    followed = nothing_followed(len(ys), len(xs), len(job.window))
    pilot, stride = planes(frame.pilot for frame in job.window), job.window[0].noisy.shape[-1]
    forward = torch.stack([frame.forward for frame in job.window]).numpy()
    backward = torch.stack([frame.backward for frame in job.window]).numpy()
    noise = float(job.variance.mean(1)[0])
    bottom, right = (side - SIDE for side in job.size)

    def follow(band: int) -> None:
        rows = slice(starts[band], starts[band + 1])
        part = followed.part(rows)
        compute_trajectories(
            pilot, stride, job.reference, ys[rows], xs, forward, backward,
            noise * settings.noise, settings.match_tolerance, settings.slope_tolerance, settings.wiener,
            bottom, right, part,
        )  # fmt: skip
        if settings.wiener:
            share_motion(pilot, stride, job.reference, ys[rows], xs, (bottom, right), noise, part)

    list(each(follow, range(len(starts) - 1)))
    return Trajectories(ys, xs, followed.places, followed.valid)


def planes(frames: Iterable[Tensor]) -> Planes:
    """Frames (C, H, W) for compiled functions."""
    flat = [frame.flatten(1).numpy() for frame in frames]
    return tuple(flat + flat[-1:] * (FRAMES - len(flat)))
