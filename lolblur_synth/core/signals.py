"""Signal handling, Ctrl-C, SIGTERM and SIGHUP: a command unwinds once, says one line, leaves nothing running.

Only `heeding` installs handlers, and only the command line calls it: a program that uses the package keeps its own.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE = 10.0  # seconds in which a command may unwind,
_HASTE = 1.0  # those it has left when it is asked again,
_IMPORTING = 0.5  # and those in which an import may end; it comes before the work, and there is nothing to unwind
_AGAIN = 0.05  # seconds after which a signal that could not be raised comes again
_ADVICE = "run, train-ecdce and train-lednet go on from here when called again, other commands begin anew"


class Stopped(BaseException):
    """A signal has asked the process to end; no library takes it for an error that it may handle."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Stop:
    """What this process knows of the request to end it."""

    def __init__(self) -> None:
        self.number = 0  # of the signal that was first
        self.holds = 0  # pieces of code at work that must not be left halfway
        self._raised = self._over = False
        self._deadline = float("inf")
        self._main = threading.get_ident()
        self._told = threading.Lock()
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)  # as `signal.set_wakeup_fd` wants it
        self._before = signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="signals", daemon=True).start()

    def ask(self, number: int, frame: FrameType | None) -> None:
        """The handler: raise `Stopped`, once, as soon as it is safe to."""
        if self._over:
            return
        now = time.monotonic()
        if self._raised:
            self._deadline = min(self._deadline, now + _HASTE)
            return
        wait = _PATIENCE if self.holds else _delicate(frame)
        first, self.number = not self.number, self.number or number
        if first or not wait:
            self._raised, self._deadline = not wait, now + (wait or _PATIENCE)
        if first:  # after that, as the write lets the watching thread go on
            os.write(self._writing, bytes([number]))  # a training that hands its signal on had it long ago
        if not wait:
            raise Stopped(self.number)

    def was_lost(self) -> None:
        """Have it raised again: where it was, nothing can be raised."""
        self._raised = False

    def finish(self) -> None:
        """Hear no more signals: the command is done, and the interpreter ends, soon if one was heard."""
        self._over, self._deadline = True, min(self._deadline, time.monotonic() + _HASTE)
        signal.set_wakeup_fd(self._before)
        for number in SIGNALS:
            if signal.getsignal(number) == self.ask:
                signal.signal(number, signal.SIG_IGN)

    def tell(self, number: int) -> None:
        """End the processes that this one has started and say, once, what happened."""
        if not self._told.acquire(blocking=False):
            return
        _end_children()
        if os.environ.get("RANK", "0") != "0":  # of the processes of a training the first
            return
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        with suppress(OSError):  # a terminal that hung up
            shown = "\r\x1b[?25h" if os.isatty(2) else ""  # the cursor, which progress bars hide
            os.write(2, f"{shown}stopped by {name}; {_ADVICE}\n".encode())

    def _watch(self) -> None:
        """Bring back what could not be raised, and end the process when unwinding takes too long."""
        number = 0
        while not number:
            heard = [one for one in os.read(self._reading, 64) if signal.getsignal(one) == self.ask]
            number = self.number or next(iter(heard), 0)  # else a training has taken it, and ends its step first
        latest = time.monotonic() + _PATIENCE
        while time.monotonic() < min(latest, self._deadline):
            time.sleep(_AGAIN)
            if self.number and not self._raised and not self._over:
                signal.pthread_kill(self._main, self.number)
        self._exit(self.number or number)

    def _exit(self, number: int) -> NoReturn:
        self.tell(number)
        os._exit(128 + number)


_stop: _Stop | None = None  # of this process, while it heeds signals


def heeding(command: Callable[[], int]) -> int:
    """Handle signals while a command runs; returns its exit code, or 128 + the number of the signal that ended it.

    A signal that is ignored already, as SIGHUP under nohup, stays so. The first signal raises `Stopped` in the main
    thread, later ones only hurry it; a command that has not unwound in ten seconds is ended as it is, which loses no
    more than a kill does. Processes that are still there are ended too.
    """
    global _stop
    _open_standard_streams()
    stop = _stop = _Stop()
    _silence_consequences(stop)
    try:
        try:
            for heeded in SIGNALS:
                if signal.getsignal(heeded) is not signal.SIG_IGN:
                    signal.signal(heeded, stop.ask)
            code = command()
        finally:
            stop.finish()
    except BaseException as error:
        number = error.number if isinstance(error, Stopped) else stop.number
        if not number:
            raise
        stop.tell(number)
        return 128 + number
    return code


@contextmanager
def held() -> Iterator[None]:
    """Block signals while processes are started: they leave them to this one, which hears those that came after that.

    A terminal sends Ctrl-C to all processes of a command; they would each say so, halfway through an import.
    """
    from multiprocessing import resource_tracker

    stop = _stop
    resource_tracker.ensure_running()  # in Python 3.11 its start unblocks them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # what is blocked stays so in a new process
    if stop:
        stop.holds += 1
    try:
        yield
    finally:
        if stop:
            stop.holds -= 1
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _open_standard_streams() -> None:
    """Open what the shell has closed (`2>&-`): else files of ours take those numbers, and messages go into them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free


def _delicate(frame: FrameType | None) -> float:
    """Seconds that what is at work may take before it is left halfway; 0 where nothing speaks against leaving it.

    Libraries take whatever is raised in an import for a module that is missing; finalizers raise nothing.
    """
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return _IMPORTING
        if frame.f_code.co_name == "__del__":
            return _PATIENCE
        frame = frame.f_back
    return 0


def _silence_consequences(stop: _Stop) -> None:
    """After a signal, nothing that threads and finalizers complain about is news."""
    unraisable, uncaught = sys.unraisablehook, threading.excepthook

    def on_unraisable(told: "sys.UnraisableHookArgs") -> None:
        if isinstance(told.exc_value, Stopped):
            stop.was_lost()
        elif not stop.number:
            unraisable(told)

    def on_uncaught(told: threading.ExceptHookArgs) -> None:
        if not stop.number:
            uncaught(told)

    sys.unraisablehook, threading.excepthook = on_unraisable, on_uncaught


def _end_children() -> None:
    if "multiprocessing.process" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            with suppress(OSError, ValueError):
                child.kill()
