"""Image sequence, frames by their names: which number of a name counts, in which order, and where some are missing.

The numbers show order and gaps only, whether they count frames or tell the time; how fast it went they do not say.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from statistics import median_low

_SIGNS = "+-"


class NoImageSequenceError(Exception):
    """Names that are no series of frames, and why."""


@dataclass(frozen=True)
class ImageSequence:
    """Frames by the slot of time that they fill, from 0; names of other files; and how the frames are called."""

    frames: dict[int, str]
    others: tuple[str, ...]
    pattern: str  # such as clip_#_sharp
    dashed: bool  # each number follows a dash, which is a minus if they run backwards

    @property
    def steady(self) -> bool:
        """Whether at least every other slot has a frame."""
        return max(self.frames) + 1 <= 2 * len(self.frames)


@dataclass(frozen=True)
class _Name:
    whole: str
    texts: tuple[str, ...]  # around the numbers, without a sign at their end
    signs: tuple[str, ...]  # before each number, or nothing
    numbers: tuple[str, ...]


def order_frames(names: Iterable[str]) -> ImageSequence:
    """Order names by the number that varies, steps of the usual size; raises `NoImageSequenceError`.

    A sign counts where it varies, a fraction where both it and the whole seconds do. A frame is at least one slot after
    the one before, and as many as its number is usual steps further, rounded.

    >>> order_frames(["shot_10.png", "shot_8.png", "shot_9.png", "shot_12.png"]).frames
    {0: 'shot_8.png', 1: 'shot_9.png', 2: 'shot_10.png', 4: 'shot_12.png'}
    """
    parsed = [_parse(name) for name in sorted(names)]
    groups = defaultdict[tuple[str, ...], list[_Name]](list)
    for name in parsed:
        if name.numbers:
            groups[name.texts].append(name)
    by_size = sorted(groups.values(), key=len, reverse=True)
    if not by_size or len(by_size[0]) < 2:
        raise NoImageSequenceError("fewer than two numbered pictures in it")
    taken = by_size[0]
    if len(by_size) > 1 and len(by_size[1]) >= max(2, len(taken) / 2):
        told = " and ".join(f"{_pattern(group)} ({len(group)})" for group in by_size[:2])
        raise NoImageSequenceError(f"two series of pictures in one folder, {told}; give each a folder of its own")
    column, values = _values(taken)
    ordered = sorted(zip(values, taken, strict=True), key=lambda pair: pair[0])
    slots = _slots([value for value, _ in ordered])
    return ImageSequence(
        {slot: name.whole for slot, (_, name) in zip(slots, ordered, strict=True)},
        tuple(sorted({name.whole for name in parsed} - {name.whole for name in taken})),
        _pattern(taken),
        all(name.signs[column] == "-" for name in taken),
    )


def _parse(name: str) -> _Name:
    parts = re.split(r"([0-9]+)", PurePath(name).stem)
    texts, numbers = parts[::2], tuple(parts[1::2])
    signs = tuple(text[-1] if text and text[-1] in _SIGNS else "" for text in texts[:-1])
    plain = (text.removesuffix(sign) for text, sign in zip(texts, (*signs, ""), strict=True))
    return _Name(name, tuple(plain), signs, numbers)


def _varying(group: Sequence[_Name]) -> list[int]:
    """Which of their numbers are not all alike."""
    columns = range(len(group[0].numbers))
    return [column for column in columns if len({(n.signs[column], n.numbers[column]) for n in group}) > 1]


def _pattern(group: Sequence[_Name]) -> str:
    first, varying = group[0], _varying(group)
    numbers = ["#" if at in varying else sign + first.numbers[at] for at, sign in enumerate(first.signs)]
    return "".join(text + number for text, number in zip(first.texts, (*numbers, ""), strict=True))


def _values(group: Sequence[_Name]) -> tuple[int, list[int]]:
    """The number of each name, all different, and where in the name it begins; raises `NoImageSequenceError`."""
    readings = [(column, [read(name) for name in group]) for column, read in _readings(group)]
    telling = [(column, values) for column, values in readings if len(set(values)) == len(values)]
    if not telling:
        _refuse(group, readings)
    orders = {tuple(sorted(range(len(group)), key=values.__getitem__)) for _, values in telling}
    if len(orders) > 1:
        raise NoImageSequenceError(
            f"two numbers in its names {_pattern(group)} that order them differently; keep one of them"
        )
    spans = [_slots(sorted(values))[-1] for _, values in telling]
    sound = [span for span in spans if span < 2 * len(group)] or [min(spans)]
    return telling[spans.index(max(sound))]  # of a counter and a clock the one that shows more gaps


def _refuse(group: Sequence[_Name], readings: Sequence[tuple[int, list[int]]]) -> None:
    if len(readings) > 1:
        raise NoImageSequenceError(
            f"several numbers in its names {_pattern(group)} and none is there once only; give each series a folder"
        )
    first = dict[int, str]()
    for name, value in zip(group, readings[0][1] if readings else [0] * len(group), strict=True):
        if value in first:
            raise NoImageSequenceError(f"{first[value]} and {name.whole} have one number; keep one of them")
        first[value] = name.whole


def _readings(group: Sequence[_Name]) -> Iterator[tuple[int, Callable[[_Name], int]]]:
    """Ways to take a name for a number: by each column that varies, or by two as seconds and their fraction."""
    varying = _varying(group)
    joined = {at for at in varying if at + 1 in varying and group[0].texts[at + 1] == "."}
    for at in varying:
        if at in joined:
            digits = max(len(name.numbers[at + 1]) for name in group)
            yield at, _reader(group, at, digits)
        elif at - 1 not in joined:
            yield at, _reader(group, at, 0)


def _reader(group: Sequence[_Name], at: int, digits: int) -> Callable[[_Name], int]:
    signed = len({name.signs[at] for name in group}) > 1

    def read(name: _Name) -> int:
        fraction = name.numbers[at + 1].ljust(digits, "0") if digits else ""
        value = int(name.numbers[at] + fraction)
        return -value if signed and name.signs[at] == "-" else value

    return read


def _slots(values: Sequence[int]) -> list[int]:
    """Places on a grid of the usual step, from 0, for ascending numbers."""
    gaps = [after - before for before, after in pairwise(values)]
    middle, slots = median_low(gaps), [0]
    near = [gap for gap in gaps if 2 * abs(gap - middle) <= middle]
    total, count = sum(near), len(near)  # their mean is the step
    for gap in gaps:
        slots.append(slots[-1] + max(1, (2 * gap * count + total) // (2 * total)))
    return slots
