"""The `interpolate` command: a video at a higher rate, with the frames that it had untouched at their times."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, repeat
from math import ceil
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from lolblur_synth.denoising import check_files, depth_for
from lolblur_synth.devices import choose_device, threads_for
from lolblur_synth.errors import UserError
from lolblur_synth.interpolators import Backend, choose_backend, opened
from lolblur_synth.ops.interpolate import Gap, Interpolator
from lolblur_synth.threads import Map, ordered_map
from lolblur_synth.video.metadata import FlawKind, VideoInfo, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video

UNTRUSTED = 0.05  # of the picture: what interpolate.untrusted is by default
_HIGHEST_FPS = 1_000_000
_NAMED = 5  # frames in a line


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
    source: VideoScan
    told: str  # the backend, in words
    cuts: tuple[int, ...]  # the first frame of each further scene
    shares: dict[int, float]  # of the picture that moves inconsistently, by the frame before the gap


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
    Frames lie at exact times, those of the source among them wherever one falls on theirs. Over a cut nothing is
    blended: the nearest frame is held. Where frames are missing the motion between those around is followed. `notify`
    is told how many frames are written, of how many. Raises `UserError` or `SequenceError` for what cannot be done.
    """
    check_files(source, {"--out": out}, overwrite)
    device = choose_device(manner.device)
    vulkan = manner.device != "cpu"
    info = probe(source, capture_fps)
    _rate(info, fps, factor)  # what is asked for in vain is refused before all is read
    depth = depth_for(out, info)
    chosen = choose_backend(manner.backend, manner.weights, device, vulkan)
    found = scan(info)
    rate = _rate(found.info, fps, factor)  # where the headers tell an average, timestamps tell the rate
    step = found.info.capture_fps / rate
    total = (found.frames - 1) // step + 1
    threads = threads_for(1, device)
    gaps, shares = list[int](), list[float]()
    notify(0, total)
    with (
        torch.inference_mode(),
        ordered_map(threads) as each,
        opened(chosen.backend, manner.weights, device, vulkan, threads, warn) as (interpolator, _),
    ):
        frames = (frame.to(device) for frame in read_frames(found, 0, found.frames))
        means = _Means(interpolator, each, gaps.append, shares.append)
        made = _by_scene(frames, found, step, total, means)
        write_video(out, _counted(made, total, notify), rate, bit_depth=depth)
    return Result(total, rate, found, chosen.told, _cuts(found), dict(zip(gaps, shares, strict=False)))


def _rate(info: VideoInfo, fps: float | None, factor: int | None) -> Fraction:
    if (fps is None) == (factor is None):
        raise UserError("give either --fps or --factor")
    if factor is not None and factor < 2:
        raise UserError(f"--factor {factor}: give a whole number from 2")
    if fps is not None and not info.capture_fps < fps < float("inf"):
        raise UserError(f"--fps {fps:g}: give more than the {float(info.capture_fps):g} fps of {info.path.name}")
    rate = info.capture_fps * factor if factor else Fraction(str(fps))
    if rate > _HIGHEST_FPS:
        raise UserError(f"{float(rate):g} fps are too many; a video can hold {_HIGHEST_FPS}")
    return rate


def _cuts(found: VideoScan) -> tuple[int, ...]:
    return tuple(sorted({flaw.last for flaw in found.flaws if flaw.kind is FlawKind.SCENE_CUT}))


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
    frames: Iterator[Tensor], found: VideoScan, step: Fraction, total: int, means: _Means
) -> Iterator[Tensor]:
    """`total` frames, at multiples of `step`, in frames of the source; a cut is half-way between two of them."""
    cuts = _cuts(found)
    middles = [at - Fraction(1, 2) for at in cuts]
    scenes = zip(pairwise((0, *cuts, found.frames)), pairwise((Fraction(0), *middles, total * step)), strict=True)
    for (start, stop), (first, last) in scenes:
        numbered = zip(range(start, stop), frames, strict=False)  # it takes no frame beyond
        there = ((at, frame) for at, frame in numbered if found.pts[at] is not None)
        yield from _scene(there, first, last, step, means)


def _scene(
    frames: Iterator[tuple[int, Tensor]], first: Fraction, last: Fraction, step: Fraction, means: _Means
) -> Iterator[Tensor]:
    """The moments from `first` to before `last`; the first frame is held until its own time, the last one from its."""
    latest = next(frames)
    yield from repeat(latest[1], len(_moments(first, latest[0], step)))

    def gaps() -> Iterator[Gap]:
        nonlocal latest
        for at, frame in frames:
            start, before = latest
            latest = at, frame
            means.gap(start)
            times = [float((moment - start) / (at - start)) for moment in _moments(start, at, step)]
            yield Gap(before, frame, before, frame, times)

    yield from means.interpolator(gaps(), means.each, means.share)
    yield from repeat(latest[1], len(_moments(latest[0], last, step)))


def _moments(start: Fraction | int, stop: Fraction | int, step: Fraction) -> list[Fraction]:
    """The multiples of `step` from `start` to before `stop`."""
    return [number * step for number in range(ceil(start / step), ceil(stop / step))]


def describe(result: Result) -> Iterator[str]:
    """What was made, and what to look at, a line each."""
    found, shares = result.source, result.shares
    rates = f"at {float(result.fps):g} fps from {found.frames} at {float(found.info.capture_fps):g}"
    share = f"; motion is inconsistent on at most {max(shares.values()):.1%} of the picture" if shares else ""
    yield f"{result.frames} frames {rates}, by {result.told}{share}"
    if result.cuts:
        yield f"cut at frame {_named(result.cuts)}: nothing is blended over it, the nearest frame is held"
    missing = [at for at, pts in enumerate(found.pts) if pts is None]
    if missing:
        yield f"missing frame {_named(missing)}: motion goes on from the one before to the one after"
    doubtful = [at for at, share in shares.items() if share > UNTRUSTED]
    if doubtful:
        much = f"on more than {UNTRUSTED:.0%} of the picture"
        yield f"motion that cannot be trusted, {much}, after frame {_named(doubtful)}"


def _named(frames: Sequence[int]) -> str:
    more = f", ... ({len(frames)} in all)" if len(frames) > _NAMED else ""
    return ", ".join(str(frame) for frame in frames[:_NAMED]) + more
