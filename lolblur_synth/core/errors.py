"""The two errors a person meets: what is wrong, where, and what to do, in one line that can be printed anywhere."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

_NAMED = 3  # of many faults of a kind
_OPEN, _CLOSE = "\ufdd0", "\ufdd1"  # which Unicode keeps for a program's own use
_MARKED = re.compile(f"{_OPEN}([a-z_.]+){_CLOSE}")


def setting(name: str) -> str:
    """Mark the name of a setting or parameter, such as `video.capture_fps` or `overwrite`, in what a person is told.

    >>> advice = f"give {setting('overwrite')}"
    >>> shown(advice), shown(advice, lambda name: f"--{name}")
    ('give overwrite', 'give --overwrite')
    """
    return f"{_OPEN}{name}{_CLOSE}"


def shown(text: object, spell: Callable[[str], str] = str) -> str:
    """Printable text, such as a path: newlines, escape codes and bytes that are not UTF-8 become backslash escapes.

    `spell` writes the names that `setting` has marked: as they are, as the options of a command line, or, by `setting`
    itself, marked again.
    """
    parts = _MARKED.split(str(text))  # every other one is a name
    parts[::2] = (part if part.isprintable() else "".join(map(_escaped, part)) for part in parts[::2])
    parts[1::2] = map(spell, parts[1::2])
    return "".join(parts)


def shortened(text: str, length: int) -> str:
    """The first `length` characters of a text, or fewer where they would end within a name that `setting` marks."""
    part = text[:length]
    return part[: part.rfind(_OPEN)] if part.rfind(_OPEN) > part.rfind(_CLOSE) else part


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that Python could not decode (PEP 383)
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


class _ToldError(Exception):
    """What is wrong, where, and what to do; `more` are further lines. Names in them may hold anything.

    Settings and parameters are named by `setting`, so that neither a person at a command line nor one who calls from
    Python is told of the other's.
    """

    def __init__(self, what: object = "", *more: object, where: object = None, advice: str = ""):
        super().__init__(what, *more)
        self.what, self.more, self.where, self.advice = what, more, where, advice

    def told(self, spell: Callable[[str], str] = str, *, where: bool = True) -> str:
        """One line, and one for each of `more`; settings as `spell` writes their names; `where` can be left out."""
        what = self.what.told(spell) if isinstance(self.what, _ToldError) else shown(self.what, spell)
        before = f"{shown(self.where, spell)}: " if where and self.where is not None else ""
        after = f"; {shown(self.advice, spell)}" if self.advice else ""
        return "\n  ".join((before + what + after, *(shown(line, spell) for line in self.more)))

    def __str__(self) -> str:
        return self.told()


class UserError(_ToldError):
    """The request cannot be carried out, or not to its end; what was there is whole; the command exits with 2."""


class SequenceError(_ToldError):
    """One video or sequence cannot be made; the others go on; the command exits with 1."""


@contextmanager
def refused(where: object, what: str, advice: str) -> Iterator[None]:
    """Tell what the disk refuses as a `UserError`: where, what cannot be done, why, and what to do."""
    try:
        yield
    except OSError as error:
        reason = str(error.strerror or error)
        raise UserError(f"{what}: {reason}" if what else reason, where=where, advice=advice) from None


def listed(faults: Sequence[str]) -> str:
    """The first of many faults and the number of the others, in one line."""
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return "; ".join(faults[:_NAMED]) + more
