"""What every training loop needs: a learning rate, checkpoints that appear whole, a stop that loses nothing."""

import io
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import cos, pi
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from lolblur_synth.core.errors import UserError, refused
from lolblur_synth.core.files import write_whole
from lolblur_synth.core.signals import SIGNALS


def cosine(step: int, steps: int, peak: float, floor: float = 0.01, warm_up: float = 0.05) -> float:
    """The learning rate at `step` of `steps`: up to `peak` in a fraction `warm_up` of them, then to `floor` of it."""
    rise = min(1.0, (step + 1) / (warm_up * steps)) if warm_up else 1.0
    return peak * rise * (floor + (1 - floor) * (1 + cos(pi * step / steps)) / 2)


def snapshot(state: Any) -> Any:
    """A copy of tensors and plain values, none of which changes with them; much faster than `deepcopy` of as many."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: snapshot(value) for key, value in state.items()}
    return type(state)(snapshot(value) for value in state) if isinstance(state, list | tuple) else state


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; the file appears whole or not at all.

    Raises `UserError` when the disk refuses; what was at `path` before is then still there.
    """
    buffer = io.BytesIO()  # into a file, torch tells of a full disk by an error of its own making
    torch.save(state, buffer)
    kept = "the one before is still there" if path.exists() else "there is none yet"
    with refused(path, "cannot be saved", f"{kept}; make room and go on from it"):
        write_whole(path, buffer.getbuffer(), durable=True)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; raises `UserError` when it is missing or damaged."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError("no checkpoint to resume from", where=path, advice="train without resume first") from None
    except Exception as error:  # damaged files raise whatever the parser that met the damage does
        reason = str(error).split("\n", 1)[0][:120]
        raise UserError(f"not a checkpoint that can be read ({reason})", where=path, advice="start again") from None
    if not isinstance(state, dict):
        raise UserError("not a checkpoint of a training run", where=path, advice="start again")
    return state


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Standing:
    """How far a training is."""

    step: Annotated[int, Field(ge=0)]
    best: float  # of its validations; infinite before the first
    history: list[dict[str, int | float]]


def standing_of(state: dict[str, Any]) -> Standing:
    """How far a training was when it was saved; raises `ValueError` or `KeyError` for anything else."""
    return Standing(state["step"], state["best"], state["history"])


class Interrupt(threading.Event):
    """Set when a signal has asked a loop to end."""

    def __init__(self) -> None:
        super().__init__()
        self.number = int(signal.SIGINT)  # of the signal; of one that another process got, this one's word
        self.before: dict[int, Any] = {}  # the handlers that were there

    def hand_on(self, frame: FrameType | None) -> None:
        """Do what the signal would have done without this; `KeyboardInterrupt` if that was to end the process."""
        handler = self.before.get(self.number)
        if not callable(handler):
            raise KeyboardInterrupt
        handler(self.number, frame)

    def end(self) -> NoReturn:
        """Leave the loop by what the signal would have raised, or else `KeyboardInterrupt`."""
        self.hand_on(None)
        raise KeyboardInterrupt


@contextmanager
def catch_interrupt() -> Iterator[Interrupt]:
    """An event that Ctrl-C or a request to end sets, so that a loop can end its step, save, and `end`.

    A second one is handed on at once. Signals that are ignored stay so. Outside the main thread none can be caught and
    the event stays clear.
    """
    stop = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: FrameType | None) -> None:
        again, stop.number = stop.is_set(), number
        stop.set()
        if again:
            stop.hand_on(frame)

    found = {number: signal.getsignal(number) for number in SIGNALS}
    stop.before = {number: handler for number, handler in found.items() if handler is not signal.SIG_IGN}
    try:
        for number in stop.before:
            signal.signal(number, request)
        yield stop
    finally:
        for number, handler in stop.before.items():
            signal.signal(number, handler)
