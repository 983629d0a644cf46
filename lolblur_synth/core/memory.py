"""Memory of this process and of the machine, as Linux counts it."""

import os
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory() -> int:
    """Peak resident memory of this process so far, bytes (VmHWM); 0 where it is not told.

    `getrusage` would tell that of the process which started this one, if that was larger: it outlives exec.
    """
    try:
        lines = _STATUS.read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(b"VmHWM:")), 0)


def machine_memory() -> int:
    """Physical memory of this machine, bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
