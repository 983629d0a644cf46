"""Sub-frames between source frames: motion is seen on normal-light frames and applied to darkened ones.

Darkened frames are too dark to match, and an interpolator that works on 8 bits would quantise them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.ops.motion import GapNote

Note = Callable[[GapNote], None]  # told of each gap in turn how it moves, where that is seen


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


class Exposure(NamedTuple):
    """Frames (3, H, W) that are exposed, how light is had of them, and what each row averages."""

    frames: Sequence[Tensor]
    to_light: Linearization
    rows: Tensor | None = None  # weights of all sub-frames and rows (N, H) under a rolling shutter; None: all are 1


@runtime_checkable
class Integrator(Interpolator, Protocol):
    """An interpolator that adds up light without making sub-frames, of frames on the CPU."""

    def integrals(  # noqa: D102
        self, exposures: Sequence[Exposure], guides: Sequence[Tensor], factor: int, each: Map, note: Note, /
    ) -> Iterator[list[Tensor | None]]: ...


def _check(dark: Sequence[Tensor], guide: Sequence[Tensor], factor: int) -> None:
    if factor < 1:
        raise ValueError(f"the factor is a whole number from 1, got {factor}")
    if not dark or len(dark) != len(guide):
        raise ValueError(f"as many guide frames as frames, and at least one: got {len(guide)} and {len(dark)}")
    for index, frame in enumerate((*dark, *guide)):
        if frame.ndim != 3 or frame.shape[0] != 3 or frame.shape != dark[0].shape or frame.dtype != torch.float32:
            name = f"frame {index}" if index < len(dark) else f"guide {index - len(dark)}"
            raise ValueError(f"{name} is {tuple(frame.shape)} {frame.dtype}, frame 0 is {tuple(dark[0].shape)}")


def by_blending(gaps: Iterable[Gap], each: Map, note: Note) -> Iterator[Tensor]:
    """Blend the two frames of a gap, without motion; there is nothing to note."""
    del note
    blends = ((gap.before, gap.after, time) for gap in gaps for time in gap.times)
    return each(lambda blend: torch.lerp(*blend), blends)


def ignore(told: GapNote) -> None:
    """Note nothing."""
    del told


def interpolate(
    dark: Sequence[Tensor],
    guide: Sequence[Tensor],
    factor: int,
    interpolator: Interpolator,
    each: Map = map,
    note: Note = ignore,
) -> Iterator[Tensor]:
    """Yield `factor` - 1 sub-frames in every gap of `dark` and, untouched, the frames themselves: gaps * factor + 1.

    Frames (3, H, W), float32, sRGB; those of `dark` from 0 upwards, those of `guide` in [0, 1] and of the same size:
    `dark` moves as `guide` does. Made as they are asked for, by `each`, a `map` that may work ahead on threads: memory
    grows with neither the factor nor the number of frames. Raises `ValueError` for counts, sizes or types that do not
    fit.

    >>> dark = [torch.zeros(3, 4, 4), torch.full((3, 4, 4), 0.4)]
    >>> [round(float(frame.mean()), 2) for frame in interpolate(dark, dark, 4, by_blending)]
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    _check(dark, guide, factor)
    if factor == 1:
        return iter(dark)
    times = [step / factor for step in range(factor)]
    pairs = zip(dark, dark[1:], guide, guide[1:], strict=False)
    return chain(interpolator((Gap(*pair, times) for pair in pairs), each, note), dark[-1:])


def integrate_exposures(
    exposures: Sequence[Exposure], guides: Sequence[Tensor], factor: int, integrator: Integrator, each: Map, note: Note
) -> list[Tensor]:
    """The mean of the light of all frames that `interpolate` would make, (3, H, W), in one pass over each gap.

    Of each exposure, whose frames move as the guides do; frames as there, on the CPU, and two at least. Under a rolling
    shutter the mean of each row, by its weights.
    """
    totals = list[Tensor]()
    for frames, to_light, rows in exposures:
        _check(frames, guides, factor)
        ends = [to_light(frames[at]) * 0.5 for at in (0, -1)]  # each gap counts its own ends half
        if rows is not None:
            ends = [end * rows[at].to(end)[:, None] for end, at in zip(ends, (0, -1), strict=True)]
        totals.append(ends[0].add_(ends.pop()))  # else that end is held while all gaps are gone through
    for parts in integrator.integrals(exposures, guides, factor, each, note):
        for total, part in zip(totals, parts, strict=True):
            if part is not None:
                total += part
    return [total.div_(_exposed(exposure, factor)) for total, exposure in zip(totals, exposures, strict=True)]


def _exposed(exposure: Exposure, factor: int) -> float:
    """Sub-frames that a row averages, of all rows alike."""
    if exposure.rows is None:
        return (len(exposure.frames) - 1) * factor + 1
    return float(exposure.rows[:, 0].sum())
