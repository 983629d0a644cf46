"""Callbacks of a trainer: what a caller wants to hear of while it works."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

OnStep = Callable[[int, Mapping[str, float]], None]


def _ignore(*_: object) -> None:
    """Hear of nothing."""


@dataclass(frozen=True)
class Callbacks:
    """Functions that a training calls: those of its start and its steps in the first of its processes."""

    on_start: Callable[[str], None] = _ignore  # once, with a line on what is trained where
    on_decoded: Callable[[int, int], None] | None = None  # (done, all) while pictures are decoded into a cache
    on_step: OnStep = _ignore  # (steps done, latest losses) after every step


SILENT = Callbacks()
