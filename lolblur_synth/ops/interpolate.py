"""Sub-frames between source frames: motion is seen on normal-light frames and applied to darkened ones.

Darkened frames are too dark to match, and an interpolator that works on 8 bits would quantise them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.flow import estimate_flow, sample, trace_back

_LEAST_WEIGHT = 1e-3  # of a source pixel out of frame: decides only where both are


@dataclass(frozen=True)
class _Side:
    """A frame, the range of its 3x3 neighbourhoods, and its motion to the frame on the other side of the gap."""

    frame: Tensor
    low: Tensor
    high: Tensor
    flow: Tensor


@dataclass(frozen=True)
class Gap:
    """Two consecutive frames and the motion between them, ready for `subframe`."""

    before: _Side
    after: _Side


def _side(frame: Tensor, flow: Tensor) -> _Side:
    high, negative_low = F.max_pool2d(torch.stack((frame, -frame)), 3, 1, 1)
    return _Side(frame, -negative_low, high, flow)


def open_gap(before: Tensor, after: Tensor, guide_before: Tensor, guide_after: Tensor) -> Gap:
    """Estimate the motion from one guide frame to the next, for frames that move alike; all (3, H, W)."""
    forward, backward = estimate_flow(guide_before, guide_after)
    return Gap(_side(before, forward), _side(after, backward))


def _inside(at: Tensor) -> Tensor:
    """1 within the frame, 0 from one pixel outside."""
    height, width = at.shape[-2:]
    last = at.new_tensor((width - 1, height - 1))[:, None, None]
    outside = (at - at.clamp(min=0).minimum(last)).abs().amax(0)
    return (1 - outside).clamp(min=0)


def _move(side: _Side, time: float) -> tuple[Tensor, Tensor]:
    """The side's frame moved along its motion for `time` of the gap, and how much of it is known."""
    at = trace_back(side.flow, time)
    moved = sample(side.frame, at, "bicubic")
    # A cubic kernel rings: beside a lamp it would dig a ring blacker than anything in the frame.
    moved = moved.maximum(sample(side.low, at, "nearest")).minimum(sample(side.high, at, "nearest"))
    return moved, _inside(at) + _LEAST_WEIGHT


def subframe(gap: Gap, time: float) -> Tensor:
    """The frame at `time` in (0, 1) of the gap, (3, H, W): both sides moved there and blended by time.

    What came from beyond the border of one frame is taken from the other.
    """
    from_before, known_before = _move(gap.before, time)
    from_after, known_after = _move(gap.after, 1 - time)
    after_weight = time * known_after
    return torch.lerp(from_before, from_after, after_weight / ((1 - time) * known_before + after_weight))


def _check(dark: Sequence[Tensor], guide: Sequence[Tensor], factor: int) -> None:
    if factor < 1:
        raise ValueError(f"the factor is a whole number from 1, got {factor}")
    if not dark or len(dark) != len(guide):
        raise ValueError(f"as many guide frames as frames, and at least one: got {len(guide)} and {len(dark)}")
    for index, frame in enumerate((*dark, *guide)):
        if frame.ndim != 3 or frame.shape[0] != 3 or frame.shape != dark[0].shape or frame.dtype != torch.float32:
            name = f"frame {index}" if index < len(dark) else f"guide {index - len(dark)}"
            raise ValueError(f"{name} is {tuple(frame.shape)} {frame.dtype}, frame 0 is {tuple(dark[0].shape)}")


def interpolate(
    dark: Sequence[Tensor], guide: Sequence[Tensor], factor: int, backend: Literal["flow", "linear"] = "flow"
) -> Iterator[Tensor]:
    """Yield `factor` - 1 sub-frames in every gap of `dark` and, untouched, the frames themselves: gaps * factor + 1.

    Frames (3, H, W), float32, sRGB; those of `dark` from 0 upwards, those of `guide` in [0, 1] and of the same size.
    `flow` moves `dark` along the motion of `guide`; `linear` blends without motion. Made one at a time: memory grows
    with neither the factor nor the number of frames. Raises `ValueError` for counts, sizes or types that do not fit.
    """
    _check(dark, guide, factor)
    return _interpolate(dark, guide, factor, backend)


def _interpolate(dark: Sequence[Tensor], guide: Sequence[Tensor], factor: int, backend: str) -> Iterator[Tensor]:
    times = [step / factor for step in range(1, factor)]
    for before, after, *guides in zip(dark, dark[1:], guide, guide[1:], strict=False):
        yield before
        if backend == "linear":
            yield from (torch.lerp(before, after, time) for time in times)
        elif times:
            gap = open_gap(before, after, *guides)
            yield from (subframe(gap, time) for time in times)
    yield dark[-1]
