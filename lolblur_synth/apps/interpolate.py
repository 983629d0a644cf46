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

from lolblur_synth.apps.conversion import named, shortcomings, spacing
from lolblur_synth.apps.denoise import VIDEOS, depth_for
from lolblur_synth.apps.outputs import check_file, check_source
from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.ops.interpolation.backends import Backend, choose_backend, open_interpolator
from lolblur_synth.ops.interpolation.interpolate import Gap, Interpolator
from lolblur_synth.video.metadata import StoredScan, VideoInfo
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.stored import scan_stored
from lolblur_synth.video.writer import write_video

UNTRUSTED = 0.05  # of the picture: what interpolate.untrusted is by default
_HIGHEST_FPS = 1_000_000


@dataclass(frozen=True)
class Manner:
    """How to interpolate."""

    backend: Backend | Literal["auto"] = "auto"
    weights: str = "rife-v4.0"
    device: str = "auto"


@dataclass(frozen=True)
class Result:
    """What was made, by what, and where it is not to be trusted."""

    frames: int
    fps: Fraction
    source: StoredScan
    told: str  # the backend, in words
    numbers: Sequence[int]  # of the frames of the source: with those that are missing where its rate is steady
    shares: dict[int, float]  # of the picture that moves inconsistently, by the number of the frame before the gap


