"""Content digest of a video: of its decoded samples and of the slots of the timeline that they fill.

Whatever file holds them: containers, tags, names and lossless codecs may change, the content stays. How samples are to
be shown (rate, rotation, matrix, range, aspect) is no part of it.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

_AHEAD = 4  # frames that wait to be hashed, and no more are held
_SMALL = 1 << 18  # bytes of a frame that is hashed in less time than another thread takes to begin


@dataclass(frozen=True)
class Samples:
    """The decoded samples of one frame: a plane (H, W) for each component, uint8, uint16, or float32 of light."""

    planes: Sequence[NDArray[Any]]  # red, green, blue, or luma, or luma and two chromas; contiguous
    depth: int  # bits of a sample
    rgb: bool

    @property
    def guide(self) -> NDArray[Any]:
        """The plane that tells most of the scene: luma, or green."""
        return self.planes[1 if self.rgb else 0]


def picture_samples(picture: NDArray[Any], depth: int) -> Samples:
    """The samples of a picture (H, W, 3) whose depth is `depth` bits."""
    return Samples(cv2.split(picture), depth, rgb=True)


def digest(samples: Samples) -> bytes:
    """Digest (SHA-256) of what decides values: kind, depth, the planes' sizes, all samples in little-endian order."""
    sizes = " ".join("x".join(map(str, plane.shape)) for plane in samples.planes)
    found = hashlib.sha256(f"{'RGB' if samples.rgb else 'YUV'} {samples.depth} {sizes}\n".encode())
    for plane in samples.planes:
        found.update(np.ascontiguousarray(plane, plane.dtype.newbyteorder("<")).data)
    return found.digest()


def checksum(digest: bytes) -> int:
    """Checksum of a frame, 32 bits: by them it is known again when it is read."""
    return int.from_bytes(digest[:4])


def content_of(frames: Iterable[tuple[int, bytes]]) -> str:
    """SHA-256 of the slots that are filled and of the digests of the frames in them, as hexadecimal digits."""
    found = hashlib.sha256()
    for slot, frame in frames:
        found.update(slot.to_bytes(8, "big") + frame)
    return found.hexdigest()


class FrameDigests:
    """Digests of frames, computed by a thread beside the decoder: hashing needs no lock of Python's."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "digest")
        self._done: list[bytes] = []
        self._pending: deque[Future[bytes]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def add(self, samples: Samples) -> None:
        """Hash one more frame, whose samples stay as they are."""
        if sum(plane.nbytes for plane in samples.planes) < _SMALL:
            self.finish().append(digest(samples))
            return
        if len(self._pending) >= _AHEAD:
            self._done.append(self._pending.popleft().result())
        self._pending.append(self._pool.submit(digest, samples))

    def finish(self) -> list[bytes]:
        """The digests of all frames in order."""
        while self._pending:
            self._done.append(self._pending.popleft().result())
        return self._done
