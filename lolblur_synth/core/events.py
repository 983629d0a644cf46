"""Progress events of a run: plain values that cross process borders, through a named pipe."""

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from lolblur_synth.core.errors import shortened

_LONGEST = 300  # characters of a text: as JSON a line then fits into what is written at once, whoever else writes


@dataclass(frozen=True)
class Event:
    """Something happened to a sequence."""

    kind: Literal["start", "operator", "pair", "warned", "made", "failed"]
    sequence: str
    text: str = ""  # the operator's name, or what is wrong
    total: int = 0  # pairs of the sequence, at its start


Notify = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing."""
    del event


@dataclass(frozen=True)
class Sender:
    """A `Notify` that other processes can be given: a named pipe, which no process has to be alive for."""

    pipe: Path

    def __call__(self, event: Event) -> None:
        """Send an event; where nobody listens any more, nothing."""
        line = json.dumps(asdict(replace(event, text=shortened(event.text, _LONGEST))))
        self.write(line.encode() + b"\n")

    def write(self, line: bytes) -> None:
        """Write a line."""
        with suppress(OSError), os.fdopen(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK), "wb", buffering=0) as file:
            os.set_blocking(file.fileno(), True)
            file.write(line)


@contextmanager
def gathered(notify: Notify) -> Iterator[Sender]:
    """Forward events of other processes to `notify`, in a thread; what `notify` raises is raised at the end."""
    raised: list[Exception] = []
    with tempfile.TemporaryDirectory(prefix="lolblur-") as folder:
        sender = Sender(Path(folder, "events"))
        os.mkfifo(sender.pipe, 0o600)
        with os.fdopen(os.open(sender.pipe, os.O_RDWR), "rb") as pipe:  # opened for both, it waits for no writer
            thread = threading.Thread(target=_forward, args=(pipe, notify, raised), name="events", daemon=True)
            thread.start()
            try:
                yield sender
            finally:
                sender.write(b"\n")
                thread.join(timeout=5)
    if raised:
        raise raised[0]


def _forward(pipe: BinaryIO, notify: Notify, raised: list[Exception]) -> None:
    """Read on, whatever happens: whoever writes into a pipe that is full waits."""
    for line in iter(pipe.readline, b"\n"):
        try:
            event = Event(**json.loads(line))
            if not raised:
                notify(event)
        except (ValueError, TypeError):
            continue  # half a line, of a process that was killed
        except Exception as error:
            raised.append(error)
