"""Sub-frames between source frames: motion is seen on normal-light frames and applied to darkened ones.

Darkened frames are too dark to match, and an interpolator that works on 8 bits would quantise them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.flow import estimate_flow, inconsistent, sample, trace_back
from lolblur_synth.threads import Map

_LEAST_WEIGHT = 1e-3  # of a source pixel out of frame: decides only where both are

Note = Callable[[float], None]  # told of each gap in turn the share of its picture whose motion cannot be trusted


class Gap(NamedTuple):
    """Two consecutive frames, (3, H, W), the same in normal light, and the moments wanted, ascending in [0, 1)."""

    before: Tensor
    after: Tensor
    guide_before: Tensor
    guide_after: Tensor
    times: Sequence[float]


class Interpolator(Protocol):
    """Makes the frames at the moments of each gap, in order and as they are asked for; at 0 it is the first frame."""

    def __call__(self, gaps: Iterable[Gap], each: Map, note: Note, /) -> Iterator[Tensor]: ...  # noqa: D102


@dataclass(frozen=True)
class _Side:
    """A frame, the range of its 3x3 neighbourhoods, and its motion to the frame on the other side of the gap."""

    frame: Tensor
    low: Tensor
    high: Tensor
    flow: Tensor


@dataclass(frozen=True)
class OpenGap:
    """Two consecutive frames and the motion between them, ready for `subframe`.

    `untrusted` is the share of the picture whose motion there does not lead back.
    """

    before: _Side
    after: _Side
    untrusted: float


def _highest(frame: Tensor) -> Tensor:
    padded = F.pad(frame[None], (1, 1, 1, 1), "replicate")[0]
    rows = padded[:, :-2].maximum(padded[:, 1:-1]).maximum(padded[:, 2:])
    return rows[..., :-2].maximum(rows[..., 1:-1]).maximum(rows[..., 2:])


def _side(frame: Tensor, flow: Tensor) -> _Side:
    return _Side(frame, -_highest(-frame), _highest(frame), flow)


def open_gap(before: Tensor, after: Tensor, guide_before: Tensor, guide_after: Tensor) -> OpenGap:
    """Estimate the motion from one guide frame to the next, for frames that move alike; all (3, H, W)."""
    forward, backward = estimate_flow(guide_before, guide_after)
    untrusted = inconsistent(guide_before, guide_after, forward, backward)
    return OpenGap(_side(before, forward), _side(after, backward), untrusted)


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


def subframe(gap: OpenGap, time: float) -> Tensor:
    """The frame at `time` in [0, 1) of the gap, (3, H, W): both sides moved there and blended by time.

    What came from beyond the border of one frame is taken from the other. At 0 it is the first frame, untouched.
    """
    if time == 0:
        return gap.before.frame
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


def by_flow(gaps: Iterable[Gap], each: Map, note: Note) -> Iterator[Tensor]:
    """Move frames along the optical flow of their guides, which all moments of a gap share."""
    opened = each(lambda gap: (open_gap(*gap[:4]), gap.times), gaps)

    def moments() -> Iterator[tuple[OpenGap, float]]:
        for gap, times in opened:
            note(gap.untrusted)
            for time in times:
                yield gap, time

    return each(lambda moment: subframe(*moment), moments())


def by_blending(gaps: Iterable[Gap], each: Map, note: Note) -> Iterator[Tensor]:
    """Blend the two frames of a gap, without motion; there is nothing to note."""
    del note
    blends = ((gap.before, gap.after, time) for gap in gaps for time in gap.times)
    return each(lambda blend: torch.lerp(*blend), blends)


def _ignore(share: float) -> None:
    del share


def interpolate(
    dark: Sequence[Tensor],
    guide: Sequence[Tensor],
    factor: int,
    interpolator: Interpolator = by_flow,
    each: Map = map,
    note: Note = _ignore,
) -> Iterator[Tensor]:
    """Yield `factor` - 1 sub-frames in every gap of `dark` and, untouched, the frames themselves: gaps * factor + 1.

    Frames (3, H, W), float32, sRGB; those of `dark` from 0 upwards, those of `guide` in [0, 1] and of the same size:
    `dark` moves as `guide` does. Made as they are asked for, by `each`, a `map` that may work ahead on threads: memory
    grows with neither the factor nor the number of frames. Raises `ValueError` for counts, sizes or types that do not
    fit.
    """
    _check(dark, guide, factor)
    if factor == 1:
        return iter(dark)
    times = [step / factor for step in range(factor)]
    pairs = zip(dark, dark[1:], guide, guide[1:], strict=False)
    return chain(interpolator((Gap(*pair, times) for pair in pairs), each, note), dark[-1:])
