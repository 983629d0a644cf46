"""The clock of a file system: hosts that share a folder have clocks that differ, but its times come from one."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def disk_time(folder: Path) -> float | None:
    """Now, in seconds since 1970 as the mtimes of a folder's files tell it; None where nothing can be written there.

    It is the mtime of a file that is made for it and removed. A server of files gives the times of all that its clients
    write (NFS, SMB), whatever their own clocks say.
    """
    try:
        descriptor, name = tempfile.mkstemp(".partial", ".clock.", folder)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\n")
            file.flush()
            os.fsync(file.fileno())
        return Path(name).stat().st_mtime
    except OSError:
        return None
    finally:
        with suppress(OSError):
            Path(name).unlink()
