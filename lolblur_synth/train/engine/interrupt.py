"""Interrupt of a training loop: Ctrl-C and requests to end are an event, so that a stop loses nothing."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from lolblur_synth.core.signals import SIGNALS


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

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    stop.before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    try:
        for number in stop.before:
            signal.signal(number, request)
        yield stop
    finally:
        for number, handler in stop.before.items():
            signal.signal(number, handler)
