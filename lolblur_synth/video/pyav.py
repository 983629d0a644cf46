"""PyAV 14 to 19 as one: 19 has other rationals, and no choice of how tags in unknown encodings are read."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Protocol, cast

import av
from av.container import InputContainer


class Rational(Protocol):
    """What `Fraction` and `AVRational` have in common; the latter can be 0/0, and has neither rounding nor `//`."""

    @property
    def numerator(self) -> int: ...  # noqa: D102
    @property
    def denominator(self) -> int: ...  # noqa: D102


def exact(rational: Rational | None) -> Fraction | None:
    """A rate, time base or aspect of PyAV's as a fraction; None where it is not set: None, 0/1 or 0/0 in PyAV."""
    if rational is None or rational.numerator == 0 or rational.denominator == 0:
        return None
    return Fraction(rational.numerator, rational.denominator)


def open_input(url: str, options: dict[str, str]) -> InputContainer:
    """A container to read, with options of FFmpeg's; its tags may be in any encoding. Raises as `av.open`."""
    more: dict[str, Any] = {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "surrogateescape"}
    return cast(InputContainer, av.open(url, options=options, **more))


def readable(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of a container or stream, fit to print: bytes that are not UTF-8, surrogates in PyAV, become U+FFFD."""
    return {_printable(name): _printable(value) for name, value in tags.items()}


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
