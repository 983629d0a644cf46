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

from lolblur_synth.core.threads import Map
from lolblur_synth.kernels.jit import Floats
from lolblur_synth.ops.interpolation.occlusion import Layers
from lolblur_synth.ops.interpolation.patchmatch import refine
from lolblur_synth.ops.interpolation.warp import blend, interleave, origins
from lolblur_synth.ops.optical_flow import estimate_flow, inconsistent, sample

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
class OpenGap:
    """Two consecutive frames and the motion between them, ready for `subframe`.

    `untrusted` is the share of the picture whose motion, as flow sees it, does not lead back.
    """

    before: Tensor
    after: Tensor
    layers: tuple[Layers, Layers]
    pixels: tuple[Floats, Floats] | None  # of frames on the CPU
    untrusted: float


def open_gap(before: Tensor, after: Tensor, guide_before: Tensor, guide_after: Tensor) -> OpenGap:
    """Estimate the motion from one guide frame to the next, for frames that move alike; all (3, H, W)."""
    forward, backward = estimate_flow(guide_before, guide_after)
    untrusted = inconsistent(guide_before, guide_after, forward, backward)
    layers = refine(guide_before, guide_after, forward, backward)
    pixels = (interleave(before), interleave(after)) if before.device.type == "cpu" else None
    return OpenGap(before, after, layers, pixels, untrusted)


def _highest(frame: Tensor) -> Tensor:
    """Of the 4x4 pixels that a cubic kernel looks at from one pixel before the next: (3, H + 1, W + 1)."""
    return F.max_pool2d(F.pad(frame[None], (2, 2, 2, 2), "replicate")[0], 4, 1)


def _move(frame: Tensor, at: Tensor) -> Tensor:
    """On other devices than the CPU: by a cubic kernel, within the range of the pixels it is made of."""
    moved, from_ = sample(frame, at, "bicubic"), at.floor() + 1
    low, high = (sample(limit, from_, "nearest") for limit in (-_highest(-frame), _highest(frame)))
    return moved.maximum(low).minimum(high)


def subframe(gap: OpenGap, time: float) -> Tensor:
    """The frame at `time` in [0, 1) of the gap, (3, H, W): both frames moved there and blended by time.

    What is hidden in one frame, or beyond its border, is taken from the other. At 0 it is the first frame, untouched.
    """
    if time == 0:
        return gap.before
    at, weight = origins(*gap.layers, time)
    if gap.pixels:
        return blend(*gap.pixels, at, weight)
    places, share = (torch.from_numpy(array).to(gap.before.device) for array in (at, weight))
    return torch.lerp(_move(gap.before, places[0]), _move(gap.after, places[1]), share)


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
