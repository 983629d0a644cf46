"""Changes of the file system, as Python announces them: a process can be killed, or refused, just before one."""

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


def killed_before(number: int, folder: Path) -> Callable[[], None]:
    """Have this process die before its change `number`, from one on, in a folder."""

    def act(count: int) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return _at_changes(folder, act)


def refused_from(number: int, folder: Path, code: int) -> Callable[[], None]:
    """Have the system refuse change `number` and all that come after it."""

    def act(count: int) -> None:
        if count >= number:
            raise OSError(code, os.strerror(code))

    return _at_changes(folder, act)


def counted(folder: Path, log: Path) -> Callable[[], None]:
    """Write down how many changes there were so far."""

    def act(count: int) -> None:
        log.write_text(str(count))

    return _at_changes(folder, act)


def limited(size: int) -> Callable[[], None]:
    """Let no file become larger than so many bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _at_changes(folder: Path, act: Callable[[int], None]) -> Callable[[], None]:
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event != "open" and event not in _EVENTS:
            return
        if event == "open" and not int(arguments[2] or 0) & _CHANGING:  # type: ignore[call-overload]
            return
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = os.fsdecode(path)
        if name.startswith(str(folder)) or (event != "open" and not Path(name).is_absolute()):  # by a folder's number
            count += 1
            act(count)

    return lambda: sys.addaudithook(hook)
