"""Thread pools with results in order: the number of threads decides who computes, not what.

But for gradients of networks, whose sums are of a part for each thread: their last bits depend on how many there are.
"""

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Protocol, TypeVar

import cv2
import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_LARGE, _LARGEST = 1 << 20, 1 << 25  # bytes; more than the latter glibc does not take
WHILE_TRAINING = 12 << 20  # LEDNet's 2 x 256x256 then takes 0.16 GB less, and no longer

Item = TypeVar("Item")
Result = TypeVar("Result")


class Map(Protocol):
    """As Python's own `map` over one stream: lazy, in order."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]: ...  # noqa: D102


@contextmanager
def ordered_map(threads: int) -> Iterator[Map]:
    """A `map` that works ahead on `threads` threads, and by no more than that, so that memory stays bounded.

    Each call of torch or OpenCV stays on one thread: how they cut an array into pieces would otherwise show in the
    last bit, and the same seed would not give the same pixels on every machine.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with torch_threads(1):
            _return_large_memory()
            if threads == 1:
                yield map
            else:
                with ThreadPoolExecutor(threads) as pool:
                    yield _ahead(pool, threads)
    finally:
        cv2.setNumThreads(before)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Have torch compute on so many threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def on_torch_threads(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Of all items, in order, by compiled code on as many threads as torch itself would use."""
    threads = min(torch.get_num_threads(), len(items))
    return list(map(function, items) if threads <= 1 else _pool(torch.get_num_threads()).map(function, items))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _return_large_memory() -> None:
    """Have the C library give blocks of pictures back to the system when they are freed.

    Glibc keeps what was freed in a heap for each thread; where some threads make frames and others drop them, that
    adds up. Denoising 1120x640 then peaked at 1.5 GB instead of 1.3.
    """
    _tell_malloc(_LARGE, _LARGE)


@contextmanager
def keeping_memory(largest: int = _LARGEST) -> Iterator[None]:
    """Have the C library keep what is freed meanwhile, where blocks of the same sizes are asked for over and over.

    To have them from the system anew, page by page, took a quarter of the time of sub-frames, by flow or by RIFE. But
    what is kept is in pieces: blocks above `largest` bytes still go back.
    """
    _tell_malloc(largest, 1 << 30)
    try:
        yield
    finally:
        _return_large_memory()
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):
            libc.malloc_trim(0)


def _tell_malloc(mapped: int, kept: int) -> None:
    """From which size on blocks come from the system by themselves, and how much may be kept that is free."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, mapped)
        libc.mallopt(_TRIM_THRESHOLD, kept)


def _ahead(pool: ThreadPoolExecutor, threads: int) -> Map:
    def ahead(function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()

    return ahead
