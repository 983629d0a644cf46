"""V-BM4D's backend in tensors, for any device: the CUDA path. All volumes at once, where the compiled one takes each.

Frames are (C, H, W) with a border of `PAD`. Blocks are (..., 8, 8), spectra (..., 64). V counts volumes, M the members
of a group, or one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.ops.denoise.vbm4d.blocks import QUIET
from lolblur_synth.ops.denoise.vbm4d.common_motion_torch import share_motion
from lolblur_synth.ops.denoise.vbm4d.passes import Job
from lolblur_synth.ops.denoise.vbm4d.trajectories_torch import (
    batches,
    compute_trajectories,
    device_tables,
    group_similar,
    sample,
)
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    AREA,
    FRAMES,
    PAD,
    REACH,
    SIDE,
    bands,
    rows_of_bands,
)


def filter_job(job: Job, _each: Map) -> None:
    """Compute the trajectories of a job's blocks, filter the volumes and aggregate them in its sums."""
    noisy, pilot, forward, backward = (torch.stack(planes) for planes in zip(*job.window, strict=True))
    device, settings, (ys, xs) = noisy.device, job.settings, job.grid
    starts = torch.cartesian_prod(torch.from_numpy(ys), torch.from_numpy(xs)).to(device)
    guide, noise = pilot[:, 0], float(job.variance[0].mean())
    followed = compute_trajectories(guide, job.reference, starts, (forward, backward), noise * settings.noise, settings)
    places, valid = followed.places, followed.valid
    if settings.wiener:
        grid, rows = starts.view(len(ys), len(xs), 2), rows_of_bands(ys, job.size[0])
        shared = share_motion(guide, job.reference, grid, rows, noise, followed)
        places, valid = (each.flatten(0, 1) for each in shared)
    limits = torch.tensor(_limits(ys.tolist(), job.size[0]), device=device).repeat_interleave(len(xs), 0)
    found = group_similar(pilot[job.reference, 0], starts) if settings.grouped else starts[:, None]
    for part in batches(len(starts), found.shape[1] * noisy.shape[0] * noisy.shape[1] * AREA):
        volumes = _Volumes(places[part], valid[part], found[part], limits[part])
        filter_volumes(noisy, pilot, volumes, job)


