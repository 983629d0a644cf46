"""Interpolation by optical flow: DIS, PatchMatch at motion boundaries, occlusion, and warping of both frames."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.threads import Map
from lolblur_synth.kernels.jit import Flags, Floats
from lolblur_synth.ops.interpolation.integral import integrate
from lolblur_synth.ops.interpolation.interpolate import Exposure, Gap, Note
from lolblur_synth.ops.interpolation.occlusion import Motion, fill_occluded, motion_fields, update_consistency
from lolblur_synth.ops.interpolation.patchmatch import patchmatch
from lolblur_synth.ops.interpolation.tiles import restore, tiles_of
from lolblur_synth.ops.interpolation.warp import Moving, backward_maps, blend, moving
from lolblur_synth.ops.motion import GapNote, coarse_flow
from lolblur_synth.ops.optical_flow import estimate_flow, flow_inconsistency, sample

_Ready = list[Moving | None]  # a frame of each exposure, where it is used
_AROUND, _STEP = 15, 7  # pixels: within so many, motions at a boundary differ by as much, |x| + |y|


@dataclass(frozen=True)
class OpenGap:
    """Two consecutive frames and the motion between them, ready for `subframe`, and what is told of it."""

    before: Tensor
    after: Tensor
    motion: Motion
    moving: tuple[Moving, Moving] | None  # of frames on the CPU
    note: GapNote


def open_gap(before: Tensor, after: Tensor, guide_before: Tensor, guide_after: Tensor) -> OpenGap:
    """Estimate the motion from one guide frame to the next, for frames that move alike; all (3, H, W)."""
    told, motion = see_motion(guide_before, guide_after)
    frames = (moving(before), moving(after)) if before.device.type == "cpu" else None
    return OpenGap(before, after, motion, frames, told)


def see_motion(before: Tensor, after: Tensor) -> tuple[GapNote, Motion]:
    """What is told of the motion between two guides (3, H, W), and what it is."""
    flows = estimate_flow(before, after)
    told = GapNote(flow_inconsistency(before, after, *flows), coarse_flow(*flows))
    one, other = (frame.contiguous().cpu().numpy() for frame in (before, after))
    there, back, known = refine_flow(one, other, *(flow.contiguous().cpu().numpy() for flow in flows))
    del flows
    return told, motion_fields(one, other, there, back, known)


def _support_maximum(frame: Tensor) -> Tensor:
    """Of the 4x4 pixels that a cubic kernel looks at from one pixel before the next: (3, H + 1, W + 1)."""
    return F.max_pool2d(F.pad(frame[None], (2, 2, 2, 2), "replicate")[0], 4, 1)


def _warp_bicubic(frame: Tensor, at: Tensor) -> Tensor:
    """Backward warp on other devices than the CPU: bicubic, within the range of the pixels it is made of."""
    moved, from_ = sample(frame, at, "bicubic"), at.floor() + 1
    low, high = (sample(limit, from_, "nearest") for limit in (-_support_maximum(-frame), _support_maximum(frame)))
    return moved.maximum(low).minimum(high)


def subframe(gap: OpenGap, time: float) -> Tensor:
    """The frame at `time` in [0, 1) of the gap, (3, H, W): both frames moved there and blended by time.

    What is hidden in one frame, or beyond its border, is taken from the other. At 0 it is the first frame, untouched.

    >>> frame = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    >>> torch.equal(subframe(open_gap(frame, frame, frame, frame), 0.5), frame)
    True
    """
    if time == 0:
        return gap.before
    at, weight = backward_maps(gap.motion, time)
    if gap.moving:
        return blend(*gap.moving, at, weight)
    places, share = (torch.from_numpy(array).to(gap.before.device) for array in (at, weight))
    return torch.lerp(_warp_bicubic(gap.before, places[0]), _warp_bicubic(gap.after, places[1]), share)


class Flow:
    """Interpolation by optical flow of the guides, which all moments of a gap share."""

    def __call__(self, gaps: Iterable[Gap], each: Map, note: Note) -> Iterator[Tensor]:
        """Make the frames at the moments of each gap."""
        opened = each(lambda gap: (open_gap(*gap[:4]), gap.times), gaps)

        def moments() -> Iterator[tuple[OpenGap, float]]:
            for gap, times in opened:
                note(gap.note)
                for time in times:
                    yield gap, time

        return each(lambda moment: subframe(*moment), moments())

    def integrals(
        self, exposures: Sequence[Exposure], guides: Sequence[Tensor], factor: int, each: Map, note: Note
    ) -> Iterator[list[Tensor | None]]:
        """The sum of the light (3, H, W) of each gap's sub-frames, frames counting half; None where no row is exposed.

        Of each exposure, on the CPU; all share the motion.
        """
        wanted = [exposed_gaps(exposure.rows, factor, len(guides) - 1) for exposure in exposures]

        def prepare(number: int) -> _Ready:
            around = slice(max(number - 1, 0), number + 1)
            used = (any(gaps[around]) for gaps in wanted)
            return [moving(e.frames[number]) if use else None for e, use in zip(exposures, used, strict=True)]

        def integral(gap: tuple[int, tuple[_Ready, _Ready]]) -> tuple[GapNote, list[Tensor | None]]:
            number, ends = gap
            told, motion = see_motion(guides[number], guides[number + 1])
            totals = list[Tensor | None]()
            for exposure, before, after, gaps in zip(exposures, *ends, wanted, strict=True):
                if not gaps[number] or before is None or after is None:
                    totals.append(None)
                    continue
                part = slice(number * factor, (number + 1) * factor + 1)
                rows = None if exposure.rows is None else exposure.rows[part].float().contiguous().numpy()
                light = integrate(before, after, motion, factor, exposure.to_light, rows)
                totals.append(torch.from_numpy(light))
            return told, totals

        ready = map(prepare, range(len(guides)))  # when its turn comes: made ahead, each would take 14 MB of 1120x640
        for told, totals in each(integral, enumerate(pairwise(ready))):
            note(told)
            yield totals


def exposed_gaps(rows: Tensor | None, factor: int, gaps: int) -> list[bool]:
    """In which gaps some row is exposed, by weights of all sub-frames and rows (gaps * factor + 1, H)."""
    if rows is None:
        return [True] * gaps
    return [bool((rows[number * factor : (number + 1) * factor + 1] > 0).any()) for number in range(gaps)]


by_flow = Flow()


def _motion_boundaries(flow: Floats) -> Flags:
    """Motion boundaries: motions near a pixel are far apart. Elsewhere smooth flow tears less and blurs as well."""
    near = np.ones((_AROUND, _AROUND), np.uint8)
    x, y = (cv2.dilate(plane, near) - cv2.erode(plane, near) for plane in flow)
    return np.asarray(x + y >= _STEP)


def refine_flow(
    before: Floats, after: Floats, forward: Floats, backward: Floats
) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """Flows (2, H, W) of two frames (3, H, W), sRGB in [0, 1], from flows that are right off motion boundaries.

    There: PatchMatch, and what is occluded moves as what is behind. Returns the consistency (H, W) of both, too.
    """
    there, back = forward.copy(), backward.copy()
    consistency, back_consistency = patchmatch(before, after, there, back)
    boundaries, back_boundaries = _motion_boundaries(there), _motion_boundaries(back)
    changed, back_changed = tiles_of(*before.shape[1:]), tiles_of(*before.shape[1:])
    restore(there, forward, boundaries, changed)
    restore(back, backward, back_boundaries, back_changed)
    update_consistency(there, back, changed, back_changed, consistency)
    update_consistency(back, there, back_changed, changed, back_consistency)
    changed = fill_occluded(there, consistency, boundaries)
    back_changed = fill_occluded(back, back_consistency, back_boundaries)
    update_consistency(there, back, changed, back_changed, consistency)
    update_consistency(back, there, back_changed, changed, back_consistency)
    return there, back, (consistency, back_consistency)
