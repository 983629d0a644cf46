"""Processes that train together, on one machine or many: what all must have alike, and what becomes of a lost one."""

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from lolblur_synth.core.errors import UserError, listed, setting
from lolblur_synth.core.fingerprint import fingerprint

Result = TypeVar("Result")
_LOST = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|timed out|peer", re.IGNORECASE)
_TOLD = 160  # letters of what a library says of it


class Prepared(Protocol):
    """What a process trains with."""

    @property
    def made_of(self) -> Mapping[str, Any]:
        """What has to be alike in all processes, by its name, as JSON values."""


Ready = TypeVar("Ready", bound=Prepared)


class _Report(NamedTuple):
    host: str
    fault: str | None
    made_of: dict[str, str]  # hashes


def prepare_alike(accelerator: Accelerator, prepare: Callable[[], Ready]) -> Ready:
    """What each process prepares for itself; raises `UserError` in all of them where one cannot, or has something else.

    It names the process, its machine, and what differs from the first one's.
    """
    ready, error, made_of = None, None, dict[str, str]()
    try:
        ready = prepare()
        made_of = {name: fingerprint({"value": value}) for name, value in ready.made_of.items()}
    except UserError as raised:
        error = raised
    own = _Report(socket.gethostname(), error.told(setting) if error else None, made_of)
    reports: list[_Report] = gather_object([own]) if accelerator.num_processes > 1 else [own]
    if error is not None:
        raise error
    first = reports[0]
    for rank, report in enumerate(reports):
        if report.fault is not None:
            raise UserError(report.fault, where=f"process {rank} on {report.host}")
        names = first.made_of.keys() | report.made_of.keys()
        others = sorted(name for name in names if first.made_of.get(name) != report.made_of.get(name))
        if others:
            raise UserError(
                f"has other {listed(others)} than process 0 on {first.host}",
                where=f"process {rank} on {report.host}",
                advice="give every node the same data, settings, weights and version",
            )
    assert ready is not None
    return ready


def from_first(accelerator: Accelerator, make: Callable[[], Result]) -> Result:
    """What the first process makes, in all of them; a `UserError` of it is raised in all."""
    if accelerator.num_processes == 1:
        return make()
    told: list[Any] = [None]
    if accelerator.is_main_process:
        try:
            told = [make()]
        except UserError as error:
            told = [error]
    broadcast_object_list(told)
    if isinstance(told[0], UserError):
        raise told[0]
    return told[0]  # type: ignore[no-any-return]


@contextmanager
def together(accelerator: Accelerator) -> Iterator[None]:
    """Train with other processes, and part from them in the end, whatever it is.

    That another one has ended or cannot be reached is told in a line; libraries tell it in many ways.
    """
    try:
        yield
    except RuntimeError as error:
        if accelerator.num_processes == 1 or not _LOST.search(str(error)):
            raise
        raise UserError(
            f"another process of this training is gone ({' '.join(str(error).split())[:_TOLD]})",
            where=f"process {accelerator.process_index} on {socket.gethostname()}",
            advice="look at what that one said last, and start all of them again: it goes on from the last checkpoint",
        ) from None
    finally:
        accelerator.end_training()  # else threads of gloo are left to the interpreter's end, where some abort it
