"""The `interpolate` command: a video at a higher rate, with the frames that it had untouched at their times."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise, repeat
from math import ceil
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lolblur_synth.apps.denoise import VIDEOS, depth_for
from lolblur_synth.apps.outputs import check_file, check_source
from lolblur_synth.apps.transcoding import NOBODY, Listener, frame_list, frame_spacing, losses
from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.ops.interpolation.backends import Backend, Choice, choose_backend, open_interpolator
from lolblur_synth.ops.interpolation.interpolate import Gap, Interpolator, Note
from lolblur_synth.ops.motion import GapNote
from lolblur_synth.video.metadata import StoredScan, VideoInfo
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video

UNTRUSTED = 0.05  # of the picture: what interpolate.untrusted is by default
_HIGHEST_FPS = 1_000_000


@dataclass(frozen=True)
class InterpolateOptions:
    """The rate to reach, as `fps` or as `factor`, by what and where, and the rate at which the frames were filmed."""

    fps: float | None = None
    factor: int | None = None
    backend: Backend | Literal["auto"] = "auto"
    weights: str = "rife-v4.0"
    device: str = "auto"
    capture_fps: float | None = None  # None: as tags tell

    @property
    def vulkan(self) -> bool:
        """Whether ncnn may compute on a GPU."""
        return self.device != "cpu"


@dataclass(frozen=True)
class InterpolatedVideo:
    """A video that was made, by what, and where its motion is not to be trusted."""

    frames: int
    fps: Fraction
    source: StoredScan
    backend: str  # in words
    numbers: Sequence[int]  # of the frames of the source: with those that are missing where its rate is steady
    shares: dict[int, float]  # of the picture that moves inconsistently, by the number of the frame before the gap


def interpolate_video(
    source: Path,
    out: Path,
    options: InterpolateOptions,
    *,
    overwrite: bool = False,
    listener: Listener = NOBODY,
) -> InterpolatedVideo:
    """Interpolate a video, or a folder of numbered images, to `fps` or to `factor` times the rate it was filmed at.

    `out` plays in real time, is lossless, of 8 bits if the source is, else of 16, and appears whole or not at all.
    Frames lie at exact times, those of the source among them wherever one falls on theirs; where the rate of the
    source varies, each of its frames counts at its own time. Over a cut nothing is blended: the nearest frame is held.
    Where frames are missing the motion between those around is followed. Raises `UserError` or `SequenceError` for
    what cannot be done.
    """
    check_source(source)
    check_file(out, VIDEOS, source=source, overwrite=overwrite)
    device = choose_device(options.device)
    info = probe(source, options.capture_fps)
    _rate(info, options, sure=False)  # what is asked for in vain is refused before all is read
    depth_for(out, info)
    chosen = choose_backend(options.backend, options.weights, device, vulkan=options.vulkan)
    scan = scan_stored(info)
    for line in losses(scan, out):
        listener.warn(line)
    return _interpolate(scan, out, options, chosen, device, listener)


def _interpolate(
    scan: StoredScan, out: Path, options: InterpolateOptions, chosen: Choice, device: torch.device, listener: Listener
) -> InterpolatedVideo:
    """Write the video that a scan, an output rate and a backend determine."""
    rate = _rate(scan.info, options)  # where the headers tell an average, timestamps tell the rate
    step, places = scan.info.capture_fps / rate, _places(scan)
    together = scan.frames - len({place.at for place in places})
    if together:
        listener.warn(f"{scan.info.path}: {together} frames share a moment with another at that rate, and are left out")
    total = places[-1].at // step + 1
    threads = threads_for(1, device)
    gaps, notes = list[int](), list[GapNote]()
    listener.progress(0, total)
    with (
        torch.inference_mode(),
        ordered_map(threads) as each,
        open_interpolator(chosen.backend, options.weights, device, threads, listener.warn, vulkan=options.vulkan) as (
            interpolator,
            _,
        ),
    ):
        frames = (frame.to(device) for frame in read_stored(scan, threads))
        gaps_of = _GapInterpolator(interpolator, each, gaps.append, notes.append)
        made = _by_scene(zip(places, frames, strict=True), places, scan.cuts, step, total, gaps_of)
        write_video(out, _counted(made, total, listener.progress), rate, bit_depth=depth_for(out, scan.info))
    numbers = [place.number for place in places]
    shares = {gap: note.inconsistency for gap, note in zip(gaps, notes, strict=False)}
    return InterpolatedVideo(total, rate, scan, chosen.told, numbers, shares)


def _rate(info: VideoInfo, options: InterpolateOptions, *, sure: bool = True) -> Fraction:
    """The rate to reach; the headers of a video whose rate varies may tell one that is far too high, by a guess."""
    fps, factor = options.fps, options.factor
    if (fps is None) == (factor is None):
        raise UserError(f"give either {setting('fps')} or {setting('factor')}")
    if factor is not None and factor < 2:
        raise UserError("give a whole number from 2", where=f"{setting('factor')} {factor}")
    lowest = info.capture_fps if sure or info.capture_origin.is_told else 0
    if fps is not None and not lowest < fps < float("inf"):
        raise UserError(
            f"give more than the {float(info.capture_fps):g} fps of {info.path.name}", where=f"{setting('fps')} {fps:g}"
        )
    rate = info.capture_fps * factor if factor else Fraction(str(fps))
    if rate > _HIGHEST_FPS:
        raise UserError(f"{float(rate):g} fps are too many", advice=f"a video can hold {_HIGHEST_FPS}")
    return rate


@dataclass(frozen=True)
class _Place:
    """A frame of the source: its number, and its time, in steps of the source's rate from the first."""

    number: int
    at: Fraction


