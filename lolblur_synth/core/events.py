"""Progress events of a run: plain values of one schema that cross process borders, through a named pipe."""

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from lolblur_synth.core.errors import setting, shortened, shown

_LONGEST = 300  # characters of a text: as JSON a line then fits into what is written at once, whoever else writes

Whole = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def this_worker() -> str:
    """The name of this process among all machines: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True)
class Event:
    """Something happened in a run, to one of its sequences or (`begin`, `end`) to all of it."""

    kind: Literal["begin", "start", "operator", "pair", "warned", "made", "failed", "end"]
    sequence: str  # VVVV-S; empty: the run
    text: str = ""  # the operator's name, what is wrong, or how the run has ended
    total: Whole = 0  # pairs that the sequence is to have, or the run is to make
    pairs: Whole = 0  # of them that are done, dropped ones too; of a sequence that is made, those that it has
    bytes: Whole = 0  # of the pictures that were written of it
    seconds: dict[str, Amount] = field(default_factory=dict)  # so far of the sequence, by operator
    memory: Whole = 0  # bytes, peak resident memory of the worker
    worker: str = field(default_factory=this_worker, compare=False)  # host:pid
    time: Amount = field(default_factory=time.time, compare=False)  # seconds since 1970, by the worker's clock

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")


EVENTS: TypeAdapter[Event] = TypeAdapter(Event)
Notify = Callable[[Event], None]


def printable(event: Event, spell: Callable[[str], str] = setting) -> Event:
    """An event that can be written anywhere: its text one short line, with settings as `spell` writes their names."""
    return replace(event, text=shown(shortened(shown(event.text, setting), _LONGEST), spell))


def ignore(event: Event) -> None:
    """Listen to nothing."""
    del event


@dataclass(frozen=True)
class Sender:
    """A `Notify` that other processes can be given: a named pipe, which no process has to be alive for."""

    pipe: Path

    def __call__(self, event: Event) -> None:
        """Send an event; where nobody listens any more, nothing."""
        self.write(json.dumps(asdict(printable(event)), ensure_ascii=False).encode() + b"\n")

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
            event = EVENTS.validate_json(line)
        except ValueError:
            continue  # half a line, of a process that was killed
        try:
            if not raised:
                notify(event)
        except Exception as error:
            raised.append(error)
