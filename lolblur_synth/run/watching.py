"""Watching a run: its events become its progress, which a thread writes into the dataset about once a second."""

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.core.events import Event, Notify
from lolblur_synth.core.memory import peak_memory
from lolblur_synth.dataset.progress import HEARTBEAT, Counts, Progress, State, UnderWay, progress_path, write_progress
from lolblur_synth.run.made import Made
from lolblur_synth.run.plan import Plan, SequencePlan

_INTERVAL = 1.0  # seconds from one look to the next
_RECENT = 600.0  # seconds that the rate is measured over
_PATIENCE = 3  # times that writing may fail, one after the other, before it is told
_STOPPED: tuple[State, str] = ("stopped", "")  # unless it comes to another end


@dataclass
class Tally:
    """What the events of a run have told so far."""

    sizes: Mapping[str, int]  # pairs of each sequence that is to be made
    made: dict[str, int] = field(default_factory=dict)  # pairs by sequence
    failed: set[str] = field(default_factory=set)
    under_way: dict[str, UnderWay] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)  # bytes by sequence
    steps: int = 0  # windows that were gone through, also those that gave no pair, or were made again
    memory: int = 0

    def note(self, event: Event, now: float) -> None:
        """Take note of an event; a sequence may begin again, on another worker, and be made or fail more than once."""
        self.memory = max(self.memory, event.memory)
        name = event.sequence
        if event.kind == "start":
            self.under_way[name] = UnderWay(
                worker=event.worker, sequence=name, operator="", pairs=0, total=event.total, since=now
            )
        elif event.kind == "operator" and name in self.under_way:
            self.under_way[name] = self.under_way[name].model_copy(update={"operator": event.text})
        elif event.kind == "pair" and name in self.under_way:
            self.under_way[name] = self.under_way[name].model_copy(update={"pairs": event.pairs})
            self.written[name] = event.bytes
            self.steps += 1
        elif event.kind in ("made", "failed"):
            begun = self.under_way.pop(name, None)
            if event.kind == "made":
                unheard = event.pairs - (begun.pairs if begun else 0)
                self.steps += max(0, unheard)
                self.made[name] = event.pairs
                self.failed.discard(name)
            elif name not in self.made:
                self.failed.add(name)

    @property
    def left(self) -> int:
        """Pairs that are to be made still."""
        ended = self.made.keys() | self.failed
        left = sum(size for name, size in self.sizes.items() if name not in ended)
        return max(0, left - sum(each.pairs for each in self.under_way.values()))


class Watch:
    """The progress of a run, as its events tell; it is called with each of them, from any thread."""

    def __init__(self, plan: Plan, due: Sequence[SequencePlan], done: Mapping[str, Made]):
        name = plan.shard.name if plan.shard else None
        self.path = progress_path(plan.out, name)
        self._tally = Tally({task.id: len(task.recipe.slots) for task in due})
        self._lock = threading.Lock()
        self._changed = True
        now = time.monotonic()
        self._recent = deque([(now, 0)])  # steps by time
        kept = [task for task in plan.sequences if task.id not in self._tally.sizes]
        self._last = Progress(
            name=name,
            state="running",
            host=socket.gethostname(),
            pid=os.getpid(),
            started=time.time(),
            updated=time.time(),
            planned=Counts(
                sequences=len(plan.sequences),
                pairs=sum(self._tally.sizes.values()) + sum(done[task.id].pairs for task in kept),
            ),
            kept=Counts(sequences=len(kept), pairs=sum(done[task.id].pairs for task in kept)),
            made=Counts(),
            failed=Counts(),
            videos_failed=0 if name else len(plan.faults),  # of parts each would tell the same
            under_way=[],
            pairs_per_hour=None,
            seconds_to_go=None,
            bytes_written=0,
            peak_memory=0,
        )

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        with self._lock:
            self._tally.note(event, time.time())
            self._changed = True

    @property
    def total(self) -> int:
        """Pairs that are to be made."""
        return sum(self._tally.sizes.values())

    @property
    def made(self) -> int:
        """Pairs that were made."""
        with self._lock:
            return sum(self._tally.made.values())

    def has_changed(self) -> bool:
        """Whether anything has happened since it was asked last."""
        with self._lock:
            changed, self._changed = self._changed, False
        return changed

    def write(self, state: State = "running", error: str = "") -> None:
        """Write how far the run is; raises `OSError`."""
        with self._lock:
            progress = self._progress(state, error, time.monotonic())
        write_progress(self.path, progress)

    def _progress(self, state: State, error: str, now: float) -> Progress:
        tally = self._tally
        self._recent.append((now, tally.steps))
        while self._recent[1][0] < now - _RECENT:
            self._recent.popleft()
        began, before = self._recent[0]
        rate = (tally.steps - before) / max(now - began, 1e-6)  # pairs/s
        return self._last.model_copy(
            update={
                "state": state,
                "error": shown(error)[:4096],
                "updated": time.time(),
                "made": Counts(sequences=len(tally.made), pairs=sum(tally.made.values())),
                "failed": Counts(
                    sequences=len(tally.failed), pairs=sum(tally.sizes.get(name, 0) for name in tally.failed)
                ),
                "under_way": sorted(tally.under_way.values(), key=lambda each: (each.worker, each.sequence)),
                "pairs_per_hour": round(3600 * rate, 3) if rate else None,
                "seconds_to_go": round(tally.left / rate, 1) if rate and state == "running" else None,
                "bytes_written": sum(tally.written.values()),
                "peak_memory": max(tally.memory, peak_memory()),
            }
        )


@contextmanager
def watched(watch: Watch, notify: Notify) -> Iterator[Notify]:
    """Keep the progress of a run up to date while it goes on, and tell its begin and end to `notify` too.

    What the disk refuses is told as a warning, once: a run does not fail for being watched.
    """

    def tell(event: Event) -> None:
        watch(event)
        notify(event)

    over = threading.Event()
    thread = threading.Thread(target=_keep_writing, args=(watch, notify, over), name="progress", daemon=True)
    tell(Event("begin", "", total=watch.total))
    thread.start()
    state, error = _STOPPED
    try:
        yield tell
        state, error = "done", ""
    except (UserError, SequenceError) as raised:
        state, error = "failed", raised.told()
        raise
    except Exception as raised:
        state, error = "failed", f"{type(raised).__name__}: {raised}"
        raise
    finally:
        over.set()
        thread.join(timeout=HEARTBEAT)
        with suppress(OSError):  # whoever looks then hears that it was not heard of
            watch.write(state, error)
        end = Event("end", "", error or state, total=watch.total, pairs=watch.made, memory=peak_memory())
        if state == "done":
            notify(end)
        else:
            with suppress(Exception):  # the first error is the one to tell
                notify(end)


def _keep_writing(watch: Watch, notify: Notify, over: threading.Event) -> None:
    faults, written = 0, 0.0
    while True:
        now = time.monotonic()
        if watch.has_changed() or now > written + HEARTBEAT - _INTERVAL:
            try:
                watch.write()
                faults, written = 0, now
            except OSError as error:
                faults += 1
                if faults == _PATIENCE:
                    with suppress(Exception):  # whom to tell it else
                        notify(Event("warned", "", f"{watch.path.name} cannot be written: {error.strerror}"))
        if over.wait(_INTERVAL):
            return
