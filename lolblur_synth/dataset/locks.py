"""Leases of a dataset: which process of which machine writes into it, and into what of it.

They are filelock's: a file that its holder touches every few seconds. Another takes it over where the holder's process
has ended, on the same machine at once, or where whoever waits has seen it unchanged for half a minute by its own clock:
clocks of machines are never compared, and no lock of a file system is needed, which NFS and Lustre may lack or keep to
one machine.

A run holds `run`, one of many shards `shard-I-of-N`; a run bears no shard beside it. A holder that stood still for too
long has lost its lease without knowing: what it publishes then is refused.
"""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import SoftFileLease, Timeout

from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.dataset.layout import LEASES

RUN = "run"
EXPIRES, RENEWED = 30.0, 3.0  # seconds: unchanged for so long a lease is lost, and its holder touches it so often
_POLLED, _LASTING = 0.05, 0.5
_SUFFIX = ".lease"


@dataclass(frozen=True)
class Lease:
    """A lease that this process, or the one that sent it here, has taken."""

    root: Path
    name: str
    token: str

    def check(self) -> None:
        """Raise `UserError` where somebody else has it by now, or nobody."""
        owner = _lease(self.root, self.name).owner
        if owner is None or owner.token != self.token:
            raise UserError(
                "the run that this is for has ended, or stood still and was given up",
                where=f"{setting('out')} {self.root}",
                advice="run the same command again, finished sequences are kept",
            )


@contextmanager
def locked(root: Path, name: str = RUN) -> Iterator[Lease]:
    """Lease of a whole dataset, or of one shard of it, for one process at a time; it goes with that.

    Raises `UserError` when another process is at work there, or nothing can be written.
    """
    with _taken(root, name) as lease:
        others = sorted(path.stem for path in _folder(root).glob(f"shard-*{_SUFFIX}")) if name == RUN else [RUN]
        for other in others:
            with _taken(root, other):  # it is nobody's
                pass
        yield lease


@contextmanager
def publishing(root: Path, what: str) -> Iterator[None]:
    """Lease for one worker at a time of all runs and shards, which waits: for a video's numbers, or for a file."""
    lease = _lease(root, what)
    with lease.acquire(poll_interval=_POLLED):
        yield


@contextmanager
def _taken(root: Path, name: str) -> Iterator[Lease]:
    folder = _folder(root)
    with refused(f"{setting('out')} {root}", "cannot be written", "name a folder that can"):
        folder.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():
            raise UserError("is a link", where=folder, advice="remove it")
        lease = _lease(root, name)
        if not _acquire(lease):
            raise UserError(
                f"another run is writing there{_told(lease)}",
                where=f"{setting('out')} {root}",
                advice="wait for it or name another folder",
            )
    try:
        assert lease.token is not None
        yield Lease(root, name, lease.token)
    finally:
        lease.release()


def _acquire(lease: SoftFileLease) -> bool:
    """Take a lease unless its holder lives: on another machine one is watched until it touches it, or it expires.

    Only a hold that lasts counts: whoever looks whether it is held takes it for a moment.
    """
    token, touched, since = None, None, 0.0
    deadline = time.monotonic() + EXPIRES + 2 * RENEWED
    while (now := time.monotonic()) < deadline:
        with suppress(Timeout):
            lease.acquire(timeout=0)
            return True
        owner = lease.owner
        if owner and owner.token != token:
            token, touched, since = owner.token, _touched(lease), now
        elif owner:
            here = owner.hostname == socket.gethostname()  # and its process lives
            if now > since + _LASTING if here else _touched(lease) not in (touched, None):
                return False
        time.sleep(_POLLED)
    return False


def _touched(lease: SoftFileLease) -> int | None:
    try:
        return Path(lease.lock_file).lstat().st_mtime_ns
    except FileNotFoundError:
        return None


def _told(lease: SoftFileLease) -> str:
    owner = lease.owner
    return f" (process {owner.pid} on {owner.hostname})" if owner else ""


def _lease(root: Path, name: str) -> SoftFileLease:
    return SoftFileLease(_folder(root) / f"{name}{_SUFFIX}", lease_duration=EXPIRES, heartbeat_interval=RENEWED)


def _folder(root: Path) -> Path:
    return root / LEASES
