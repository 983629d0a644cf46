"""What a run tells while it works: plain values that cross process borders."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Event:
    """Something happened to a sequence."""

    kind: Literal["start", "operator", "pair", "warned", "made", "failed"]
    sequence: str
    text: str = ""  # the operator's name, or what is wrong
    total: int = 0  # pairs of the sequence, at its start


Notify = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
    del event
