"""What can make sub-frames on this machine, which of it `auto` takes, and how to have it ready."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.threads import Map, keeping_memory
from lolblur_synth.nets.weights.catalogue import ENTRIES
from lolblur_synth.nets.weights.load import load_rife
from lolblur_synth.nets.weights.ncnn import ncnn_folder
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import Gap, Interpolator, Note, by_blending
from lolblur_synth.ops.interpolation.ncnn import PROCESSOR, RifeNcnn
from lolblur_synth.ops.interpolation.rife import Rife
from lolblur_synth.ops.motion import GapNote, coarse_flow, no_flow
from lolblur_synth.ops.optical_flow import estimate_flow, flow_inconsistency

Backend = Literal["flow", "rife", "rife-ncnn", "linear"]
Warn = Callable[[str], None]

MOMENTS_AT_ONCE = 8  # moments that a thread makes before it hands them over


@dataclass(frozen=True)
class Choice:
    """A backend, the sha256 of its weights by network, and both in words."""

    backend: Backend
    told: str
    weights: dict[str, str] = field(default_factory=dict)


def choose_backend(
    wanted: Backend | Literal["auto"], weights: str, device: torch.device, *, vulkan: bool = True
) -> Choice:
    """What to interpolate by; raises `UserError` when something is missing for what was asked for by name.

    `auto` is flow on the processor, RIFE on CUDA, and flow there too where RIFE's weights are missing. `weights` are
    those of RIFE, a name or a file, or the folder of rife-ncnn. Without `vulkan` that runs on the processor.
    """
    backend, why = _automatic(weights, device) if wanted == "auto" else (wanted, "")
    if backend == "rife":
        net, sha256 = load_rife(weights)
        return Choice(backend, f"RIFE v{net.version} on {device.type}{why}", {"rife": sha256})
    if backend == "rife-ncnn":
        with _ncnn(weights, vulkan=vulkan) as ncnn:
            return Choice(backend, ncnn.describe(), {"rife-ncnn": ncnn.model.sha256})
    return Choice(backend, f"optical flow{why}" if backend == "flow" else "blending, without motion")


def _automatic(weights: str, device: torch.device) -> tuple[Backend, str]:
    if device.type != "cuda":
        return "flow", " (auto: there is no CUDA)" if device.type == "cpu" else f" (auto: on {device.type})"
    found = [entry for entry in ENTRIES if entry.name == weights]
    if Path(weights).is_file() or any(entry.path.is_file() for entry in found):
        return "rife", " (auto)"
    advice = f"; get them by {found[0].advice()}" if found else ""
    return "flow", f" (auto: RIFE's weights {weights} are not there{advice})"


def _ncnn(weights: str, threads: int = 1, *, vulkan: bool) -> RifeNcnn:
    folder = Path(weights) if Path(weights).is_dir() else ncnn_folder(weights)
    return RifeNcnn(folder, None if vulkan else PROCESSOR, threads)


@contextmanager
def open_interpolator(
    backend: Backend, weights: str, device: torch.device, threads: int, warn: Warn, *, vulkan: bool
) -> Iterator[tuple[Interpolator, str | None]]:
    """Have a backend ready, as `choose_backend` chose it, and tell the sha256 of its weights, if it has any.

    Frames are on `device`; `warn` is told when the memory of a GPU makes it go on in smaller portions.
    """
    with keeping_memory():
        if backend == "rife":
            net, sha256 = load_rife(weights, device)
            yield by_rife(Rife(net, warn)), sha256
        elif backend == "rife-ncnn":
            with _ncnn(weights, threads, vulkan=vulkan) as ncnn:
                yield by_ncnn(ncnn), ncnn.model.sha256
        else:
            yield by_flow if backend == "flow" else by_blending, None


def by_rife(rife: Rife) -> Interpolator:
    """Move frames along the motion that RIFE sees in their guides."""

    def make(piece: tuple[Gap, bool]) -> tuple[GapNote | None, list[Tensor]]:
        gap, first = piece
        told = gap_note(gap) if first else None
        if _stands_still(gap):
            return told, [gap.before] * len(gap.times)
        between = [time for time in gap.times if time > 0]
        return told, [*[gap.before] * (len(between) < len(gap.times)), *rife.subframes(*gap[:4], between)]

    def interpolate(gaps: Iterable[Gap], each: Map, note: Note) -> Iterator[Tensor]:
        for told, frames in each(make, _pieces(gaps)):
            if told is not None:
                note(told)
            yield from frames

    return interpolate


def _pieces(gaps: Iterable[Gap]) -> Iterator[tuple[Gap, bool]]:
    """Gaps with a few of their moments each, and whether they are the first ones."""
    for gap in gaps:
        for start in range(0, len(gap.times), MOMENTS_AT_ONCE):
            yield gap._replace(times=gap.times[start : start + MOMENTS_AT_ONCE]), start == 0


def by_ncnn(ncnn: RifeNcnn) -> Interpolator:
    """Have RIFE on ncnn make the frames; it sees motion in the frames themselves, and has threads of its own."""

    def interpolate(gaps: Iterable[Gap], each: Map, note: Note) -> Iterator[Tensor]:
        del each
        for gap in gaps:
            still = _stands_still(gap)
            note(gap_note(gap))
            between = [time for time in gap.times if time > 0]
            yield from [gap.before] * (len(between) < len(gap.times))
            yield from [gap.before] * len(between) if still else ncnn.subframes(gap.before, gap.after, between)

    return interpolate


def gap_note(gap: Gap) -> GapNote:
    """Flow inconsistency and coarse flow of the guides, seen by flow at a quarter of the size."""
    if _stands_still(gap):
        return GapNote(0.0, no_flow(gap.before))
    guides = gap.guide_before, gap.guide_after
    flows = estimate_flow(*guides, scale=2)
    return GapNote(flow_inconsistency(*guides, *flows), coarse_flow(*flows))


def _stands_still(gap: Gap) -> bool:
    return torch.equal(gap.before, gap.after) and torch.equal(gap.guide_before, gap.guide_after)


def survey(weights: str, device: torch.device) -> Iterator[tuple[str, str]]:
    """Each backend that needs more than is installed anyway, and how it is here; at last what `auto` takes."""
    for backend in ("rife", "rife-ncnn"):
        try:
            yield backend, choose_backend(backend, weights, device).told
        except UserError as error:
            yield backend, f"not here: {error.told(setting, where=error.where != backend)}"
    yield "auto", choose_backend("auto", weights, device).told