def _places(scan: StoredScan) -> list[_Place]:
    """On whole steps where frames are steady, or where somebody has told by how much they are apart; else in time."""
    if scan.steady or scan.info.capture_origin.is_told:
        return [_Place(slot, Fraction(slot)) for slot in scan.slots]
    times = ((time - scan.shown[0]) * scan.info.stored_fps for time in scan.shown[:-1])
    return [_Place(number, time) for number, time in enumerate(times)]


def _counted(frames: Iterator[Tensor], total: int, progress: Callable[[int, int], None]) -> Iterator[Tensor]:
    for number, frame in enumerate(frames, 1):
        yield frame
        progress(number, total)


@dataclass(frozen=True)
class _GapInterpolator:
    """The interpolator of gaps between frames, and who is told of each gap, by its number and by how it moves."""

    interpolator: Interpolator
    each: Map
    gap: Callable[[int], None]
    note: Note


def _by_scene(
    frames: Iterator[tuple[_Place, Tensor]],
    places: Sequence[_Place],
    cuts: Sequence[int],
    step: Fraction,
    total: int,
    gaps_of: _GapInterpolator,
) -> Iterator[Tensor]:
    """`total` frames, at multiples of `step`, in steps of the source; a cut is half-way between two of its frames."""
    middles = [(places[at - 1].at + places[at].at) / 2 for at in cuts]
    scenes = zip(pairwise((0, *cuts, len(places))), pairwise((Fraction(0), *middles, total * step)), strict=True)
    for (start, stop), (first, last) in scenes:
        yield from _scene(islice(frames, stop - start), first, last, step, gaps_of)


def _scene(
    frames: Iterator[tuple[_Place, Tensor]], first: Fraction, last: Fraction, step: Fraction, gaps_of: _GapInterpolator
) -> Iterator[Tensor]:
    """The moments from `first` to before `last`; the first frame is held until its own time, the last one from its."""
    latest = next(frames)
    yield from repeat(latest[1], len(output_times(first, latest[0].at, step)))

    def gaps() -> Iterator[Gap]:
        nonlocal latest
        for place, frame in frames:
            before, picture = latest
            latest = place, frame
            if place.at > before.at:
                gaps_of.gap(before.number)
                moments = output_times(before.at, place.at, step)
                times = [float((moment - before.at) / (place.at - before.at)) for moment in moments]
                yield Gap(picture, frame, picture, frame, times)

    yield from gaps_of.interpolator(gaps(), gaps_of.each, gaps_of.note)
    yield from repeat(latest[1], len(output_times(latest[0].at, last, step)))


def output_times(start: Fraction | int, stop: Fraction | int, step: Fraction) -> list[Fraction]:
    """Output times from `start` to before `stop`: the multiples of `step`.

    >>> [str(time) for time in output_times(1, 2, Fraction(2, 5))]
    ['6/5', '8/5']
    """
    return [number * step for number in range(ceil(start / step), ceil(stop / step))]


def describe(result: InterpolatedVideo) -> Iterator[str]:
    """A description of what was made, and what to look at, a line each."""
    scan, shares, numbers = result.source, result.shares, result.numbers
    varying = None if scan.steady else frame_spacing(scan)
    source = (
        f"{scan.frames} that are {varying}" if varying else f"{numbers[-1] + 1} at {float(scan.info.capture_fps):g}"
    )
    share = f"; motion is inconsistent on at most {max(shares.values()):.1%} of the picture" if shares else ""
    yield f"{result.frames} frames at {float(result.fps):g} fps from {source}, by {result.backend}{share}"
    if scan.cuts:
        cuts = frame_list([numbers[at] for at in scan.cuts])
        yield f"cut at frame {cuts}: nothing is blended over it, the nearest frame is held"
    missing = sorted(set(range(numbers[-1])).difference(numbers))
    if missing:
        yield f"missing frame {frame_list(missing)}: motion goes on from the one before to the one after"
    doubtful = [at for at, share in shares.items() if share > UNTRUSTED]
    if doubtful:
        much = f"on more than {UNTRUSTED:.0%} of the picture"
        yield f"motion that cannot be trusted, {much}, after frame {frame_list(doubtful)}"
