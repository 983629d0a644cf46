"""Copies of footage that lies elsewhere: no more bytes than are allowed, and none that is in use goes.

`KEY/` holds the files of one video, whole; `KEY.pin` is locked, shared, by who reads them, and alone by who fetches
or removes them. Locks go with the process. A pin tells how many bytes its files take or are to take, and its time of
change when they were used last. `.lock` is held while room is made.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.errors import SequenceError, UserError, refused, setting
from lolblur_synth.core.files import flush, open_lock

_FOLDER, _MOST = setting("run.cache_footage"), setting("run.cache_footage_gb")
_DIGITS = 20  # of a number of bytes
_AGAIN = 0.5  # seconds until room is looked for again

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """Files of one video: by what they are kept, and how large each is."""

    key: str
    sizes: dict[str, int]  # by name

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(self.sizes.values())


@dataclass(frozen=True)
class FootageCache:
    """Where copies of footage are kept, and how much of it."""

    folder: str | None = None  # with ~ and $VARIABLES of the machine that keeps them; None: among the caches
    most: int = 50 * 10**9  # bytes

    @property
    def place(self) -> Path:
        """The folder on this machine; raises `UserError` where none can be told."""
        with refused("copies of footage", "nowhere to keep them", f"name a folder by {_FOLDER}"):
            if self.folder is None:
                return cache_dir("footage")
        place = Path(os.path.expandvars(self.folder)).expanduser()
        if "$" in str(place):
            raise UserError(
                "names a variable that is not set here", where=f"{_FOLDER} {self.folder}", advice="set it, or a folder"
            )
        return place.absolute()

    @contextmanager
    def holding(self, wanted: Wanted, fetch: Callable[[Path], None], warn: Warn) -> Iterator[Path]:
        """The folder of a video's files, which stay while the context lasts; `fetch` brings them into one if need be.

        Waits for room where all that is kept is in use. Raises `SequenceError` for more than may be kept at all, and
        what `fetch` raises.
        """
        place = self.place
        if wanted.size > self.most:
            raise SequenceError(
                f"{wanted.size / 1e9:.1f} GB, more than the {self.most / 1e9:g} GB of footage that are kept here",
                advice=f"raise {_MOST}, if {place} has room",
            )
        advice = f"name another folder by {_FOLDER}, on a disk of this machine's and with room"
        with refused(f"{_FOLDER} {place}", "copies of footage cannot be kept", advice):
            place.mkdir(parents=True, exist_ok=True)
            pin = self._pin(wanted, fetch, warn)
        with pin:
            yield place / wanted.key

    def _pin(self, wanted: Wanted, fetch: Callable[[Path], None], warn: Warn) -> IO[bytes]:
        """A shared lock on files that are there."""
        place, told = self.place, False
        path = _pin_of(place, wanted.key)
        while True:
            pin = open_lock(path)
            try:
                fcntl.flock(pin, fcntl.LOCK_SH)
                if _is_current(pin, path) and _is_whole(place / wanted.key, wanted):
                    os.utime(path)
                    return pin
                fcntl.flock(pin, fcntl.LOCK_EX)
                if _is_current(pin, path) and not _is_whole(place / wanted.key, wanted):
                    if self._reserve(pin, wanted):
                        _fill(pin, place, wanted, fetch)
                    else:
                        if not told:
                            warn(f"waiting for room in {place}: all footage that is kept there is in use")
                        told = True
                        time.sleep(_AGAIN)
            except BaseException:
                pin.close()
                raise
            pin.close()

    def _reserve(self, pin: IO[bytes], wanted: Wanted) -> bool:
        """Make room for files by removing those that nobody uses, the longest unused first; whether there is some."""
        place = self.place
        with open_lock(place / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            others = [path for path in place.glob("*.pin") if path != _pin_of(place, wanted.key)]
            taken = {path: _bytes_of(path) for path in others}
            total = sum(taken.values()) + wanted.size
            for path in sorted(others, key=_last_use):
                if total <= self.most:
                    break
                if _removed(path):
                    total -= taken[path]
            if total > self.most:
                return False
            os.pwrite(pin.fileno(), f"{wanted.size:0{_DIGITS}d}".encode(), 0)
            return True


def _fill(pin: IO[bytes], place: Path, wanted: Wanted, fetch: Callable[[Path], None]) -> None:
    """Fetch files, which appear together or not at all; the pin is held alone."""
    draft, folder = place / f".{wanted.key}.fetching", place / wanted.key
    for old in (draft, folder):  # of a process that was killed, or what somebody has changed
        shutil.rmtree(old, ignore_errors=True)
    draft.mkdir()
    try:
        fetch(draft)
        if not _is_whole(draft, wanted):
            raise SequenceError("its copy has another size than the store tells", advice="run again")
        flush([draft])
        draft.replace(folder)
    except BaseException:
        os.ftruncate(pin.fileno(), 0)
        raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _removed(pin: Path) -> bool:
    """Remove files and their pin, unless somebody has it."""
    with suppress(OSError), open_lock(pin) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_current(lock, pin):
            return False
        for folder in (pin.with_suffix(""), pin.with_name(f".{pin.stem}.fetching")):
            shutil.rmtree(folder, ignore_errors=True)
        pin.unlink()
        return True
    return False


def _pin_of(place: Path, key: str) -> Path:
    return place / f"{key}.pin"


def _is_current(pin: IO[bytes], path: Path) -> bool:
    """Whether the lock is still the one that others find: who removes files removes their pin."""
    with suppress(OSError):
        return os.path.samestat(os.fstat(pin.fileno()), path.stat())
    return False


def _is_whole(folder: Path, wanted: Wanted) -> bool:
    try:
        return all((folder / name).stat().st_size == size for name, size in wanted.sizes.items())
    except OSError:
        return False


def _bytes_of(pin: Path) -> int:
    """How many bytes the files of a pin take, as it tells; 0 for what is none of ours."""
    with suppress(OSError, ValueError), pin.open("rb") as file:
        return max(0, int(file.read(_DIGITS) or b"0"))
    return 0


def _last_use(pin: Path) -> float:
    try:
        return pin.stat().st_mtime
    except OSError:
        return 0.0
