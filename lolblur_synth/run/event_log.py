"""The log of a run: its events as lines of JSON (JSON Lines), appended whole, run after run.

A line has the fields of `Event`; `EVENTS.json_schema()` is their JSON Schema. Of operators there are no lines, as they
begin many times a pair: their seconds so far are in those of pairs.
"""

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.core.events import EVENTS, Event, printable

_LONGEST = 8 << 10  # bytes of a line and more


class EventLog:
    """Writes events to a file as they come, from any thread; `lost` counts those that the disk has refused."""

    def __init__(self, file: BinaryIO, spell: Callable[[str], str], *, is_stdout: bool = False):
        self.lost = 0
        self.is_stdout = is_stdout
        self._file, self._spell = file, spell
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write the line of an event, whole or not at all; raises `BrokenPipeError` where nobody reads it."""
        if event.kind == "operator":
            return
        line = EVENTS.dump_json(printable(event, self._spell)) + b"\n"
        with self._lock:
            try:
                self._append(line)
            except BrokenPipeError:
                raise
            except OSError:
                self.lost += 1

    def _append(self, line: bytes) -> None:
        before = self._file.tell() if self._file.seekable() else None
        written = self._file.write(line)
        self._file.flush()
        if written < len(line) and before is not None:  # a full disk takes what there is room for
            self._file.truncate(before)
            self._file.seek(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def check_log(path: Path, out: Path) -> None:
    """Raise `UserError` where a log cannot be written, before anything is done; its folder may be one of `out`."""
    if path.exists():
        with open_log(path):
            return
    parent = path.absolute().parent
    if not parent.is_dir() and not parent.is_relative_to(out.absolute()):
        raise UserError("its folder is not there", where=f"{setting('log_json')} {path}", advice="make it")


@contextmanager
def open_log(path: Path) -> Iterator[BinaryIO]:
    """Open the file of a log to go on at its end, one run at a time; pipes and devices are taken as they are.

    Half a line, which a killed run may have left, is taken off. Raises `UserError` for a file that is no log, or cannot
    be written.
    """
    where = f"{setting('log_json')} {path}"
    with refused(where, "cannot be written", "name another file"):
        path.parent.mkdir(parents=True, exist_ok=True)
        regular = not path.exists() or stat.S_ISREG(path.stat().st_mode)
        flags = os.O_RDWR | os.O_CREAT if regular else os.O_WRONLY
        file = os.fdopen(os.open(path, flags | os.O_CLOEXEC, 0o666), "r+b" if regular else "wb", buffering=0)
    with file:
        if regular:
            with refused(where, "cannot be read", "name another file"):
                _lock(file, where)
                _go_to_end(file, where)
        yield file


def _lock(file: BinaryIO, where: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError("another run writes it", where=where, advice="name another file") from None


def _go_to_end(file: BinaryIO, where: str) -> None:
    """Check that the first line is one of a log, and leave the file after its last whole line."""
    first, newline, _ = file.read(_LONGEST).partition(b"\n")
    try:
        if newline:
            EVENTS.validate_json(first)
        elif first and not b'{"kind":'.startswith(first[:8]):
            raise ValueError
    except ValueError:
        raise UserError("is there, and no log of a run", where=where, advice="name another file") from None
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _LONGEST)
    file.seek(start)
    end = start + file.read().rfind(b"\n") + 1
    file.truncate(end)
    file.seek(end)
