"""Cache of scans: what one decode of a video found, by the bytes of its files and by all else that decides it.

`KEY.scan` holds a scan; KEY is a hash of the bytes, of what was asked for, of our code and of the libraries.
`KEY.numbers` holds what else was measured of some footage.
`PATH.bytes` remembers the hash of the bytes by what the file system tells of the files, or a store elsewhere, so that
known footage is not read at all. Whatever is lost, damaged or foreign is made anew. Frames that are read later are
compared with the scan all the same.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG
from typing import Annotated

import av
from pydantic import Field, TypeAdapter, ValidationError

from lolblur_synth import mosaic
from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.files import file_hash
from lolblur_synth.video.find import file_stamp
from lolblur_synth.video.light import FRAMES
from lolblur_synth.video.metadata import VideoScan

MOST_BYTES = 512 << 20  # of all scans: those of some 2,000 clips of a minute at 240 fps
_LARGEST = 256 << 20  # of one; a larger one is none of ours
SETTLED = 3_000_000_000  # ns after which a change shows: file systems tell times in steps of up to 2 s
_UNNOTED = 24 * 3600  # s, after which it is noted that a scan is used
_EXPONENT = re.compile(rb'"[-+\d._/\s]*[eE][-+]?\d+"')  # fractions take them, and gigabytes for "1e999999999"
_SCANS = TypeAdapter(VideoScan)
_NUMBERS = TypeAdapter(list[Annotated[float, Field(ge=0, allow_inf_nan=False)]])


def folder() -> Path:
    """Where scans are kept, which need not exist."""
    return cache_dir("scans")


def recall_or_scan(
    path: Path, options: dict[str, str], make: Callable[[], VideoScan], mark: str | None = None
) -> VideoScan:
    """The scan of a video, made where it is not kept; `options` are all that it depends on beside the files.

    What `make` raises, such as the `SequenceError` of a file without a scan, is not kept. By `mark`, which stands for
    these very bytes, `recall_marked` will find it without reading them.
    """
    try:
        before = _Files.of(path)
        digest = before.recall_digest()
    except OSError:  # as making it will tell
        return make()
    if mark:
        _write(_name_of(mark), digest.encode())
    key = fingerprint_of(digest, options)
    kept = _recall(key, path)
    if kept is not None:
        return kept
    made = make()
    if _are_still(before, digest):
        _write(f"{key}.scan", _SCANS.dump_json(replace(made, remote=None, info=replace(made.info, path=Path()))))
    return made


def recall_marked(mark: str, path: Path, options: dict[str, str]) -> VideoScan | None:
    """The scan of a video that need not be there, where it is kept for the same options; `path` is where it would be.

    `mark` is what a store tells of its files, which changes with their bytes.
    """
    digest = re.fullmatch("[0-9a-f]{64}", (_read(_name_of(mark)) or b"").decode("ascii", "replace"))
    return _recall(fingerprint_of(digest[0], options), path) if digest else None


def files_of(path: Path) -> tuple[Path, ...]:
    """What the scan of a video is made of: a clip and the texts beside it, or frames; raises `OSError`."""
    return _pictures(path) if path.is_dir() else (path, *_beside(path))


def _name_of(mark: str) -> str:
    return hashlib.sha256(f"remote {mark}".encode()).hexdigest() + ".bytes"


def recall_or_measure(scan: VideoScan, options: dict[str, str], make: Callable[[], list[float]]) -> list[float]:
    """Numbers from 0 upwards that follow from footage, measured where they are not kept.

    `options` are all that they depend on beside its content and the code of this folder.
    """
    name = f"{fingerprint_of(scan.content, options)}.numbers"
    kept = _read(name)
    with suppress(ValidationError):
        if kept is not None:
            return _NUMBERS.validate_json(kept, strict=True)
    made = make()
    _write(name, _NUMBERS.dump_json(made))
    return made


def fingerprint_of(digest: str, options: dict[str, str]) -> str:
    """What a scan is kept by: it changes with all that may change a scan."""
    return hashlib.sha256(json.dumps([digest, options, made_by()], sort_keys=True).encode()).hexdigest()


@cache
def made_by() -> list[str]:
    """Our code by its text, so that nobody has to raise a number, and the versions of what it builds on."""
    wings = Path(__file__).parent, Path(mosaic.__file__).parent
    files = (path for wing in wings for path in sorted(wing.glob("*.py")))
    code = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    names = ("av", "numpy", "openexr", "opencv-python", "rawpy", "scenedetect", "tifffile")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return [code.hexdigest(), *versions, str(av.library_versions), platform.machine()]


@dataclass(frozen=True)
class _Files:
    """The files that a scan is made of, and what the file system tells of them: sizes, times, inodes."""

    path: Path
    files: tuple[Path, ...]
    status: str
    settled: bool  # else they may have changed since without another status

    @staticmethod
    def of(path: Path) -> "_Files":
        """Raises `OSError`, also for what is no file."""
        files = files_of(path)
        now, told = time.time_ns(), [file.stat() for file in files]
        if not all(S_ISREG(one.st_mode) for one in told):  # a pipe would be waited for
            raise OSError(f"{path}: not a file")
        status = hashlib.sha256()
        for file, one in zip(files, told, strict=True):
            facts = one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_ino
            status.update(os.fsencode(file.name) + repr(facts).encode())
        settled = all(_is_settled(one, now) for one in told)
        return _Files(path, files, status.hexdigest(), settled)

    def digest(self) -> str:
        """Of the bytes, and of names as far as they decide something: kind, numbers, what tells the rate."""
        found = hashlib.sha256()
        for file in self.files:
            name = file.suffix.lower() if file == self.path else file.name
            found.update(os.fsencode(name) + b"\0" + file_hash(file).encode())
        return found.hexdigest()

    def recall_digest(self) -> str:
        """The same, remembered where nothing has changed; raises `OSError`."""
        name = hashlib.sha256(os.fsencode(self.path.absolute())).hexdigest() + ".bytes"
        known = _read(name) if self.settled else None
        match = re.fullmatch(rf"{self.status} ([0-9a-f]{{64}})", (known or b"").decode("ascii", "replace"))
        if match:
            return match[1]
        digest = self.digest()
        if self.settled:
            _write(name, f"{self.status} {digest}".encode())
        return digest


def _pictures(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(file for file in path.iterdir() if file.suffix.lower() in FRAMES))


def _beside(path: Path) -> list[Path]:
    """What may tell the rate of a clip: Sony's XML files, which have its name in theirs."""
    status, stem = path.parent.stat(), path.stem.lower()
    listing = _texts if _is_settled(status, time.time_ns()) else _texts.__wrapped__
    names = listing(path.parent, status.st_mtime_ns)
    start = bisect_left(names, (stem,))
    return [path.with_name(name) for _, name in takewhile(lambda pair: pair[0].startswith(stem), names[start:])]


