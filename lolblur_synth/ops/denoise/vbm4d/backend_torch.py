"""What `trajectories` and `filters` do block by block, for all blocks at once, on any device: the CUDA path.

The same decisions in the same order, so that either path gives what the other gives but for float rounding. Frames are
(C, H, W) with a border of `PAD`; positions (..., 2) are those of a block's top left sample without it, y and x. Blocks
are (..., 8, 8), spectra (..., 64). N counts blocks, V volumes, M the members of a group, or one.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.ops.denoise.vbm4d import trajectories
from lolblur_synth.ops.denoise.vbm4d.blocks import QUIET
from lolblur_synth.ops.denoise.vbm4d.trajectories import CLOSE, ENOUGH, FARTHEST, LATTICE, SMOOTHNESS, STEPS, STILL
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    AREA,
    FRACTIONS,
    FRAMES,
    MEMBERS,
    PAD,
    REACH,
    SIDE,
    TAPS,
    TEMPORAL,
    WINDOW,
    bands,
    dct_matrix,
)

if TYPE_CHECKING:
    from lolblur_synth.ops.denoise.vbm4d.stages import Job, Pass

BATCH = 1 << 24  # samples of blocks that are worked on at a time: 64 MiB, and as much again for each intermediate step
_REACHED = SIDE + 2 * REACH  # samples a side of all the blocks of a group
_TAPS = TAPS.shape[1]


class _Tables(NamedTuple):
    """What does not change, on one device."""

    taps: Tensor  # (FRACTIONS, 16, 23): rows between pixels from those about them
    temporal: Tensor  # (FRAMES + 1, FRAMES, FRAMES)
    spatial: Tensor  # (64, 64): the two-dimensional DCT of a block
    across: Tensor  # (8, 8): the Haar transform of a group
    window: Tensor  # (8, 8): weights within a block
    around: Tensor  # (5, 2): where else the flow is looked at
    neighbours: Tensor  # (9, 2): the place itself first, as a tie is its


def haar_matrix() -> Tensor:
    """The orthonormal Haar transform of eight in the order of `transforms.haar8`, (8, 8), a basis vector per row."""
    rows = torch.eye(1)
    for size in (1, 2, 4):
        finer = torch.kron(torch.eye(size), torch.tensor([[1.0, -1.0]]))
        rows = torch.cat((torch.kron(rows, torch.ones(1, 2)), finer))
    return rows / rows.square().sum(1, keepdim=True).sqrt()


@cache
def _tables(device: torch.device) -> _Tables:
    taps = torch.zeros(FRACTIONS, _REACHED, _REACHED + _TAPS - 1)
    for row in range(_REACHED):
        taps[:, row, row : row + _TAPS] = torch.from_numpy(TAPS)
    dct = dct_matrix(SIDE)
    steps = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))
    tables = _Tables(
        taps,
        torch.from_numpy(TEMPORAL),
        torch.from_numpy(np.kron(dct, dct)).float(),
        haar_matrix(),
        torch.from_numpy(WINDOW),
        torch.from_numpy(trajectories.AROUND),
        torch.cat((torch.zeros(1, 2, dtype=torch.int64), steps)),
    )
    return _Tables(*(table.to(device) for table in tables))


def work(job: "Job", _each: Map) -> None:
    """Trace and filter the volumes of a job, and add them to its sums."""
    noisy, pilot, forward, backward = (torch.stack(planes) for planes in zip(*job.window, strict=True))
    device, settings, (ys, xs) = noisy.device, job.settings, job.grid
    corner = torch.tensor(job.size, device=device) - SIDE
    variance = job.variance.to(device)
    starts = torch.cartesian_prod(torch.from_numpy(ys), torch.from_numpy(xs)).to(device)
    noise = float(job.variance[0].mean()) * settings.noise
    places, valid = trace(pilot[:, 0], job.reference, starts, (forward, backward), noise, settings, corner)
    limits = torch.tensor(_limits(ys.tolist(), job.size[0]), device=device).repeat_interleave(len(xs), 0)
    found = find_similar(pilot[job.reference, 0], starts, corner) if settings.grouped else starts[:, None]
    for part in _parts(len(starts), found.shape[1] * noisy.shape[0] * noisy.shape[1] * AREA):
        volumes = _Volumes(places[part], valid[part], found[part], limits[part])
        totals = job.sums, job.weights
        denoise_volumes(noisy, pilot, job.reference, volumes, variance, settings, totals)


def _parts(count: int, samples: int) -> Iterator[slice]:
    """Cut `count` things of so many samples each into batches."""
    size = max(1, BATCH // samples)
    return (slice(start, start + size) for start in range(0, count, size))


def _limits(ys: list[int], height: int) -> list[tuple[int, int]]:
    """The rows that each row of volumes may add to, as the compiled path has it: half of the neighbouring bands too."""
    strips = bands(height)
    lows = [0, *(sum(strip) // 2 for strip in strips[:-1])]
    highs = [*(sum(strip) // 2 for strip in strips[1:]), height]
    inside = [next(k for k, (_, below) in enumerate(strips) if y < below) for y in ys]
    return [(lows[k], highs[k]) for k in inside]


def blocks_at(plane: Tensor, at: Tensor, side: int = SIDE) -> Tensor:
    """Blocks of a plane (H, W) at whole positions (..., 2): (..., side, side)."""
    y, x = (at + PAD).unbind(-1)
    return plane.unfold(0, side, 1).unfold(1, side, 1)[y, x]


def sample(planes: Tensor, at: Tensor, margin: int = 0) -> Tensor:
    """Blocks of planes (C, H, W) at positions (N, 2), whole or not, and what is about them: (C, N, side, side)."""
    side = SIDE + 2 * margin
    support = side + _TAPS - 1
    fine = (at * FRACTIONS + 0.5).floor().long()
    y, x = (fine // FRACTIONS + PAD - margin - 3).unbind(-1)
    samples = planes.unfold(1, support, 1).unfold(2, support, 1)[:, y, x]
    rows, columns = _tables(planes.device).taps[:, :side, :support][fine % FRACTIONS].unbind(1)
    return rows @ samples @ columns.mT


class _Sought(NamedTuple):
    """Blocks of the reference frame (N, 8, 8) that are looked for in the others."""

    block: Tensor
    slope: Tensor  # (N, 2, 8, 8), down and right
    limit: Tensor  # (N,): a larger squared difference is of something else
    enough: float  # a smaller one is found, on whole pixels
    still: float  # and one that is smaller than this, even where places are exact
    penalty: float  # of a squared pixel off the predicted path
    corner: Tensor  # (2,): the last position
    exact: bool


def trace(
    guide: Tensor,
    reference: int,
    starts: Tensor,
    flows: tuple[Tensor, Tensor],
    noise: float,
    settings: "Pass",
    corner: Tensor,
) -> tuple[Tensor, Tensor]:
    """Follow the blocks at `starts` (N, 2) of the reference frame through all frames of `guide` (T, H, W).

    Returns places (N, T, 2) and whether they are valid (N, T), as `trajectories.trace` does.
    """
    places = starts[:, None].float().repeat(1, len(guide), 1)
    valid = torch.ones(places.shape[:2], dtype=torch.bool, device=guide.device)
    forth = [(t, t + 1) for t in range(reference, len(guide) - 1)]
    back = [(t, t - 1) for t in range(reference, 0, -1)]
    for part in _parts(len(starts), 9 * AREA):
        sought = _seek(guide[reference], starts[part], noise, settings, corner)
        for flow, pairs in zip(flows, (forth, back), strict=True):
            place, speed = starts[part].float(), torch.zeros_like(places[part, 0])
            for here, there in pairs:
                moved, difference = _follow(sought, guide[there], flow[here], place, speed)
                place, speed = moved, moved - place
                places[part, there], valid[part, there] = place, difference <= sought.limit
    return places, valid


def _seek(plane: Tensor, starts: Tensor, noise: float, settings: "Pass", corner: Tensor) -> _Sought:
    wide = blocks_at(plane, starts - 1, SIDE + 2)
    down = 0.5 * (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1])
    right = 0.5 * (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2])
    slope = torch.stack((down, right), 1)
    limit = 2 * AREA * noise * settings.allowed + settings.misfit * slope.square().sum((1, 2, 3))
    enough, still = 2 * AREA * noise * ENOUGH, 2 * AREA * noise * STILL
    return _Sought(wide[:, 1:-1, 1:-1], slope, limit, enough, still, SMOOTHNESS * AREA * noise, corner, settings.wiener)


def _follow(sought: _Sought, plane: Tensor, flow: Tensor, place: Tensor, speed: Tensor) -> tuple[Tensor, Tensor]:
    """Where blocks at `place` (N, 2), which came with `speed`, are in the next frame, and the difference there."""
    near = place[:, None] + _along(flow, place)
    paths = near[:, 0].clamp(min=0).minimum(sought.corner)
    still = torch.stack((place + speed, place), 1)
    candidates = _whole(torch.cat((near, still), 1).clamp(min=0).minimum(sought.corner))
    found, other = _match(sought, plane, candidates, paths)
    whole = candidates[:, :1]
    least = (blocks_at(plane, whole)[:, 0] - sought.block).square().sum((1, 2))
    near = least <= (sought.still if sought.exact else sought.enough)
    if sought.exact:
        moved, difference = _refine(sought, plane, paths)
        found, other = _refine(sought, plane, found.float())
        better = (difference > sought.limit) & (other < difference)
        found, other = torch.where(better[:, None], found, moved), torch.where(better, other, difference)
    return torch.where(near[:, None], whole[:, 0], found).float(), torch.where(near, least, other)


def _whole(positions: Tensor) -> Tensor:
    return (positions + 0.5).floor().long()


def _along(flow: Tensor, place: Tensor) -> Tensor:
    """The flow (h, w, 2) near the middles of blocks at (N, 2), and around there: (N, 5, 2), y and x."""
    at = (_whole(place)[:, None] + SIDE // 2 + _tables(flow.device).around) // LATTICE
    row, column = at[..., 0].clamp(0, flow.shape[0] - 1), at[..., 1].clamp(0, flow.shape[1] - 1)
    return flow[row, column].flip(-1)


def _match(sought: _Sought, plane: Tensor, candidates: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """The best of the candidates (N, K, 2), then of its neighbours, and the difference there."""
    for _ in range(2):
        difference = (blocks_at(plane, candidates) - sought.block[:, None]).square().sum((2, 3))
        off = (candidates - predicted[:, None]).square().sum(2).clamp(max=FARTHEST)
        best = (difference + sought.penalty * off).argmin(1, keepdim=True)  # the first of the smallest
        found, least = candidates.gather(1, best[..., None].expand(-1, -1, 2)), difference.gather(1, best)
        candidates = (found + _tables(plane.device).neighbours).clamp(min=0).minimum(sought.corner)
    return found[:, 0], least[:, 0]


def _refine(sought: _Sought, plane: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Where the plane fits best by a fraction of a pixel from `start` (N, 2), and the difference there."""
    down, right = sought.slope.unbind(1)
    xx, yy = right.square().sum((1, 2)) + sought.penalty, down.square().sum((1, 2)) + sought.penalty
    xy = (down * right).sum((1, 2))
    least_pull = sought.penalty * (xx + yy - sought.penalty)  # as the difference cancels along straight edges
    inverse = torch.stack((xx, -xy, -xy, yy), 1).view(-1, 2, 2) / (xx * yy - xy * xy).maximum(least_pull)[:, None, None]
    place = best = start
    least = torch.full_like(xx, torch.inf)
    going = torch.ones_like(xx, dtype=torch.bool)
    for _ in range(STEPS + 1):
        gap = sample(plane[None], place)[0] - sought.block
        total = gap.square().sum((1, 2))
        going = going & (total < least)
        best, least = torch.where(going[:, None], place, best), torch.where(going, total, least)
        along = (gap[:, None] * sought.slope).sum((2, 3)) + sought.penalty * (place - start)
        move = (inverse * along[:, None]).sum(2).clamp(-0.75, 0.75)
        going = going & (move.abs().amax(1) >= CLOSE)
        place = (place - move).clamp(min=0).minimum(sought.corner)
    return _whole(best * FRACTIONS) / FRACTIONS, least


