"""Footage at hand: what lies elsewhere is copied here while it is read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from lolblur_synth.video.find import file_stamp
from lolblur_synth.video.metadata import VideoScan


def _ignore(text: str) -> None:
    del text


@contextmanager
def at_hand(scan: VideoScan, warn: Callable[[str], None] = _ignore) -> Iterator[VideoScan]:
    """A scan whose footage is on this machine, and stays, while the context lasts; of what lies here, the same scan.

    `warn` is told of readings that have to be tried again. Raises `SequenceError` where the footage cannot be had.
    """
    if scan.remote is None:
        yield scan
        return
    with scan.remote.copied(warn) as path:
        yield replace(scan, remote=None, info=replace(scan.info, path=path), stamp=file_stamp(path))
