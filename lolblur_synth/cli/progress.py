"""What a person sees while sequences are made: bars on a terminal, lines with --verbose, nothing otherwise."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from lolblur_synth.cli.options import option
from lolblur_synth.core.errors import shown
from lolblur_synth.core.events import Event

_RECENT = 50  # steps that the speed is measured over


def _bars(console: Console, label: str, note: str) -> Progress:
    """Bars with counts and times between a label and a note; none where there is no terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(
        TextColumn(label), *columns, TextColumn(note, style="dim"), console=console, disable=not console.is_terminal
    )


class RunProgress:
    """Shows a run's events; a context manager that is called with each of them."""

    def __init__(self, console: Console, pairs: int, verbose: bool = False):
        self._console = console
        self._verbose = verbose
        self._bars = _bars(console, "{task.description}", "{task.fields[operator]}")
        self._whole = self._bars.add_task("pairs", total=pairs, operator="")
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if event.kind == "start":
            if event.sequence in self._tasks:  # made again, as its worker has died
                self._forget(event.sequence)
            self._tasks[event.sequence] = self._bars.add_task(f"  {event.sequence}", total=event.total, operator="")
            self._started[event.sequence] = time.monotonic()
            self._say(f"{event.sequence}: {event.total} pairs")
        elif event.kind == "operator":
            self._bars.update(self._tasks[event.sequence], operator=event.text)
        elif event.kind == "pair":
            self._bars.advance(self._tasks[event.sequence])
            self._bars.advance(self._whole)
        elif event.kind == "warned":
            told = f"{event.sequence}: {event.text}" if event.sequence else event.text
            self._console.print(shown(told, option), style="yellow", highlight=False, markup=False, soft_wrap=True)
        elif event.kind in ("made", "failed"):
            self._end(event)

    def _forget(self, sequence: str) -> None:
        task = self._tasks.pop(sequence)
        self._bars.advance(self._whole, -self._bars.tasks[self._bars.task_ids.index(task)].completed)
        self._bars.remove_task(task)

    def _end(self, event: Event) -> None:
        if event.sequence in self._tasks:
            self._bars.remove_task(self._tasks.pop(event.sequence))
        if event.kind == "failed":
            self._console.print(
                shown(f"{event.sequence}: failed: {event.text}", option), style="red", highlight=False, markup=False
            )
        else:
            began = self._started.get(event.sequence)
            self._say(f"{event.sequence}: made" + (f" in {time.monotonic() - began:.0f} s" if began else ""))

    def _say(self, text: str) -> None:
        if self._verbose:
            self._console.print(text, highlight=False, markup=False)


@contextmanager
def frame_progress(
    console: Console, label: str = "frame", unit: str = "frames/s"
) -> Iterator[Callable[[int, int], None]]:
    """Shows how far a video is, and how fast; the function takes the frames that are done and how many there are."""
    started = 0.0
    with _bars(console, label, "{task.fields[rate]}") as bars:
        task = bars.add_task("", total=None, rate="reading")

        def show(done: int, total: int) -> None:
            nonlocal started
            started = started if done else time.monotonic()
            rate = f"{done / max(time.monotonic() - started, 1e-6):.3g} {unit}" if done else ""
            bars.update(task, completed=done, total=total, rate=rate)

        yield show


class TrainingProgress:
    """Shows a training's steps, losses, speed and memory: a bar on a terminal, a line every `interval` steps elsewhere.

    `memory` tells the bytes that are used.
    """

    def __init__(self, console: Console, steps: int, interval: int, memory: Callable[[], int]):
        self._console, self._memory = console, memory
        self._steps, self._interval = steps, interval
        self._recent = deque[tuple[int, float]](maxlen=_RECENT)
        self._bar = _bars(console, "step", "{task.fields[losses]}")
        self._task = self._bar.add_task("", total=steps, losses="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(shown(text, option), highlight=False, markup=False, soft_wrap=True)

    def decoding(self, done: int, total: int) -> None:
        """Take note of pictures that were decoded before the first step."""
        self._bar.update(self._task, losses=f"decoding {done} of {total} pictures")

    def __call__(self, done: int, losses: Mapping[str, float]) -> None:
        """Take note of a step and the latest losses."""
        self._recent.append((done, time.monotonic()))
        (first, began), (last, now) = self._recent[0], self._recent[-1]
        rate = (last - first) / max(now - began, 1e-6)
        told = "  ".join(f"{name} {value:.4g}" for name, value in losses.items())
        if rate:
            told += f"  {rate:.3g} steps/s"
        told += f"  {self._memory() / 1e9:.2f} GB"
        self._bar.update(self._task, completed=done, losses=told)
        if not self._console.is_terminal and (done % self._interval == 0 or done == self._steps):
            left = f"  {timedelta(seconds=round((self._steps - done) / rate))} to go" if rate else ""
            self.say(f"step {done} of {self._steps}  {told}{left}")
