"""Decoded pictures on disk, so that training reads the rows of a crop instead of decoding a PNG for each.

`PLACE-CONTENT.pixels` holds the pixels of all pictures one after another. PLACE is a hash of where the dataset lies,
CONTENT of its files by name, size and time: a dataset that changed gets a new file, and the old one goes.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import cast

import numpy as np

from lolblur_synth.core.devices import cores
from lolblur_synth.core.errors import UserError, refused
from lolblur_synth.core.files import open_lock
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.core.threads import ordered_map
from lolblur_synth.dataset.pairs import PairFiles, Picture, read_picture
from lolblur_synth.video.images import Pixels

Notify = Callable[[int, int], None]
_FORMAT = 1


@dataclass(frozen=True)
class Decoded:
    """The pictures of a list of pairs, input and truth of the first, of the second and so on, in one file."""

    path: Path
    offsets: tuple[int, ...]  # of each picture, bytes

    def rows(self, number: int, picture: Picture, start: int, stop: int) -> Pixels:
        """Rows `start` to `stop` of a picture, (rows, W, 3) RGB; raises `UserError` when the file has become short."""
        line = picture.width * 3
        first = self.offsets[number] + start * line * np.dtype(picture.dtype).itemsize
        count = (stop - start) * line
        with refused(self.path, "cannot be read", "start again to make it anew"):
            values = np.fromfile(self.path, picture.dtype, count, offset=first)
        if values.size != count:
            raise UserError(
                "has become shorter since training started", where=self.path, advice="start again to make it anew"
            )
        return cast(Pixels, values.reshape(stop - start, picture.width, 3))


def decoded_bytes(pairs: Sequence[PairFiles]) -> int:
    """What the decoded pictures of pairs take on disk."""
    return sum(picture.decoded_bytes for picture in _pictures(pairs))


def decode_all(folder: Path, pairs: Sequence[PairFiles], notify: Notify | None = None) -> Decoded:
    """Find the decoded pictures of pairs in a folder, or put them there; `notify(done, all)` while they are decoded.

    One process decodes, others that ask at the same time wait for it. Raises `UserError` when the disk has no room for
    them, or refuses, or when a picture cannot be decoded.
    """
    pictures, place = _pictures(pairs), _place(pairs)
    target = folder / f"{place}-{_content(pairs)}.pixels"
    advice = "name a folder on another disk, or train without the cache"
    with refused(f"decoded cache {folder}", "", advice), _locked(folder, place):
        if not target.exists() or target.stat().st_size != decoded_bytes(pairs):
            for old in (*folder.glob(f"{place}-*"), *folder.glob(f".{place}-*")):
                old.unlink()
            _check_room(folder, decoded_bytes(pairs))
            _write(target, pictures, notify)
    return Decoded(target, tuple(accumulate((picture.decoded_bytes for picture in pictures[:-1]), initial=0)))


def _pictures(pairs: Sequence[PairFiles]) -> list[Picture]:
    return [picture for pair in pairs for picture in (pair.input, pair.target)]


def _place(pairs: Sequence[PairFiles]) -> str:
    pictures = pairs[0].input, pairs[0].target
    folders = [str(picture.folder.resolve()) for picture in pictures]
    if pictures[0].member:  # shards hold both
        folders += [picture.member.removeprefix(pairs[0].name) for picture in pictures]
    return fingerprint({"folders": folders})[:16]


def _content(pairs: Sequence[PairFiles]) -> str:
    """Of all that decides the bytes of the file, but for the pixels themselves."""
    files = [[pair.name, [(p.size, p.changed, p.shape, p.dtype) for p in (pair.input, pair.target)]] for pair in pairs]
    return fingerprint({"format": _FORMAT, "files": files})[:32]


@contextmanager
def _locked(folder: Path, place: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with open_lock(folder / f"{place}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
            where=f"decoded cache {folder}",
            advice="make room, name a folder on another disk, or train without the cache",
        )


def _write(target: Path, pictures: Sequence[Picture], notify: Notify | None) -> None:
    """The file appears whole or not at all."""
    draft = target.with_name(f".{target.name}.partial")
    try:
        with draft.open("wb") as file, ordered_map(cores()) as each:
            for done, pixels in enumerate(each(read_picture, pictures), 1):
                file.write(pixels.data)
                if notify:
                    notify(done, len(pictures))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
