"""Sequences on a worker of Dask, whose events go to the client in batches, by a topic of the scheduler."""

import pickle
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lolblur_synth.core.events import Event
    from lolblur_synth.dataset.locks import Lease
    from lolblur_synth.run.plan import Plan, SequencePlan

_INTERVAL = 1.0  # seconds between batches


@dataclass(frozen=True)
class Errand:
    """What a worker is given with each sequence: what all share, but nothing of the others."""

    plan: "Plan"
    fail_fast: bool
    lease: "Lease"  # of the client, by which what is made after its end is refused
    device: str
    threads: int
    topic: str


class Withdrawn(Exception):  # noqa: N818 - no error: nobody waits for this sequence any more
    """The sequence was given to another worker, or its run has ended."""


def pack(errand: Errand, task: "SequencePlan") -> bytes:
    """What `make_sequence` takes: the scheduler, which unpickles all that it hands on, imports nothing for bytes."""
    return pickle.dumps((errand, task))


def make_sequence(packed: bytes) -> str:
    """Make one sequence, as every executor does; raises `Withdrawn` soon after nobody wants it any more.

    What became of it is told by the topic, as its events are, which spares the client to ask; pictures and records are
    in the dataset.
    """
    import torch
    from distributed import get_worker

    from lolblur_synth.run.build_sequence import Place
    from lolblur_synth.run.executors.base import Job, attempt

    errand, task = pickle.loads(packed)
    worker = get_worker()
    reporter = _Reporter(worker, str(worker.get_current_task()), errand.topic)
    outcome: list[Any] = []  # of one: nothing, or the failure
    raised = False  # whether what the future raises is the sequence's doing
    try:
        place = Place(torch.device(errand.device), errand.threads)
        failure = attempt(Job(errand.plan, reporter, errand.fail_fast, errand.lease), task, place)
        outcome.append(asdict(failure) if failure else None)
    except Withdrawn:
        raise
    except Exception:
        raised = True
        raise
    finally:
        reporter.send(ended=True, outcome=outcome, raised=raised)
    return str(task.id)


@dataclass
class _Reporter:
    """A `Notify` that sends at most one batch a second, and of operators no more than the latest."""

    worker: Any
    key: str
    topic: str
    _events: list["Event"] = field(default_factory=list)
    _sent: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, event: "Event") -> None:
        self._check()
        with self._lock:
            if event.kind == "operator" and self._events and self._events[-1].kind == "operator":
                self._events.pop()
            self._events.append(event)
        if event.kind == "start" or time.monotonic() - self._sent > _INTERVAL:
            self.send()

    def send(self, *, ended: bool = False, outcome: Sequence[Any] = (), raised: bool = False) -> None:
        """Send what has not been sent; `ended` tells that this worker does no more for the sequence."""
        import torch

        from lolblur_synth.core.devices import memory_used

        self._sent = time.monotonic()
        with self._lock:
            events, self._events = self._events, []
        self.worker.log_event(
            self.topic,
            {
                "key": self.key,
                "events": [asdict(event) for event in events],
                "memory": memory_used(torch.device("cpu")),
                "ended": ended,
                "outcome": list(outcome),
                "raised": raised,
            },
        )

    def _check(self) -> None:
        """Raise `Withdrawn` where the worker closes, or the scheduler has taken the task back.

        Nothing else ends what runs in a thread: it would publish behind the next run.
        """
        task = self.worker.state.tasks.get(self.key)
        if task is None or task.state != "executing" or self.worker.status.name not in ("running", "paused"):
            raise Withdrawn
