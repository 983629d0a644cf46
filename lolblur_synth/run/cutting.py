"""What one video gives: its sequences of slots, the shutters that they can have, or why it gives nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.run.footage import seen_blur, warnings
from lolblur_synth.run.plan import VideoPlan
from lolblur_synth.run.seen_blur import seen_exposure
from lolblur_synth.run.speeds import measure_speeds
from lolblur_synth.synthesis.sequences import Shutter, choose, shutter_at, shutters_within, slots
from lolblur_synth.video.metadata import Flaw, FlawKind, VideoScan


def cut_video(path: Path, name: str, found: VideoScan | str, config: Config) -> VideoPlan:
    """Cut a video into sequences of slots, or tell why it gives none."""
    if isinstance(found, str):
        return VideoPlan(path, name, fault=found)
    fps = found.info.capture_fps
    shutters = shutters_of(fps, config)
    half = max(shutter.half for shutter in shutters)  # sound for the longest is sound for each
    candidates = slots(found.frames, fps, config.sequences.fps, half)
    chunks, rejects = choose(candidates, [*found.flaws, *_flickering(found, config)], half, config.sequences)
    cut = VideoPlan(
        path,
        name,
        scan=found,
        chunks=tuple(tuple(chunk) for chunk in chunks),
        rejects=tuple(rejects),
        warnings=tuple(warnings(found, shutters, config)),
    )
    if chunks:
        return _with_speeds(_with_seen_blur(cut, half), half, config)
    reasons = sorted({reject.cause for reject in rejects})
    fault = (
        f"too few frames: {found.frames} at {float(fps):g} fps hold {len(candidates)} windows of {2 * half + 1} frames"
        + (f", dropped for {' / '.join(reasons)}" if reasons else "")
        + f"; a sequence needs {config.sequences.min_pairs}"
    )
    return replace(cut, fault=fault)


def without_copies(cuts: Iterable[VideoPlan]) -> list[VideoPlan]:
    """Of videos that show the same frames at the same times, in whatever files, the first that can be used."""
    first: dict[str, VideoPlan] = {}
    left: list[VideoPlan] = []
    for cut in cuts:
        used = cut if cut.fault or cut.scan is None else first.setdefault(cut.scan.content, cut)
        copy = None if used is cut else f"same content as {used.name}, which is used"
        left.append(VideoPlan(cut.path, cut.name, fault=copy) if copy else cut)
    return left


def shutters_of(fps: Fraction, config: Config) -> list[Shutter]:
    """Those that a sequence can have; ascending where they are chosen by blur."""
    section, sub_frames, slowest = config.sequences, config.interpolate.fps, config.camera.rolling_ms[1]
    if section.blur:
        return shutters_within(fps, section.fps, sub_frames, slowest)
    return [shutter_at(fps, ms, sub_frames, slowest) for ms in section.shutter_ms]


def _spans(cut: VideoPlan, half: int) -> list[range]:
    """The source frames of each sequence, with the longest shutter."""
    return [range(chunk[0].center - half, chunk[-1].center + half + 1) for chunk in cut.chunks]


def _with_seen_blur(cut: VideoPlan, half: int) -> VideoPlan:
    """A video with what is seen of its shutter, where nobody tells."""
    if cut.scan is None or cut.scan.info.exposure_ratio is not None:
        return cut
    found = replace(cut.scan, seen_exposure=seen_exposure(cut.scan, _spans(cut, half)))
    return replace(cut, scan=found, warnings=(*cut.warnings, *seen_blur(found)))


def _with_speeds(cut: VideoPlan, half: int, config: Config) -> VideoPlan:
    """A video with the motion of its sequences, where shutters are chosen by it; half is of the longest."""
    if config.sequences.blur is None or cut.scan is None:
        return cut
    try:
        found = (measure_speeds(cut.scan, span, config.video.size) for span in _spans(cut, half))
        return replace(cut, speeds=tuple(map(tuple, found)))
    except SequenceError as error:
        return VideoPlan(cut.path, cut.name, fault=error.told(setting, where=error.where != cut.path))


def _flickering(found: VideoScan, config: Config) -> Iterator[Flaw]:
    """The frames with flicker, where their windows are to be left out."""
    if found.flicker and config.video.flicker == "drop":
        for start, stop in found.flicker.parts:
            yield from (Flaw(frame, frame, FlawKind.FLICKER) for frame in range(start, stop))
