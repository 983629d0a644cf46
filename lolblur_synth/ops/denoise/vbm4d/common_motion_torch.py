"""Common motion in tensors, for any device: what `common_motion` does tile by tile."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.denoise.vbm4d.common_motion import HIDDEN, PULL, TILE
from lolblur_synth.ops.denoise.vbm4d.trajectories_torch import Followed, batches, blocks_at, last_position, sample
from lolblur_synth.ops.denoise.vbm4d.transforms import AREA, FRACTIONS


class _Tiles:
    """Which blocks of a grid are in a tile together: rows of it, and columns."""

    def __init__(self, tops: Sequence[int], lefts: Sequence[int], shape: torch.Size, device: torch.device) -> None:
        pairs = zip((tops, lefts), shape, strict=False)
        self._at = [(torch.bucketize(torch.arange(n), torch.tensor(at), right=True) - 1).to(device) for at, n in pairs]
        counts = len(tops), len(lefts)  # else they would be read back from the device
        self._member = [F.one_hot(at, count).float().T for at, count in zip(self._at, counts, strict=True)]

    def sums(self, values: Tensor) -> Tensor:
        """Of each tile the sum of values (ny, nx, N): (rows, columns, N)."""
        rows, columns = self._member
        return torch.einsum("ay,yxn,bx->abn", rows, values, columns)

    def all_of(self, flags: Tensor) -> Tensor:
        """Whether the flags (ny, nx) of all blocks of a tile are set."""
        return self.sums((~flags)[..., None].float())[..., 0] == 0

    def spread(self, values: Tensor) -> Tensor:
        """What each tile has, in each of its blocks."""
        return values[self._at[0]][:, self._at[1]]


def share_motion(
    guide: Tensor, reference: int, starts: Tensor, bands: Sequence[int], noise: float, followed: Followed
) -> tuple[Tensor, Tensor]:
    """Places (ny, nx, T, 2) and validity (ny, nx, T) of blocks at `starts` (ny, nx, 2) of `guide` (T, H, W).

    As `common_motion.share_motion` has them, whose bands of rows begin at `bands`, and the last ends.
    """
    places, valid, least, limit, tensors = (part.view(*starts.shape[:2], *part.shape[1:]) for part in followed)
    tops = [top for first, last in pairwise(bands) for top in range(first, last, TILE)]
    tiles = _Tiles(tops, range(0, starts.shape[1], TILE), starts.shape, starts.device)
    moved, there, last = places.clone(), valid.clone(), last_position(guide)
    shared = tiles.all_of(valid[:, :, reference])
    for t in (t for t in range(len(guide)) if t != reference):
        at = starts + tiles.spread(_mean_motion(places[:, :, t] - starts, valid[:, :, t], tensors, tiles))
        inside = ((at >= 0) & (at <= last)).all(2)
        difference = _difference(guide[t], guide[reference], at.clamp(min=0).minimum(last), starts)
        found = difference <= limit
        fits = torch.where(found, difference <= least[:, :, t] + HIDDEN * AREA * noise, ~valid[:, :, t])
        shared &= tiles.all_of(inside & fits) & (tiles.all_of(found) | tiles.all_of(~found))
        moved[:, :, t], there[:, :, t] = at, found
    one = tiles.spread(shared)[:, :, None]
    return torch.where(one[..., None], moved, places), torch.where(one, there, valid)


def _mean_motion(motion: Tensor, valid: Tensor, tensors: Tensor, tiles: _Tiles) -> Tensor:
    """The motion that fits the valid blocks of each tile best, rounded to FRACTIONS."""
    (y, x), (a, b, c) = motion.unbind(2), tensors.unbind(2)
    parts = torch.stack((a, b, c, a * y + c * x, c * y + b * x, torch.ones_like(y), y, x), 2)
    yy, xx, xy, down, along, count, sum_y, sum_x = tiles.sums(parts * valid[..., None]).unbind(2)
    pull, count = PULL * (yy + xx) + 1e-12, count.clamp(min=1)
    yy, xx, down, along = yy + pull, xx + pull, down + pull * sum_y / count, along + pull * sum_x / count
    moves = torch.stack((xx * down - xy * along, yy * along - xy * down), 2) / (yy * xx - xy * xy)[..., None]
    return (moves * FRACTIONS + 0.5).floor() / FRACTIONS


def _difference(plane: Tensor, origin: Tensor, at: Tensor, starts: Tensor) -> Tensor:
    """Squared differences (ny, nx) of the blocks of one plane at `starts` and those of another."""
    found = torch.empty(at.shape[0] * at.shape[1], device=at.device)
    here, there = starts.flatten(0, 1), at.flatten(0, 1)
    for part in batches(len(here), 9 * AREA):
        gap = sample(plane[None], there[part])[0] - blocks_at(origin, here[part])
        found[part] = gap.square().sum((1, 2))
    return found.view(at.shape[:2])
