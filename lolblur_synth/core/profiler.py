"""Profiler: how long each operator takes, told apart even where streams pull on one another."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

Item = TypeVar("Item")


class OperatorTimer:
    """Timer of operators, in seconds; time inside a nested operator counts for that one only.

    On CUDA every switch waits for the device, so that the seconds are the operator's own.

    >>> timer = OperatorTimer(torch.device("cpu"))
    >>> with timer("darken"):
    ...     frames = list(timer.each("decode", range(3)))
    >>> frames, list(timer.seconds)
    ([0, 1, 2], ['darken', 'decode'])
    """

    def __init__(self, device: torch.device, notify: Callable[[str], None] | None = None):
        self.seconds: dict[str, float] = {}
        self._notify = notify
        self._device = device
        self._stack: list[str] = []
        self._since = time.perf_counter()

    def _switch(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        if self._stack:
            name = self._stack[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what runs inside for `name`."""
        self._switch()
        self._stack.append(name)
        if self._notify:
            self._notify(name)
        try:
            yield
        finally:
            self._switch()
            self._stack.pop()

    def each(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Pass a stream on, counting the time in which it makes its items for `name`."""
        iterator, made = iter(items), list[Item]()
        while True:
            with self(name):
                try:
                    made.append(next(iterator))
                except StopIteration:
                    return
            yield made.pop()  # which is then the caller's alone
