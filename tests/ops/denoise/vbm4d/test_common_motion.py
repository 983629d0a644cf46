"""Blocks that lie together move as one where noise hides what that changes: nearer to the truth, but not apart."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from lolblur_synth.ops.denoise.vbm4d import (
    backend_cpu,
    blocks,
    common_motion,
    common_motion_torch,
    groups,
    passes,
    trajectories,
    trajectories_torch,
    transforms,
)
from lolblur_synth.ops.denoise.vbm4d.common_motion import TILE, Tile
from lolblur_synth.ops.denoise.vbm4d.transforms import FRACTIONS, PAD, SIDE
from lolblur_synth.scenes import Scene, glide, render

PATHS = ["compiled", "tensors"]
SIZE, STEP, NOISE, REFERENCE = (130, 150), 6, 9.0, 2
YS, XS = (transforms.grid(side, STEP) for side in SIZE)
BANDS = transforms.rows_of_bands(YS, SIZE[0])
STARTS = torch.cartesian_prod(torch.from_numpy(YS), torch.from_numpy(XS)).view(len(YS), len(XS), 2)


def texture(seed: int) -> Tensor:
    return 0.4 + 0.2 * torch.rand(3, 160, 180, generator=torch.Generator().manual_seed(seed))


def noisy(scene: Scene, sigma: float) -> Tensor:
    """Five pictures (T, H, W) with noise, of 255."""
    pictures = torch.stack([255 * render(scene, t, SIZE).mean(0) for t in range(5)])
    return pictures + sigma * torch.randn(pictures.shape, generator=torch.Generator().manual_seed(1))


def follow(path: str, guide: Tensor, hint: tuple[float, float]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Places (ny, nx, T, 2) and validity of all blocks, each for itself and with common motion."""
    settings, last = passes.SINGLE, (SIZE[0] - SIDE, SIZE[1] - SIDE)
    flow = torch.tensor(hint).flip(0).expand(len(guide), 33, 38, 2).contiguous()
    padded = torch.nn.functional.pad(guide[:, None], (PAD, PAD, PAD, PAD), "replicate")
    limits = settings.match_tolerance, settings.slope_tolerance
    if path == "tensors":
        alone = trajectories_torch.compute_trajectories(
            padded[:, 0], REFERENCE, STARTS.flatten(0, 1), (flow, -flow), NOISE * settings.noise, settings
        )
        shared = common_motion_torch.share_motion(padded[:, 0], REFERENCE, STARTS, BANDS, NOISE, alone)
        return alone.places.view_as(shared[0]), alone.valid.view_as(shared[1]), *shared
    planes, stride = backend_cpu.planes(padded), padded.shape[-1]
    followed = trajectories.nothing_followed(len(YS), len(XS), len(guide))
    trajectories.compute_trajectories(
        planes, stride, REFERENCE, YS, XS, flow.numpy(), (-flow).numpy(), NOISE * settings.noise, *limits, True,
        *last, followed,
    )  # fmt: skip
    before = torch.from_numpy(followed.places.copy()), torch.from_numpy(followed.valid.copy())
    for top, bottom in pairwise(BANDS):
        rows = slice(top, bottom)
        common_motion.share_motion(planes, stride, REFERENCE, YS[rows], XS, last, NOISE, followed.part(rows))
    return *before, torch.from_numpy(followed.places), torch.from_numpy(followed.valid)


def tiles() -> list[tuple[slice, slice]]:
    spans = [(top, min(top + TILE, last)) for first, last in pairwise(BANDS) for top in range(first, last, TILE)]
    return [(slice(*rows), slice(left, left + TILE)) for rows in spans for left in range(0, len(XS), TILE)]


