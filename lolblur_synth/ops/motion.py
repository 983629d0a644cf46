"""Motion blur of an exposure, in numbers: how far, which way and how straight things move, by the flows of its gaps.

Flows are kept on a coarse grid, a pixel of every 16 each way: motion is smooth enough, and that costs next to nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from lolblur_synth.ops.optical_flow import pixel_grid, sample

_STEP = 16  # pixels
_STILL = 1e-3  # pixels of path, below which there is no direction


class CoarseFlow(NamedTuple):
    """Forward and backward flow of a gap on a coarse grid: (2, h, w), x and y in pixels of the frames."""

    forward: Tensor
    backward: Tensor


class GapNote(NamedTuple):
    """What an interpolator tells of a gap: which share of the picture moves inconsistently, [0, 1], and its flow."""

    inconsistency: float
    flow: CoarseFlow


@dataclass(frozen=True)
class MotionBlur:
    """The paths that things cover while the shutter is open."""

    mean: float  # length in pixels, over the picture
    p95: float  # 95th percentile of it
    direction: float | None  # degrees from the horizontal, counter-clockwise, [0, 180); None where nothing moves
    concentration: float  # of directions, [0, 1]: 1 if all are one, 0 if they are spread evenly
    straightness: float  # chord over path, [0, 1]: 1 along straight lines, 0 where things come back


def coarse_flow(forward: Tensor, backward: Tensor) -> CoarseFlow:
    """Two flows (2, H, W) on the coarse grid.

    >>> coarse_flow(torch.zeros(2, 64, 96), torch.zeros(2, 64, 96)).forward.shape
    torch.Size([2, 4, 6])
    """
    rows, columns = (slice(min(_STEP, side) // 2, None, _STEP) for side in forward.shape[1:])
    return CoarseFlow(*(flow[:, rows, columns].contiguous() for flow in (forward, backward)))


def no_flow(frame: Tensor) -> CoarseFlow:
    """The flow of a frame (3, H, W) that stands still."""
    still = torch.zeros_like(frame[:2])
    return coarse_flow(still, still)


def motion_blur(flows: Sequence[CoarseFlow]) -> MotionBlur | None:
    """Length, direction and straightness of motion over an exposure, by the flows of its gaps; None without any.

    Followed from the middle frame, which is the ground truth, to both ends. The direction is the axial mean, by doubled
    angles, of all steps by their lengths, its concentration the length of the mean vector (Fisher, "Statistical
    Analysis of Circular Data", 1993, section 2.3); the straightness the mean chord over the mean path.

    >>> right = torch.tensor([3.0, 0.0])[:, None, None].expand(2, 4, 6)
    >>> motion_blur([CoarseFlow(right, -right)] * 8)
    MotionBlur(mean=24.0, p95=24.0, direction=0.0, concentration=1.0, straightness=1.0)
    """
    if not flows:
        return None
    steps = _steps(flows)
    lengths, chords = steps.norm(dim=1), steps.sum(0).norm(dim=0)
    paths = lengths.sum(0)
    doubled = 2 * torch.atan2(-steps[:, 1], steps[:, 0])  # rows go down
    cosine, sine = ((lengths * wave(doubled)).sum() for wave in (torch.cos, torch.sin))
    measured = torch.stack((paths.mean(), paths.flatten().quantile(0.95), chords.mean(), cosine, sine, lengths.sum()))
    mean, p95, chord, x, y, total = measured.tolist()
    if mean < _STILL:
        return MotionBlur(mean, p95, None, 0.0, 1.0)
    direction = math.degrees(math.atan2(y, x) / 2) % 180
    return MotionBlur(mean, p95, direction, min(1.0, math.hypot(x, y) / total), min(1.0, chord / mean))


def _steps(flows: Sequence[CoarseFlow]) -> Tensor:
    """How what is seen at each point in the middle moves in each gap, (G, 2, h, w), in order of time."""
    middle, start = len(flows) // 2, pixel_grid(flows[0].forward)
    before = _follow([flow.backward for flow in reversed(flows[:middle])], start)
    return torch.stack([*(-step for step in reversed(before)), *_follow([f.forward for f in flows[middle:]], start)])


def _follow(flows: Sequence[Tensor], at: Tensor) -> list[Tensor]:
    steps = list[Tensor]()
    for flow in flows:
        steps.append(sample(flow.contiguous(), at, "bilinear"))
        at = at + steps[-1] / _STEP
    return steps
