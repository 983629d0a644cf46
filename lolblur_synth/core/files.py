"""Atomic writes, hashes, and reading and locking files that a stranger may have left."""

import errno
import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO


def file_hash(path: Path) -> str:
    """sha256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes | memoryview, *, durable: bool = False) -> None:
    """Atomic write: beside a file, then in its place; `durable` waits until the disk has it, its name included.

    Raises `OSError`; what was at `path` before is then still there, and nothing is left beside it. No link is followed.
    """
    with writing_whole(path, durable=durable) as file:
        file.write(data)


@contextmanager
def writing_whole(path: Path, *, durable: bool = False) -> Iterator[BinaryIO]:
    """Atomic write, piece by piece, as `write_whole`; what is raised inside leaves what was there."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.unlink(missing_ok=True)
        with partial.open("xb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        flush([path.parent])


def flush(paths: Iterable[Path]) -> None:
    """Wait until the disk has files, or the names in folders (fsync): what is renamed later is never empty."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def move(source: Path, target: Path) -> None:
    """Rename a file; onto another disk copy it, wait until that has it, and remove the source last."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        write_whole(target, source.read_bytes(), durable=True)
        source.unlink()


def read_bounded(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """A file of `limit` bytes at most; raises `OSError` for a larger one, a pipe, a device, and, unasked, a link."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit >> 10} KiB", str(path))
    return data


def read_part(path: Path, start: int, size: int) -> bytes:
    """`size` bytes of a file from `start` on, or fewer where it ends before; raises `OSError`."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        return file.read(size)


def open_lock(path: Path) -> IO[bytes]:
    """Open a file to lock, which is made if it is not there and never emptied; raises `OSError`, for a link too."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all, and is on the disk then."""
    write_whole(path, text.encode(), durable=True)


def sweep_drafts(lock: IO[bytes], folder: Path, prefix: str) -> None:
    """Lock a folder for work in it, beside others; who comes when nobody is at work removes what killed ones left.

    The lock is shared, advisory, and goes with the file. Raises `OSError` where files cannot be locked.
    """
    with suppress(BlockingIOError):  # then another process holds it
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for draft in folder.glob(f"{prefix}*"):
            shutil.rmtree(draft, ignore_errors=True)
    fcntl.flock(lock, fcntl.LOCK_SH)
