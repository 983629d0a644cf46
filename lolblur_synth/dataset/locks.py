"""Locks of a dataset: one run writes into it at a time, and one of its workers publishes.

They are flocks of our own, as `filelock` has no shared ones, which the cache of denoised frames needs, and polls.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.core.files import open_lock

RUN_LOCK, PUBLISHING_LOCK = ".lock", ".publishing.lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Lock of the output folder (flock), for one run at a time; it goes with the process, however that ends.

    Raises `UserError` when another run holds it, or files cannot be locked there.
    """
    with refused(f"{setting('out')} {out}", "cannot be written", "name a folder that can"):
        out.mkdir(parents=True, exist_ok=True)
        lock = open_lock(out / RUN_LOCK)
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another run is writing there",
                where=f"{setting('out')} {out}",
                advice="wait for it or name another folder",
            ) from None
        except OSError as error:
            raise UserError(
                f"files cannot be locked there ({error.strerror})",
                where=f"{setting('out')} {out}",
                advice="name a folder on another disk",
            ) from None
        yield


@contextmanager
def publishing(out: Path) -> Iterator[None]:
    """Lock for one worker of a run at a time: two sequences of a video may take each other's numbers."""
    with open_lock(out / PUBLISHING_LOCK) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