def find_similar(plane: Tensor, starts: Tensor, corner: Tensor) -> Tensor:
    """The MEMBERS blocks of a plane within REACH that are most like those at `starts` (V, 2), which come first."""
    shifts = torch.arange(-REACH, REACH + 1, device=plane.device)
    steps = torch.cartesian_prod(shifts, shifts)
    found = starts[:, None].repeat(1, MEMBERS, 1)
    for part in _parts(len(starts), 4 * len(steps)):  # scores, and what sorts them
        block = blocks_at(plane, starts[part])
        scores = torch.empty(len(block), len(steps), device=plane.device)
        for k, step in enumerate(steps):
            moved = starts[part] + step
            at = moved.clamp(min=0).minimum(corner)
            score = (blocks_at(plane, at) - block).square().sum((1, 2))
            scores[:, k] = torch.where((at == moved).all(1), score, torch.inf)
        scores[:, len(steps) // 2] = -1
        order = scores.sort(dim=1, stable=True).indices[:, :MEMBERS]  # of equal ones the first stays first
        found[part] += steps[order]
    return found


class _Volumes(NamedTuple):
    """Blocks that are followed through the frames."""

    places: Tensor  # (V, T, 2)
    valid: Tensor  # (V, T)
    found: Tensor  # (V, M, 2): in the reference frame, those of the group, which move as the first one does
    limits: Tensor  # (V, 2): rows beyond which nothing is added


def denoise_volumes(
    noisy: Tensor,
    pilot: Tensor,
    reference: int,
    volumes: _Volumes,
    variance: Tensor,
    settings: "Pass",
    totals: tuple[Sequence[Tensor], Sequence[Tensor]],
) -> None:
    """Filter volumes of frames (T, C, H, W) and add them to the running sums, as `filters.denoise_volumes` does."""
    matrices = _temporal_matrices(volumes.valid)
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
        threshold = torch.full((spectrum.shape[1], 1, 1, 1), settings.moving, device=spectrum.device)
        threshold[0] = settings.still
        gain = (spectrum.square() > threshold.square() * variance[:, None]).float()
        gain[:, 0, :, :, 0] = 1
        frames = slice(None)
        at = volumes.places[:, :, None].long()
    left = (gain.square() * variance[:, None]).sum((1, 4))  # (V, C, M): the variance of the noise that stays
    share = 1 / left.sum(2, keepdim=True).maximum(variance[:, :1]).expand_as(left)
    blocks = _from_spectrum(spectrum * gain, matrices[:, :, frames])
    low, high = volumes.limits[:, :, None, None].unbind(1)
    kept = (at[..., 0] >= low) & (at[..., 0] + SIDE <= high) & volumes.valid[:, frames, None]
    _add(blocks, share[:, None] * kept[:, :, None], at, totals)


def _temporal_matrices(valid: Tensor) -> Tensor:
    """The DCT of each volume over its valid frames (V, T), the others left out: (V, T, T)."""
    frames = valid.shape[1]
    column = (valid.cumsum(1) - 1).clamp(min=0)[:, None].expand(-1, FRAMES, -1)
    matrices = _tables(valid.device).temporal[valid.sum(1)].gather(2, column) * valid[:, None]
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
    tables = _tables(over_time.device)
    if side == SIDE:
        return over_time.flatten(3)[:, :, :, None] @ tables.spatial.T
    y, x = (volumes.found - volumes.found[:, :1] + REACH).unbind(2)
    around = over_time.unfold(3, SIDE, 1).unfold(4, SIDE, 1).permute(0, 3, 4, 1, 2, 5, 6)
    members = around[torch.arange(count, device=y.device)[:, None], y, x]  # (V, M, T, C, 8, 8)
    return tables.across @ (members.flatten(4).permute(0, 2, 3, 1, 4) @ tables.spatial.T)


def _from_spectrum(spectrum: Tensor, matrices: Tensor) -> Tensor:
    """The blocks of R frames of a spectrum, by the columns (V, T, R) of its temporal transform: (V, R, C, M, 8, 8)."""
    volumes, _, channels, members, _ = spectrum.shape
    tables = _tables(spectrum.device)
    blocks = (matrices.mT @ spectrum.flatten(2)).view(volumes, -1, channels, members, AREA)
    if members > 1:
        blocks = tables.across.T @ blocks
    return (blocks @ tables.spatial).view(*blocks.shape[:4], SIDE, SIDE)


def _add(blocks: Tensor, share: Tensor, at: Tensor, totals: tuple[Sequence[Tensor], Sequence[Tensor]]) -> None:
    """Add blocks (V, R, C, M, 8, 8) at (V, R, M, 2) to sums and weights of R frames, by their share (V, R, C, M)."""
    device = blocks.device
    inner = torch.arange(PAD, PAD + SIDE, device=device)
    weights = share[..., None, None] * _tables(device).window
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
