"""Time-outs and repeated tries for what is asked of another host, whichever library asks."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")
_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds before the second try, doubled with each
_CREDENTIALS = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "DefaultCredentialsError"}


@dataclass(frozen=True)
class Patience:
    """How long an answer, or a block of a file, is waited for, and how often it is asked for in a row."""

    seconds: float = 60.0
    tries: int = 4


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """What a call returns or raises, or `TimeoutError` where it takes longer.

    It runs in a thread, as libraries differ in what their time-outs count, or have none. One that never returns is left
    behind, and ends with the process.
    """
    done: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            done.append((call(), None))
        except BaseException as error:
            done.append((None, error))

    thread = threading.Thread(target=run, name="remote", daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise TimeoutError(f"no answer for {seconds:g} s")
    result, error = done[0]
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def is_final(error: Exception) -> bool:
    """Whether it would be no use to ask again: it is not there, or not for us."""
    known = FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ImportError
    return isinstance(error, known) or lacks_credentials(error) or was_replaced(error)


def lacks_credentials(error: Exception) -> bool:
    """Whether the library of a store found nothing to sign in with."""
    return type(error).__name__ in _CREDENTIALS


def was_replaced(error: Exception) -> bool:
    """Whether s3fs tells that a file became another one while it was read, which asks for what it began with."""
    return type(error).__name__ == "FileExpired"


def pause(tries: int) -> None:
    """Wait before the next try, longer after each of `tries`."""
    time.sleep(min(_LONGEST_PAUSE, _PAUSE * 2 ** (tries - 1)))
