"""The two errors a person meets: what is wrong, where, and what to do, in one line that can be printed anywhere."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_NAMED = 3  # of many faults of a kind


def shown(text: object) -> str:
    """Printable text, such as a path: newlines, escape codes and bytes that are not UTF-8 become backslash escapes."""
    plain = str(text)
    return plain if plain.isprintable() else "".join(map(_escaped, plain))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that Python could not decode (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


class _ToldError(Exception):
    """A line, and one more for each further argument; names in them may hold anything."""

    def __str__(self) -> str:
        return "\n  ".join(map(shown, self.args))


class UserError(_ToldError):
    """The request cannot be carried out, or not to its end; what was there is whole; the command exits with 2."""


class SequenceError(_ToldError):
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
