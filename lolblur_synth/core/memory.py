"""Memory of this process, as Linux counts it."""

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