def interpolate_video(
    source: Path,
    out: Path,
    fps: float | None,
    factor: int | None,
    manner: Manner,
    capture_fps: float | None,
    overwrite: bool,
    notify: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> Result:
    """Write a video, or a folder of numbered images, at `fps` or at `factor` times the rate at which it was filmed.

    `out` plays in real time, is lossless, of 8 bits if the source is, else of 16, and appears whole or not at all.
    Frames lie at exact times, those of the source among them wherever one falls on theirs; where the rate of the
    source varies, each of its frames counts at its own time. Over a cut nothing is blended: the nearest frame is held.
    Where frames are missing the motion between those around is followed. `notify` is told how many frames are written,
    of how many; `warn` of what is lost. Raises `UserError` or `SequenceError` for what cannot be done.
    """
    check_source(source)
    check_file(source, out, overwrite, "out", VIDEOS)
    device = choose_device(manner.device)
    vulkan = manner.device != "cpu"
    info = probe(source, capture_fps)
    _rate(info, fps, factor, sure=False)  # what is asked for in vain is refused before all is read
    depth = depth_for(out, info)
    chosen = choose_backend(manner.backend, manner.weights, device, vulkan=vulkan)
    found = scan_stored(info)
    for line in shortcomings(found, out):
        warn(line)
    rate = _rate(found.info, fps, factor)  # where the headers tell an average, timestamps tell the rate
    step, places = found.info.capture_fps / rate, _places(found)
    together = found.frames - len({place.at for place in places})
    if together:
        warn(f"{source}: {together} frames share a moment with another at that rate, and are left out")
    total = places[-1].at // step + 1
    threads = threads_for(1, device)
    gaps, shares = list[int](), list[float]()
    notify(0, total)
    with (
        torch.inference_mode(),
        ordered_map(threads) as each,
        open_interpolator(chosen.backend, manner.weights, device, threads, warn, vulkan=vulkan) as (interpolator, _),
    ):
        frames = (frame.to(device) for frame in read_stored(found))
        means = _Means(interpolator, each, gaps.append, shares.append)
        made = _by_scene(zip(places, frames, strict=True), places, found.cuts, step, total, means)
        write_video(out, _counted(made, total, notify), rate, bit_depth=depth)
    numbers = [place.number for place in places]
    return Result(total, rate, found, chosen.told, numbers, dict(zip(gaps, shares, strict=False)))


def _rate(info: VideoInfo, fps: float | None, factor: int | None, sure: bool = True) -> Fraction:
    """The rate to reach; the headers of a video whose rate varies may tell one that is far too high, by a guess."""
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
    """Where a frame of the source lies: its number, and when it was filmed, in steps of its rate from the first."""

    number: int
    at: Fraction


def _places(found: StoredScan) -> list[_Place]:
    """On whole steps where frames are steady, or where somebody has told by how much they are apart; else in time."""
    if found.steady or found.info.capture_origin.is_told:
        return [_Place(slot, Fraction(slot)) for slot in found.slots]
    times = ((time - found.shown[0]) * found.info.stored_fps for time in found.shown[:-1])
    return [_Place(number, time) for number, time in enumerate(times)]


def _counted(frames: Iterator[Tensor], total: int, notify: Callable[[int, int], None]) -> Iterator[Tensor]:
    for number, frame in enumerate(frames, 1):
        yield frame
        notify(number, total)


@dataclass(frozen=True)
class _Means:
    """What makes the frames of a scene, and who is told of each gap and of its share that cannot be trusted."""

    interpolator: Interpolator
    each: Map
    gap: Callable[[int], None]
    share: Callable[[float], None]


def _by_scene(
    frames: Iterator[tuple[_Place, Tensor]],
    places: Sequence[_Place],
    cuts: Sequence[int],
    step: Fraction,
    total: int,
    means: _Means,
) -> Iterator[Tensor]:
    """`total` frames, at multiples of `step`, in steps of the source; a cut is half-way between two of its frames."""
    middles = [(places[at - 1].at + places[at].at) / 2 for at in cuts]
    scenes = zip(pairwise((0, *cuts, len(places))), pairwise((Fraction(0), *middles, total * step)), strict=True)
    for (start, stop), (first, last) in scenes:
        yield from _scene(islice(frames, stop - start), first, last, step, means)


def _scene(
    frames: Iterator[tuple[_Place, Tensor]], first: Fraction, last: Fraction, step: Fraction, means: _Means
) -> Iterator[Tensor]:
    """The moments from `first` to before `last`; the first frame is held until its own time, the last one from its."""
    latest = next(frames)
    yield from repeat(latest[1], len(_moments(first, latest[0].at, step)))

    def gaps() -> Iterator[Gap]:
        nonlocal latest
        for place, frame in frames:
            before, picture = latest
            latest = place, frame
            if place.at > before.at:
                means.gap(before.number)
                moments = _moments(before.at, place.at, step)
                times = [float((moment - before.at) / (place.at - before.at)) for moment in moments]
                yield Gap(picture, frame, picture, frame, times)

    yield from means.interpolator(gaps(), means.each, means.share)
    yield from repeat(latest[1], len(_moments(latest[0].at, last, step)))


def _moments(start: Fraction | int, stop: Fraction | int, step: Fraction) -> list[Fraction]:
    """The multiples of `step` from `start` to before `stop`."""
    return [number * step for number in range(ceil(start / step), ceil(stop / step))]


def describe(result: Result) -> Iterator[str]:
    """What was made, and what to look at, a line each."""
    found, shares, numbers = result.source, result.shares, result.numbers
    varying = None if found.steady else spacing(found)
    source = (
        f"{found.frames} that are {varying}" if varying else f"{numbers[-1] + 1} at {float(found.info.capture_fps):g}"
    )
    share = f"; motion is inconsistent on at most {max(shares.values()):.1%} of the picture" if shares else ""
    yield f"{result.frames} frames at {float(result.fps):g} fps from {source}, by {result.told}{share}"
    if found.cuts:
        cuts = named([numbers[at] for at in found.cuts])
        yield f"cut at frame {cuts}: nothing is blended over it, the nearest frame is held"
    missing = sorted(set(range(numbers[-1])).difference(numbers))
    if missing:
        yield f"missing frame {named(missing)}: motion goes on from the one before to the one after"
    doubtful = [at for at, share in shares.items() if share > UNTRUSTED]
    if doubtful:
        much = f"on more than {UNTRUSTED:.0%} of the picture"
        yield f"motion that cannot be trusted, {much}, after frame {named(doubtful)}"