@lru_cache(maxsize=8)
def _texts(folder: Path, _changed: int) -> list[tuple[str, str]]:
    """The XML files of a folder, in small letters and as they are, in order; listed once for all clips in it."""
    return sorted((path.name.lower(), path.name) for path in folder.iterdir() if path.name.lower().endswith(".xml"))


def _is_settled(status: os.stat_result, now: int) -> bool:
    return max(status.st_mtime_ns, status.st_ctime_ns) < now - SETTLED


def _are_still(before: _Files, digest: str) -> bool:
    """Whether what was scanned is what was hashed before."""
    with suppress(OSError):
        return _Files.of(before.path).status == before.status and (before.settled or before.digest() == digest)
    return False


def _recall(key: str, path: Path) -> VideoScan | None:
    body = _read(f"{key}.scan")
    if body is None or _EXPONENT.search(body):
        return None
    try:
        scan = _SCANS.validate_json(body, strict=True)
    except (ValidationError, ArithmeticError):  # the latter for 1/0, by pydantic 2.10
        return None
    here = replace(scan.info, path=path)
    return replace(scan, remote=None, info=here, stamp=file_stamp(path)) if _fits(scan) else None


def _fits(scan: VideoScan) -> bool:
    """Whether the parts of a scan agree."""
    return (
        2 <= scan.frames == len(scan.pts)
        and len(scan.checksums) in (0, scan.frames)
        and len(scan.lightness) == scan.frames
        and (scan.flicker is None or len(scan.flicker.gains) == scan.frames)
        and all(0 <= flaw.first <= flaw.last < scan.frames for flaw in scan.flaws)
        and min(scan.info.stored_fps, scan.info.capture_fps, scan.time_base or 1) > 0
        and re.fullmatch("[0-9a-f]{64}", scan.content) is not None
    )


def _read(name: str) -> bytes | None:
    """What `_write` wrote under this very name; None for anything else."""
    with suppress(OSError):
        path = folder() / name
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read(_LARGEST)
        if data[:32] == hashlib.sha256(name.encode() + data[32:]).digest():
            if status.st_mtime < time.time() - _UNNOTED:
                os.utime(path)
            return data[32:]
    return None


def _write(name: str, body: bytes) -> None:
    """Keep a file that others may write at the same time; where that cannot be, it is not kept."""
    partial = None
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder(), prefix=".", delete=False) as file:
            partial = Path(file.name)
            file.write(hashlib.sha256(name.encode() + body).digest() + body)
        partial.replace(folder() / name)
    except OSError:
        if partial:
            partial.unlink(missing_ok=True)


def prune() -> None:
    """Delete what was not used for longest where more than `MOST_BYTES` are kept, and what killed runs left."""
    with suppress(OSError):
        found = [(entry.stat(), entry) for entry in os.scandir(folder())]
        kept, now = 0, time.time()
        for status, entry in sorted(found, key=lambda pair: -pair[0].st_mtime):
            kept += status.st_size
            is_left = entry.name.startswith(".") and status.st_mtime < now - _UNNOTED
            if kept > MOST_BYTES or is_left:
                Path(entry).unlink(missing_ok=True)
