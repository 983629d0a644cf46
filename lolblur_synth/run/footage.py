"""What is to be said of footage before it is used: faults, for which it gives nothing, and warnings."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from lolblur_synth.config.run import Config
from lolblur_synth.config.section import SMALLEST_SIDE
from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.remote.video import RemoteVideo
from lolblur_synth.synthesis.sequences import Recipe, Shutter
from lolblur_synth.video import scan_cache
from lolblur_synth.video.color_coding import ToldColors
from lolblur_synth.video.metadata import FlawKind, RateOrigin, VideoInfo, VideoScan, few_bits
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.shutter import ShutterOrigin, parse_shutter, shown_time

LOW_FPS, TOO_LOW_FPS = 120, 48
_GAPPED, _BLURRED = 0.2, 0.75  # exposure ratios up to which, and from which on, there is something to say


def _ignore(text: str) -> None:
    del text


def scan_or_fault(
    path: Path, config: Config, remote: RemoteVideo | None = None, warn: Callable[[str], None] = _ignore
) -> VideoScan | str:
    """The scan of a video, known or made now, or why it gives nothing.

    One that lies elsewhere is read only where it is not known; `warn` is told of what is tried again.
    """
    path = remote.path if remote else path

    def make() -> VideoScan:
        video = config.video
        colors = ToldColors(video.transfer, video.primaries, video.matrix)
        info = probe(path, video.capture_fps, config.run.max_pixels, white=video.white, told=colors)
        told = info.capture_origin is not RateOrigin.STREAM  # which may be an average: the timestamps will tell
        if fault := (told and _rate_fault(info, config)) or _size_fault(info, config):
            raise SequenceError(fault)
        return scan(info)

    told_to_it = {
        "capture_fps": str(config.video.capture_fps),
        "max_pixels": str(config.run.max_pixels),
        "white": str(config.video.white),
        "colors": f"{config.video.transfer} {config.video.primaries} {config.video.matrix}",
    }
    try:
        found = _with_shutter(_scan(path, told_to_it, make, remote, warn), config)
        return _rate_fault(found.info, config) or _size_fault(found.info, config) or _shutter_fault(found.info) or found
    except SequenceError as error:
        return error.told(setting, where=error.where != path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _scan(
    path: Path,
    told_to_it: dict[str, str],
    make: Callable[[], VideoScan],
    remote: RemoteVideo | None,
    warn: Callable[[str], None],
) -> VideoScan:
    if remote is None:
        return scan_cache.recall_or_scan(path, told_to_it, make)
    found = scan_cache.recall_marked(remote.key, path, told_to_it)
    if found is None:
        with remote.copied(warn):
            found = scan_cache.recall_or_scan(path, told_to_it, make, remote.key)
    return replace(found, remote=remote)


def _with_shutter(found: VideoScan, config: Config) -> VideoScan:
    """A scan with the shutter that is set, if one is: it changes nothing that was scanned."""
    given = config.video.source_shutter
    return found if given is None else replace(found, info=replace(found.info, shutter=parse_shutter(given)))


def _shutter_fault(info: VideoInfo) -> str | None:
    if info.shutter is None or info.shutter.origin is not ShutterOrigin.GIVEN or info.exposure_ratio is not None:
        return None
    time = shown_time(info.shutter.time(info.capture_fps))
    return f"video.source_shutter {time} is longer than a frame at {float(info.capture_fps):g} fps lasts"


def _rate_fault(info: VideoInfo, config: Config) -> str | None:
    told = f"{float(info.capture_fps):g} fps ({info.capture_source}) is below"
    if info.capture_fps < TOO_LOW_FPS and not config.video.allow_low_fps:
        return (
            f"{told} {TOO_LOW_FPS}: if it is slow motion, give its real rate with {setting('video.capture_fps')}; "
            "to use it as it is, set video.allow_low_fps=true"
        )
    if info.capture_fps < Fraction(str(config.sequences.fps)):
        return f"{told} the {config.sequences.fps:g} of sequences.fps: pairs would repeat"
    return None


def _size_fault(info: VideoInfo, config: Config) -> str | None:
    if config.video.size != "source" or min(info.width, info.height) >= SMALLEST_SIDE:
        return None
    return (
        f"{info.width}x{info.height} is too small: sides of {SMALLEST_SIDE} pixels or more can be matched; "
        f"give a {setting('video.size')}, or larger footage"
    )


def warnings(found: VideoScan, shutters: Iterable[Shutter], config: Config) -> Iterator[str]:
    """What a person should know of a video that is used, a line each."""
    yield from _rate_warnings(found.info, shutters, config)
    yield from _colors(found.info, config)
    yield from _shutter_warnings(found.info)
    yield from _white(found.info)
    yield from _damage(found)
    yield from _flicker(found, config)


def _rate_warnings(info: VideoInfo, shutters: Iterable[Shutter], config: Config) -> tuple[str, ...]:
    found, fps = [], info.capture_fps
    if info.used_bits:
        found.append(few_bits(info))
    if fps < LOW_FPS:
        found.append(f"{float(fps):g} fps is below {LOW_FPS}: motion between frames is large, look at the blur")
    period = 1000 / config.sequences.fps
    for shutter in shutters:
        if shutter.milliseconds > period:
            found.append(f"the shortest exposure at this rate, {shutter.milliseconds:.1f} ms, exceeds {period:.1f} ms")
    return tuple(dict.fromkeys(found))


def _shutter_warnings(info: VideoInfo) -> Iterator[str]:
    if info.shutter is None:
        return
    time, ratio = shown_time(info.shutter.time(info.capture_fps)), info.exposure_ratio
    told = f"a shutter of {time} ({info.shutter.source})"
    if ratio is None:
        yield f"{told} is longer than a frame at {float(info.capture_fps):g} fps lasts: it counts as unknown"
    elif ratio >= _BLURRED:
        yield f"{told} is {ratio:.0%} of the time from frame to frame: what moves is blurred in the truth already"
    elif ratio <= _GAPPED:
        yield (
            f"{told} is {ratio:.0%} of the time from frame to frame: what moves in between was not filmed, and is "
            "interpolated"
        )


def seen_blur(found: VideoScan) -> Iterator[str]:
    """What is to be said of frames that look blurred themselves."""
    if found.seen_exposure is not None:
        yield (
            f"its frames look blurred by about {found.seen_exposure:.0%} of the motion between them, and so is the "
            "ground truth where things move; a shorter shutter would be better, and video.source_shutter, if you know "
            "it, tells more"
        )


def missed_blur(recipes: Iterable[Recipe]) -> Iterator[str]:
    """What is to be said of sequences that cannot have the blur that was drawn for them."""
    for number, recipe in enumerate(recipes):
        if recipe.aim and recipe.aim.limit:
            yield (
                f"sequence {number} was to be blurred by {recipe.aim.wanted:.1f} pixels, but its {recipe.aim.limit}: "
                f"it is by about {recipe.aim.planned:.1f}, with {recipe.shutter.milliseconds:.1f} ms"
            )


def _white(info: VideoInfo) -> Iterator[str]:
    """Of RAW, which saturates at 1."""
    if info.white is not None and info.saturation is not None and info.white > info.saturation:
        yield f"video.white is {info.white:g}, and its samples saturate at {info.saturation:g}: nothing becomes white"


def _colors(info: VideoInfo, config: Config) -> Iterator[str]:
    """Where a file says two things."""
    video = config.video
    if info.colors_disputed and not (video.transfer and video.primaries and video.matrix):
        yield (
            f"its container tells other colours than its stream: taken for transfer {info.transfer}, primaries "
            f"{info.primaries}, matrix {info.color_matrix}; if that is wrong, set {setting('video.transfer')}, "
            f"{setting('video.primaries')} or {setting('video.matrix')}"
        )


def _damage(found: VideoScan) -> Iterator[str]:
    """What the footage hides of its state."""
    counts = Counter(flaw.kind for flaw in found.flaws)
    if counts[FlawKind.CONCEALED_DAMAGE]:
        yield (
            f"{counts[FlawKind.CONCEALED_DAMAGE]} frames are damaged or follow from damaged ones, which their decoder "
            "conceals: their windows are dropped; copy the file again"
        )
    if counts[FlawKind.UNSTABLE_DECODE]:
        yield (
            f"{counts[FlawKind.UNSTABLE_DECODE]} frames come out otherwise at each decoding, so there is damage: their "
            "windows are dropped; copy the file again"
        )


def _flicker(found: VideoScan, config: Config) -> Iterator[str]:
    if found.flicker:
        done = {
            "tell": "set video.flicker=remove or drop",
            "remove": "it is removed",
            "drop": "windows with it are dropped",
        }
        spans = ", ".join(f"{start} to {stop - 1}" for start, stop in found.flicker.parts[:3])
        yield (
            f"light flickers at {found.flicker.hertz} Hz by {found.flicker.percent:g} % in frames {spans}"
            f"{', ...' * (len(found.flicker.parts) > 3)}: {done[config.video.flicker]}"
        )
