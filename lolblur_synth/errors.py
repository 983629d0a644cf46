"""The two errors a person meets: what is wrong, where, and what to do, in one line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_NAMED = 3  # of many faults of a kind


def shown(path: object) -> str:
    """A path or text as one printable line: bytes that are no UTF-8 as \\xNN, control characters as \\n or \\x1b."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in str(path))


def _escaped(letter: str) -> str:
    byte = ord(letter) - 0xDC00  # as Python keeps a byte of a name that is no UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else letter.encode("unicode_escape").decode()


class UserError(Exception):
    """The request cannot be carried out, or not to its end; what was there is whole; the command exits with 2."""


class SequenceError(Exception):
    """One video or sequence cannot be made; the others go on; the command exits with 1."""


@contextmanager
def refused(what: str, advice: str) -> Iterator[None]:
    """Tell what the disk refuses as a `UserError`: what cannot be done, why, and what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{what}: {error.strerror or error}; {advice}") from None


def listed(faults: Sequence[str]) -> str:
    """The first of many faults and the number of the others, in one line."""
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return "; ".join(faults[:_NAMED]) + more
