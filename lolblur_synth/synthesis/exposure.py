"""The exposure of a window: interpolation, reverse clipping and averaging, row by row under a rolling shutter."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.ops.exposure import expose, row_weights
from lolblur_synth.ops.interpolation.interpolate import (
    Exposure,
    Integrator,
    Interpolator,
    Note,
    ignore,
    integrate_exposures,
    interpolate,
)
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.synthesis.sequences import Shutter

AS_THEY_ARE = Linearization(0.0, 100.0, "srgb")  # the truth under a rolling shutter, whose rows are chosen


class Exposed(NamedTuple):
    """Frames of a window, how light is had of them, and how many sub-frames each row averages."""

    frames: Sequence[Tensor]
    to_light: Linearization
    sub_frames: int


def expose_window(
    wanted: Sequence[Exposed],
    guides: Sequence[Tensor],
    shutter: Shutter,
    interpolator: Interpolator,
    each: Map,
    note: Note,
) -> list[Tensor]:
    """The light of a window, (3, H, W), and of others that move alike, each row at its own time.

    Of the truth under a rolling shutter, which is one sub-frame long, the two nearest are blended. By sub-frames, or in
    one pass over each gap where the interpolator can, which is the same but for rounding.
    """
    if isinstance(interpolator, Integrator) and shutter.factor > 1 and runs_compiled(*guides):
        exposures = [Exposure(e.frames, e.to_light, _rows(shutter, e.sub_frames, guides[0])) for e in wanted]
        return integrate_exposures(exposures, guides, shutter.factor, interpolator, each, note)
    found = list[Tensor]()
    for frames, to_light, count in wanted:
        half = (count - 1) // (2 * shutter.factor) + shutter.margin
        near = slice(shutter.half - half, shutter.half + half + 1)
        sub_frames = interpolate(frames[near], guides[near], shutter.factor, interpolator, each, note)
        found.append(expose(each(to_light, sub_frames), 2 * half * shutter.factor + 1, count, shutter.readout))
        note = ignore  # of the others
    return found


def _rows(shutter: Shutter, sub_frames: int, guide: Tensor) -> Tensor | None:
    """What each row averages; None where all rows average alike."""
    return row_weights(shutter.sub_frames, sub_frames, shutter.readout, guide.shape[-2]) if shutter.readout else None
