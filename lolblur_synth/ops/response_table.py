"""Response curves as they are told, by name or by a table, without torch: settings load in a moment."""

from itertools import pairwise
from typing import Literal

Name = Literal["srgb", "gamma2.2"]
Point = tuple[float, float]  # light, code
Response = Name | tuple[Point, ...]


def check_table(points: tuple[Point, ...]) -> None:
    """Raise `ValueError` unless a table goes from (0, 0) to (1, 1) and light and code rise from point to point.

    >>> check_table(((0.0, 0.0), (0.5, 0.75), (1.0, 1.0)))
    """
    if len(points) < 2 or (points[0], points[-1]) != ((0, 0), (1, 1)):
        raise ValueError("a response table goes from [0, 0] to [1, 1]")
    for number, (one, other) in enumerate(pairwise(points), 2):
        if not (one[0] < other[0] and one[1] < other[1]):
            raise ValueError(
                f"a response table rises strictly in light and code, but point {number}, [{other[0]:g}, {other[1]:g}], "
                f"comes after [{one[0]:g}, {one[1]:g}]"
            )
