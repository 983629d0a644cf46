"""Pictures of what gave no pair: frames of the footage, found by what is decoded of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.summary_types import DroppedWindow
from lolblur_synth.run.footage import scan_or_fault
from lolblur_synth.run.sources import find_sources
from lolblur_synth.video.images import encode_webp, quantize
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.thumbnail import thumbnail

_WIDTH, _QUALITY = 256, 55
_OF_A_CAUSE = 3  # windows of a video that are shown for each cause
_MOST = 60

Footage = Mapping[str, VideoScan]  # by content


@dataclass(frozen=True)
class DroppedPicture:
    """The middle frame of a window that gave no pair."""

    window: DroppedWindow
    source: str  # name of the video
    file: bytes | None  # WebP; None: it cannot be read
    fault: str = ""


def find_footage(videos: Path | str, root: Path, records: Iterable[SequenceRecord]) -> Footage:
    """Scan a folder of videos for those that a dataset was made of; raises `UserError` where there are none at all."""
    wanted = {record.source.content: record for record in records}
    config = next(iter(wanted.values())).config
    found = find_sources(videos, (root, cache_dir()), config.run)
    scans = (scan_or_fault(video.path, config, video.remote) for video in found.videos)
    return {scan.content: scan for scan in scans if isinstance(scan, VideoScan) and scan.content in wanted}


def picture_dropped(
    windows: Sequence[DroppedWindow], records: Iterable[SequenceRecord], footage: Footage
) -> list[DroppedPicture]:
    """Some of the windows of each video and cause, spread evenly, where the footage is there."""
    sources = {record.video: record.source for record in records}
    ordered = sorted(windows, key=lambda window: (window.video, window.cause, window.center))
    chosen = [
        window
        for _, group in groupby(ordered, lambda window: (window.video, window.cause))
        for window in _some([*group], _OF_A_CAUSE)
        if sources[window.video].content in footage
    ]
    return [
        _picture(window, sources[window.video].name, footage[sources[window.video].content])
        for window in _some(chosen, _MOST)
    ]


def _some(windows: list[DroppedWindow], most: int) -> list[DroppedWindow]:
    """So many of them at most, the first and the last among them."""
    if len(windows) <= most:
        return windows
    return [windows[round(number * (len(windows) - 1) / (most - 1))] for number in range(most)]


def _picture(window: DroppedWindow, source: str, scan: VideoScan) -> DroppedPicture:
    try:
        (frame,) = read_frames(scan, window.center, window.center + 1)
    except SequenceError as error:
        return DroppedPicture(window, source, None, error.told(setting, where=False))
    pixels = quantize(frame)
    return DroppedPicture(window, source, encode_webp(thumbnail(pixels, min(_WIDTH, pixels.shape[1])), _QUALITY))