def _limits(ys: list[int], height: int) -> list[tuple[int, int]]:
    """The rows that each row of volumes may add to, as the compiled path has it: half of the neighbouring bands too."""
    strips = bands(height)
    lows = [0, *(sum(strip) // 2 for strip in strips[:-1])]
    highs = [*(sum(strip) // 2 for strip in strips[1:]), height]
    inside = [next(k for k, (_, below) in enumerate(strips) if y < below) for y in ys]
    return [(lows[k], highs[k]) for k in inside]


class _Volumes(NamedTuple):
    """Blocks that are followed through the frames."""

    places: Tensor  # (V, T, 2)
    valid: Tensor  # (V, T)
    found: Tensor  # (V, M, 2): in the reference frame, those of the group, which move as the first one does
    limits: Tensor  # (V, 2): rows beyond which nothing is added


def filter_volumes(noisy: Tensor, pilot: Tensor, volumes: _Volumes, job: Job) -> None:
    """Filter volumes of frames (T, C, H, W) and add them to the running sums, as `volumes.filter_volumes` does."""
    settings, reference, variance = job.settings, job.reference, job.variance.to(noisy.device)
    matrices = temporal_matrices(volumes.valid)
    over_time = _over_time(noisy, volumes, matrices)
    spectrum = _spectrum(over_time, volumes)
    if settings.wiener:
        seen = _over_time(pilot, volumes, matrices)
        energy = seen.square().sum((3, 4))
        loud = energy >= QUIET * seen.shape[3] * seen.shape[4] * variance.mean(1)
        loud[:, 0] = True
        power = (_spectrum(seen, volumes) * loud[..., None, None]).square()
        gain = power / (power + variance[:, None])
        frames = slice(reference, reference + 1)  # what was sampled between pixels cannot be put back
        at = volumes.found[:, None]
    else:
        threshold = torch.full((spectrum.shape[1], 1, 1, 1), settings.threshold_ac, device=spectrum.device)
        threshold[0] = settings.threshold_dc
        gain = (spectrum.square() > threshold.square() * variance[:, None]).float()
        gain[:, 0, :, :, 0] = 1
        frames = slice(None)
        at = volumes.places[:, :, None].long()
    left = (gain.square() * variance[:, None]).sum((1, 4))  # (V, C, M): the variance of the noise that stays
    share = 1 / left.sum(2, keepdim=True).maximum(variance[:, :1]).expand_as(left)
    blocks = _from_spectrum(spectrum * gain, matrices[:, :, frames])
    low, high = volumes.limits[:, :, None, None].unbind(1)
    kept = (at[..., 0] >= low) & (at[..., 0] + SIDE <= high) & volumes.valid[:, frames, None]
    aggregate(blocks, share[:, None] * kept[:, :, None], at, (job.sums, job.weights))


def temporal_matrices(valid: Tensor) -> Tensor:
    """The DCT of each volume over its valid frames (V, T), the others left out: (V, T, T)."""
    frames = valid.shape[1]
    column = (valid.cumsum(1) - 1).clamp(min=0)[:, None].expand(-1, FRAMES, -1)
    matrices = device_tables(valid.device).temporal[valid.sum(1)].gather(2, column) * valid[:, None]
    return matrices[:, :frames]


def _over_time(planes: Tensor, volumes: _Volumes, matrices: Tensor) -> Tensor:
    """Volumes of planes (T, C, H, W), with all that a group may lie in, by frequency of time: (V, T, C, side, side)."""
    margin = REACH if volumes.found.shape[1] > 1 else 0
    frames = zip(planes, volumes.places.unbind(1), strict=True)
    blocks = torch.stack([sample(frame, at, margin) for frame, at in frames]).permute(2, 0, 1, 3, 4)
    return (matrices @ blocks.flatten(2)).view(blocks.shape)


def _spectrum(over_time: Tensor, volumes: _Volumes) -> Tensor:
    """The spectrum in space, and across the members of groups: (V, T, C, M, 64)."""
    count, _, _, side, _ = over_time.shape
    tables = device_tables(over_time.device)
    if side == SIDE:
        return over_time.flatten(3)[:, :, :, None] @ tables.spatial.T
    y, x = (volumes.found - volumes.found[:, :1] + REACH).unbind(2)
    around = over_time.unfold(3, SIDE, 1).unfold(4, SIDE, 1).permute(0, 3, 4, 1, 2, 5, 6)
    members = around[torch.arange(count, device=y.device)[:, None], y, x]  # (V, M, T, C, 8, 8)
    return tables.across @ (members.flatten(4).permute(0, 2, 3, 1, 4) @ tables.spatial.T)


def _from_spectrum(spectrum: Tensor, matrices: Tensor) -> Tensor:
    """The blocks of R frames of a spectrum, by the columns (V, T, R) of its temporal transform: (V, R, C, M, 8, 8)."""
    volumes, _, channels, members, _ = spectrum.shape
    tables = device_tables(spectrum.device)
    blocks = (matrices.mT @ spectrum.flatten(2)).view(volumes, -1, channels, members, AREA)
    if members > 1:
        blocks = tables.across.T @ blocks
    return (blocks @ tables.spatial).view(*blocks.shape[:4], SIDE, SIDE)


def aggregate(blocks: Tensor, share: Tensor, at: Tensor, totals: tuple[Sequence[Tensor], Sequence[Tensor]]) -> None:
    """Add blocks (V, R, C, M, 8, 8) at (V, R, M, 2) to sums and weights of R frames, by their share (V, R, C, M)."""
    device = blocks.device
    inner = torch.arange(PAD, PAD + SIDE, device=device)
    weights = share[..., None, None] * device_tables(device).window
    for frame, (total, weight) in enumerate(zip(*totals, strict=True)):
        channels, height, width = total.shape
        plane = torch.arange(channels, device=device)[:, None] * (height * width)
        start = plane + (at[:, frame, :, 0] * width + at[:, frame, :, 1])[:, None]
        index = (start[..., None, None] + inner[:, None] * width + inner).flatten()
        shared = weights[:, frame]
        for sums, values in ((total, shared * blocks[:, frame]), (weight, shared)):
            if device.type == "cpu":  # each in an order that is the same every time: this one by one, that one sorted
                sums.view(-1).index_add_(0, index, values.flatten())
            else:
                sums.view(-1).index_put_((index,), values.flatten(), accumulate=True)
