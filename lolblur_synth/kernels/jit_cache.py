"""The disk cache of compiled code (numba's machine code), which is never stale and never needed.

numba's own cache looks at the file of a function alone, not at what it calls in others; two processes that compile at
once can take each other's file in it; and without a folder to write to, or with a damaged file, it raises.
Here everything is below a folder that is named by what all code is made of, in files that name what is in them.
"""

import hashlib
import inspect
import logging
import os
import pickle
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.files import file_hash

_PACKAGE = Path(__file__).parents[1]
_KEYS = 8  # folders of a few MB: of several Pythons, and of versions between which one goes to and fro
_DIGEST = hashlib.sha256().digest_size


def folder() -> Path:
    """Where compiled code is kept, which need not exist: in $NUMBA_CACHE_DIR, else as `cache_dir` says, and raises."""
    return (Path(config.CACHE_DIR, "lolblur_synth") if config.CACHE_DIR else cache_dir("kernels")) / _key()


def kernel_files() -> list[Path]:
    """The package's files with compiled functions, and those which they take anything from."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(_PACKAGE.rglob("*.py"))}
    found = {path for path, text in texts.items() if re.search(r"^@jit$", text, re.MULTILINE)}
    due = [*found]
    while due:
        for path in set(_imported(texts[due.pop()])) & texts.keys() - found:
            found.add(path)
            due.append(path)
    return sorted(found)


def _imported(text: str) -> Iterator[Path]:
    for name in re.findall(r"^from lolblur_synth\.([\w.]+) import ", text, re.MULTILINE):
        path = _PACKAGE.joinpath(*name.split("."))
        yield from (path.with_suffix(".py"), *path.glob("*.py"))  # of a package any may be meant


@cache
def _source_hashes() -> tuple[str, ...]:
    """Of all that is compiled; read when it is imported, as files may change meanwhile."""
    return tuple(f"{path.relative_to(_PACKAGE)} {file_hash(path)}" for path in kernel_files())


def kernel_key() -> str:
    """Digest of what compiled code computes by: its sources and compilers. Elsewhere the same, where these are."""
    return _digest(*_source_hashes(), numba.__version__, llvmlite.__version__, np.__version__)


def _key() -> str:
    """What all compiled code comes from: sources, compilers and Python."""
    return _digest(kernel_key(), sys.version)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class KernelCache(NullCache):  # type: ignore[misc]
    """What was compiled of one function, a file for each signature and processor; it is a numba dispatcher's `_cache`.

    What cannot be kept or read back is compiled again, and the former is told once.
    """

    compiled = 0  # overloads by this process, of all functions

    def __init__(self, function: Any) -> None:
        source = Path(inspect.getfile(function))
        parts = (_key(), function.__module__, function.__qualname__, file_hash(source) if source.is_file() else "")
        self._names, self._stem = repr(parts), re.sub(r"\W", "", function.__name__)
        self._kept = source.is_file() and "<locals>" not in function.__qualname__  # else it may hold any values

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept for a signature, or None."""
        target_context.refresh()
        with suppress(OSError):
            data = self._path(sig, target_context.codegen()).read_bytes()
            if self._kept and data[:_DIGEST] == hashlib.sha256(data[_DIGEST:]).digest():
                signature, parts = pickle.loads(data[_DIGEST:])
                _touch(folder())
                return CompileResult._rebuild(target_context, *parts) if signature == sig else None
        return None

    def save_overload(self, sig: Any, result: Any) -> None:
        """Keep what was compiled for a signature."""
        KernelCache.compiled += 1
        if self._kept and not result.lifted and not result.library.has_dynamic_globals:
            data = dumps((sig, result._reduce()))
            with _warning_of_disks():
                _prepare(folder())
                _replace(self._path(sig, result.library.codegen), hashlib.sha256(data).digest() + data)

    def _path(self, sig: Any, codegen: Any) -> Path:
        names = f"{self._names} {sig} {codegen.magic_tuple()}"
        return folder() / f"{self._stem}-{hashlib.sha256(names.encode()).hexdigest()[:32]}.bin"


def tell_where_workers_compile() -> None:
    """Warn that compiled code cannot be kept, if so, in the place of the workers that will miss it."""
    with _warning_of_disks():
        place = folder()
        if not any(place.glob("*.bin")):
            _prepare(place)
            tempfile.TemporaryFile(dir=place).close()


@contextmanager
def _warning_of_disks() -> Iterator[None]:
    """Turn an `OSError` into a warning of one line: the first of this process, and none of its workers."""
    try:
        yield
    except OSError as error:
        if parent_process() is None:
            _warn(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@cache
def _warn(reason: str) -> None:
    logging.getLogger(__name__).warning(
        "compiled code cannot be kept, so that each start takes about a minute more: %s; "
        "set LOLBLUR_CACHE to a folder that can be written",
        reason,
    )


@cache
def _prepare(place: Path) -> None:
    """Make the folder, and keep those of other versions from adding up."""
    place.mkdir(parents=True, exist_ok=True)
    _touch(place)
    others = [path for path in place.parent.iterdir() if re.fullmatch("[0-9a-f]{16}", path.name) and path != place]
    with suppress(OSError):  # another process may be at it
        for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[_KEYS - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


@cache
def _touch(place: Path) -> None:
    """Let its time be that of the last use."""
    with suppress(OSError):
        os.utime(place)


def _replace(path: Path, data: bytes) -> None:
    """Write a file that others may write at the same time."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        partial = Path(file.name)
        try:
            file.write(data)
            file.flush()
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
