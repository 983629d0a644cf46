"""Files that appear whole or not at all, and what is in them."""

import hashlib
import os
from pathlib import Path


def file_hash(path: Path) -> str:
    """sha256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, data: bytes | memoryview, durable: bool = False) -> None:
    """Write beside a file, then take its place; `durable` waits until the disk has it.

    Raises `OSError`; what was at `path` before is then still there, and nothing is left beside it.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