@pytest.mark.parametrize("path", PATHS)
def test_together_they_tell_their_motion_better(path: str):
    shift = (0.6, -0.35)
    guide = noisy(Scene(texture(3), glide(-shift[1], -shift[0]), density=0.2), 0.9)
    places, _, shared, valid = follow(path, guide, shift)
    truth = STARTS[:, :, None] + torch.arange(-2, 3)[:, None] * torch.tensor(shift)
    inner = slice(TILE, -TILE), slice(TILE, -TILE)  # at the border some of a tile is beyond it
    off, off_alone = ((each - truth)[inner].norm(dim=3) for each in (shared, places))
    assert valid[inner].all()
    assert off.mean() < 0.5 * off_alone.mean()
    assert off.max() < 0.6 * off_alone.max()
    moves = shared - STARTS[:, :, None]
    one = [part for part in tiles() if torch.equal(moves[part], moves[part][:1, :1].expand_as(moves[part]))]
    assert len(one) > 0.4 * len(tiles())
    assert torch.equal(shared * FRACTIONS, (shared * FRACTIONS).round())
    assert torch.equal(shared[:, :, REFERENCE], STARTS.float())


@pytest.mark.parametrize("path", PATHS)
def test_what_parts_moves_by_itself(path: str):
    """The left half stands still and the right half moves: tiles that hold some of both are as they were."""
    still, moving = (Scene(texture(seed), glide(speed, 0), density=0.4) for seed, speed in ((3, 0.0), (5, 1.5)))
    pictures = torch.cat((noisy(still, 1.0)[:, :, :62], noisy(moving, 1.0)[:, :, 62:]), 2)
    places, known, shared, valid = follow(path, pictures, (0.0, 0.0))
    apart = 0
    for rows, columns in tiles():
        xs = XS[columns]
        if xs[0] + SIDE <= 62 and xs[-1] >= 65:
            apart += 1
            assert torch.equal(shared[rows, columns], places[rows, columns])
            assert torch.equal(valid[rows, columns], known[rows, columns])
    assert apart


def test_both_paths_share_the_same():
    guide = noisy(Scene(texture(3), glide(0.35, -0.6), density=0.3), 0.9)
    one, other = (follow(path, guide, (-0.4, 0.2)) for path in PATHS)
    assert (one[2] == other[2]).all(3).float().mean() > 0.99  # but for sums that lie between two fractions
    assert (one[3] == other[3]).float().mean() > 0.99


def test_a_tile_is_filtered_as_its_groups_are_one_by_one():
    """Bit by bit: what they share is work."""
    generator = torch.Generator().manual_seed(0)
    window = torch.rand(2, 5, 3, SIZE[0] + 2 * PAD, SIZE[1] + 2 * PAD, generator=generator)
    planes = [backend_cpu.planes(frames) for frames in window]
    variance = np.full((3, 64), 0.01, np.float32)
    frames = blocks.Frames(planes[0], planes[1], False, window.shape[-1], REFERENCE, variance, variance.mean(1))
    places = np.zeros((len(YS), len(XS), 5, 2), np.float32)
    places += STARTS.numpy()[:, :, None] + np.array([[0.5, 0.25], [1 / 32, 0], [0, 0], [-2, -0.75], [0, 1]])[:, ::-1]
    valid = np.ones(places.shape[:3], np.bool_)
    valid[:, :, 3] = False
    last = SIZE[0] - SIDE, SIZE[1] - SIDE

    def filtered(parts: list[tuple[slice, slice]]) -> np.ndarray:
        sums = np.zeros((2, 3, window.shape[-2] * window.shape[-1]), np.float32)
        totals = blocks.Accumulators((sums[0],) * transforms.FRAMES, (sums[1],) * transforms.FRAMES, 0, SIZE[0])
        for rows, columns in parts:
            one = blocks.Trajectories(YS[rows], XS[columns], places[rows, columns], valid[rows, columns])
            assert common_motion.moves_as_one(one, Tile(0, len(one.ys), 0, len(one.xs)))
            groups.filter_groups(frames, one, 0, len(one.ys), *last, totals)
        return sums

    at_once = filtered([(slice(0, TILE), slice(0, TILE))])
    each = [(slice(i, i + 1), slice(j, j + 1)) for i in range(TILE) for j in range(TILE)]
    np.testing.assert_array_equal(at_once, filtered(each))
    assert np.count_nonzero(at_once[1]) > 3 * 400
