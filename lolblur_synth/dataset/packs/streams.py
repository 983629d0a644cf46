"""A file that is hashed while it is written, and what the writers of packs are told."""

import hashlib
import io
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Tick = Callable[[], None]  # called when a pair has been written
_AHEAD = 16  # pieces that wait to be hashed


@dataclass(frozen=True)
class Written:
    """A file that is done."""

    size: int  # bytes
    sha256: str


class HashedFile(io.RawIOBase):
    """A file that is only appended to; a thread of its own makes its sha256."""

    def __init__(self, descriptor: int, pool: ThreadPoolExecutor) -> None:
        super().__init__()
        self._descriptor, self._pool, self._hash = descriptor, pool, hashlib.sha256()
        self._pending: deque[Future[None]] = deque()
        self.size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any, /) -> int:
        """Write a piece, which may not change afterwards; raises `OSError`."""
        piece = memoryview(data).cast("B")
        self._pending.append(self._pool.submit(self._hash.update, piece))
        written = 0
        while written < len(piece):
            written += os.write(self._descriptor, piece[written:])
        self.size += written
        while len(self._pending) > _AHEAD:
            self._pending.popleft().result()
        return written

    def tell(self) -> int:
        """Bytes that were written."""
        return self.size

    @property
    def written(self) -> Written:
        """What is in it."""
        while self._pending:
            self._pending.popleft().result()
        return Written(self.size, self._hash.hexdigest())


@contextmanager
def hashed_file(path: Path) -> Iterator[HashedFile]:
    """Make a file that is hashed while it is written, and is on the disk at the end; raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o666)
    try:
        with ThreadPoolExecutor(1) as pool:
            yield HashedFile(descriptor, pool)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
