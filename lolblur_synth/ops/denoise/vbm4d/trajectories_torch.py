"""Trajectories and grouping in tensors, for any device: what `trajectories` and `transforms` compute block by block.

The same decisions in the same order, so that either path gives what the other gives but for float rounding. Positions
(..., 2) are those of a block's top left sample without the border, y and x. N counts blocks.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.ops.denoise.vbm4d import trajectories
from lolblur_synth.ops.denoise.vbm4d.passes import Pass
from lolblur_synth.ops.denoise.vbm4d.trajectories import CLOSE, ENOUGH, FARTHEST, LATTICE, SMOOTHNESS, STEPS, STILL
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    AREA,
    FRACTIONS,
    MEMBERS,
    PAD,
    REACH,
    SIDE,
    TAPS,
    TEMPORAL,
    WINDOW,
    dct_matrix,
)

BATCH = 1 << 24  # samples of blocks that are worked on at a time: 64 MiB, and as much again for each intermediate step
_REACHED = SIDE + 2 * REACH  # samples a side of all the blocks of a group
_TAPS = TAPS.shape[1]


class Tables(NamedTuple):
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
def device_tables(device: torch.device) -> Tables:
    """Those of a device, made once."""
    taps = torch.zeros(FRACTIONS, _REACHED, _REACHED + _TAPS - 1)
    for row in range(_REACHED):
        taps[:, row, row : row + _TAPS] = torch.from_numpy(TAPS)
    dct = dct_matrix(SIDE)
    steps = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))
    tables = Tables(
        taps,
        torch.from_numpy(TEMPORAL),
        torch.from_numpy(np.kron(dct, dct)).float(),
        haar_matrix(),
        torch.from_numpy(WINDOW),
        torch.from_numpy(trajectories.AROUND),
        torch.cat((torch.zeros(1, 2, dtype=torch.int64), steps)),
    )
    return Tables(*(table.to(device) for table in tables))


def batches(count: int, samples: int) -> Iterator[slice]:
    """Cut `count` things of so many samples each into batches."""
    size = max(1, BATCH // samples)
    return (slice(start, start + size) for start in range(0, count, size))


def last_position(planes: Tensor) -> Tensor:
    """Of a block within planes (..., H, W) with a border of PAD: y and x, (2,)."""
    return torch.tensor(planes.shape[-2:], device=planes.device) - 2 * PAD - SIDE


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
    rows, columns = device_tables(planes.device).taps[:, :side, :support][fine % FRACTIONS].unbind(1)
    return rows @ samples @ columns.mT


class Followed(NamedTuple):
    """Blocks that are followed through frames, as `trajectories.Followed` has them."""

    places: Tensor  # (N, T, 2)
    valid: Tensor  # (N, T)
    least: Tensor  # (N, T)
    limit: Tensor  # (N,)
    tensors: Tensor  # (N, 3)


class _Template(NamedTuple):
    """Blocks of the reference frame (N, 8, 8) that are matched in the others."""

    block: Tensor
    slope: Tensor  # (N, 2, 8, 8), down and right
    limit: Tensor  # (N,): a larger squared difference is of something else
    enough: float  # a smaller one is found, on whole pixels
    still: float  # and one that is smaller than this, even where places are exact
    penalty: float  # of a squared pixel off the predicted path
    corner: Tensor  # (2,): the last position
    exact: bool


def compute_trajectories(
    guide: Tensor, reference: int, starts: Tensor, flows: tuple[Tensor, Tensor], noise: float, settings: Pass
) -> Followed:
    """Follow the blocks at `starts` (N, 2) of the reference frame through all frames of `guide` (T, H, W)."""
    corner = last_position(guide)
    places = starts[:, None].float().repeat(1, len(guide), 1)
    valid = torch.ones(places.shape[:2], dtype=torch.bool, device=guide.device)
    least, limit = torch.zeros(places.shape[:2], device=guide.device), torch.zeros(len(starts), device=guide.device)
    tensors = torch.zeros(len(starts), 3, device=guide.device)
    forth = [(t, t + 1) for t in range(reference, len(guide) - 1)]
    back = [(t, t - 1) for t in range(reference, 0, -1)]
    for part in batches(len(starts), 9 * AREA):
        template = _seek(guide[reference], starts[part], noise, settings, corner)
        down, right = template.slope.unbind(1)
        products = (down.square(), right.square(), down * right)
        limit[part], tensors[part] = template.limit, torch.stack([one.sum((1, 2)) for one in products], 1)
        for flow, pairs in zip(flows, (forth, back), strict=True):
            place, speed = starts[part].float(), torch.zeros_like(places[part, 0])
            for here, there in pairs:
                moved, difference = _extend_trajectory(template, guide[there], flow[here], place, speed)
                place, speed = moved, moved - place
                places[part, there], valid[part, there] = place, difference <= template.limit
                least[part, there] = difference
    return Followed(places, valid, least, limit, tensors)


def _seek(plane: Tensor, starts: Tensor, noise: float, settings: Pass, corner: Tensor) -> _Template:
    wide = blocks_at(plane, starts - 1, SIDE + 2)
    down = 0.5 * (wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1])
    right = 0.5 * (wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2])
    slope = torch.stack((down, right), 1)
    limit = 2 * AREA * noise * settings.match_tolerance + settings.slope_tolerance * slope.square().sum((1, 2, 3))
    enough, still = 2 * AREA * noise * ENOUGH, 2 * AREA * noise * STILL
    return _Template(
        wide[:, 1:-1, 1:-1], slope, limit, enough, still, SMOOTHNESS * AREA * noise, corner, settings.wiener
    )


def _extend_trajectory(
    template: _Template, plane: Tensor, flow: Tensor, place: Tensor, speed: Tensor
) -> tuple[Tensor, Tensor]:
    """Where blocks at `place` (N, 2), which came with `speed`, are in the next frame, and the difference there."""
    near = place[:, None] + _along(flow, place)
    paths = near[:, 0].clamp(min=0).minimum(template.corner)
    still = torch.stack((place + speed, place), 1)
    candidates = _whole(torch.cat((near, still), 1).clamp(min=0).minimum(template.corner))
    found, other = _match_block(template, plane, candidates, paths)
    whole = candidates[:, :1]
    least = (blocks_at(plane, whole)[:, 0] - template.block).square().sum((1, 2))
    near = least <= (template.still if template.exact else template.enough)
    if template.exact:
        moved, difference = _refine_subpixel(template, plane, paths)
        found, other = _refine_subpixel(template, plane, found.float())
        better = (difference > template.limit) & (other < difference)
        found, other = torch.where(better[:, None], found, moved), torch.where(better, other, difference)
    return torch.where(near[:, None], whole[:, 0], found).float(), torch.where(near, least, other)


def _whole(positions: Tensor) -> Tensor:
    return (positions + 0.5).floor().long()


def _along(flow: Tensor, place: Tensor) -> Tensor:
    """The flow (h, w, 2) near the middles of blocks at (N, 2), and around there: (N, 5, 2), y and x."""
    at = (_whole(place)[:, None] + SIDE // 2 + device_tables(flow.device).around) // LATTICE
    row, column = at[..., 0].clamp(0, flow.shape[0] - 1), at[..., 1].clamp(0, flow.shape[1] - 1)
    return flow[row, column].flip(-1)


def _match_block(template: _Template, plane: Tensor, candidates: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """The best of the candidates (N, K, 2), then of its neighbours, and the difference there."""
    for _ in range(2):
        difference = (blocks_at(plane, candidates) - template.block[:, None]).square().sum((2, 3))
        off = (candidates - predicted[:, None]).square().sum(2).clamp(max=FARTHEST)
        best = (difference + template.penalty * off).argmin(1, keepdim=True)  # the first of the smallest
        found, least = candidates.gather(1, best[..., None].expand(-1, -1, 2)), difference.gather(1, best)
        candidates = (found + device_tables(plane.device).neighbours).clamp(min=0).minimum(template.corner)
    return found[:, 0], least[:, 0]


def _refine_subpixel(template: _Template, plane: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Where the plane fits best by a fraction of a pixel from `start` (N, 2), and the difference there."""
    down, right = template.slope.unbind(1)
    xx, yy = right.square().sum((1, 2)) + template.penalty, down.square().sum((1, 2)) + template.penalty
    xy = (down * right).sum((1, 2))
    least_pull = template.penalty * (xx + yy - template.penalty)  # as the difference cancels along straight edges
    inverse = torch.stack((xx, -xy, -xy, yy), 1).view(-1, 2, 2) / (xx * yy - xy * xy).maximum(least_pull)[:, None, None]
    place = best = start
    least = torch.full_like(xx, torch.inf)
    going = torch.ones_like(xx, dtype=torch.bool)
    for _ in range(STEPS + 1):
        gap = sample(plane[None], place)[0] - template.block
        total = gap.square().sum((1, 2))
        going = going & (total < least)
        best, least = torch.where(going[:, None], place, best), torch.where(going, total, least)
        along = (gap[:, None] * template.slope).sum((2, 3)) + template.penalty * (place - start)
        move = (inverse * along[:, None]).sum(2).clamp(-0.75, 0.75)
        going = going & (move.abs().amax(1) >= CLOSE)
        place = (place - move).clamp(min=0).minimum(template.corner)
    return _whole(best * FRACTIONS) / FRACTIONS, least


def group_similar(plane: Tensor, starts: Tensor) -> Tensor:
    """The MEMBERS blocks of a plane within REACH that are most like those at `starts` (V, 2), which come first."""
    corner = last_position(plane)
    shifts = torch.arange(-REACH, REACH + 1, device=plane.device)
    steps = torch.cartesian_prod(shifts, shifts)
    found = starts[:, None].repeat(1, MEMBERS, 1)
    for part in batches(len(starts), 4 * len(steps)):  # scores, and what sorts them
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
