"""Dealing of sequences to workers, one each; those of workers that die are made again elsewhere, up to a bound."""

import queue
import secrets
import time
from asyncio import CancelledError
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.core.events import Event
from lolblur_synth.dataset.layout import record_path
from lolblur_synth.dataset.record_reader import read_record
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.run.executors.base import Job
from lolblur_synth.run.executors.dask.crew import Crew, Demand, Worker
from lolblur_synth.run.executors.dask.sequences import Errand, Withdrawn, make_sequence, pack
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.plan import SequencePlan

_DEATHS = 3  # of workers at one sequence, which is then left out
_TRIES = 20  # of a sequence, whose workers left every time
_LEAVING = 5  # seconds in which a worker should have gone that has left a sequence
_TICK = 1.0  # seconds between looks at who is there
_BEGINNING = 30  # seconds after which a worker should have begun what it was given
_ASKED = 20  # seconds that the scheduler may take for an answer
_WITHDRAWING = 3  # seconds for workers to leave what is given up
_NEAR = 0.8  # of its limit: what a worker held when it died for want of memory


@dataclass
class _Attempt:
    """A sequence on a worker."""

    task: SequencePlan
    worker: Worker
    key: str
    future: Any = None
    given: float = 0.0
    begun: bool = False
    memory: int = 0  # bytes that the worker held when it told last
    raised: bool = False  # the sequence itself


class Dealing:
    """Who makes what. Whatever Dask calls back is put into an inbox, and read in the main thread."""

    def __init__(self, client: Any, where: str, job: Job, tasks: Sequence[SequencePlan], demand: Demand) -> None:
        self._client, self._where, self._job, self._demand = client, where, job, demand
        self._due = deque(tasks)
        self._total, self._made = len(tasks), 0
        self._run = secrets.token_hex(4)
        self._topic = f"lolblur-synth-{self._run}"
        self._attempts: dict[str, _Attempt] = {}  # by address of the worker
        self._leaving: set[str] = set()  # keys that were given up and that workers are still at
        self._numbers, self._deaths = Counter[str](), Counter[str]()
        self._starved: dict[str, int] = {}  # bytes that workers held when a nanny ended them, by address
        self._done = deque[Failure | None]()
        self._inbox = queue.SimpleQueue[Callable[[], None]]()
        self._crew = Crew(client, demand, self._inbox.put, partial(self._tell, ""))
        self._looked = 0.0

    def outcomes(self) -> Iterator[Failure | None]:
        """Deal, and yield what comes of it."""
        for topic, handle in (
            (self._topic, self._on_batch),
            ("all", self._on_change),
            ("worker-restart-memory", self._on_starvation),
        ):
            self._client.subscribe_topic(topic, partial(self._put, handle))
        try:
            while self._due or self._attempts:
                if time.monotonic() - self._looked >= _TICK:
                    self._look()
                self._deal()
                self._read(_TICK)
                while self._done:
                    yield self._done.popleft()
        finally:
            self._withdraw()

    def _put(self, handle: Callable[[dict[str, Any]], None], event: tuple[float, Any]) -> None:
        self._inbox.put(partial(handle, event[1]))

    def _read(self, seconds: float) -> None:
        """Wait for the next message, and take all that are there."""
        with suppress(queue.Empty):
            self._inbox.get(timeout=seconds)()
            while True:
                self._inbox.get_nowait()()

    def _deal(self) -> None:
        for worker in self._crew.idle(self._attempts):
            if not self._due:
                return
            self._give(self._due.popleft(), worker)

    def _give(self, task: SequencePlan, worker: Worker) -> None:
        self._numbers[task.id] += 1
        key = f"sequence-{task.id}-{self._run}-{self._numbers[task.id]}"
        job = self._job
        errand = Errand(job.plan, job.fail_fast, job.lease, worker.device, worker.threads, self._topic)
        attempt = self._attempts[worker.address] = _Attempt(task, worker, key, given=time.monotonic())
        attempt.future = self._client.submit(
            make_sequence, pack(errand, task), key=key, workers=[worker.address], pure=False
        )
        attempt.future.add_done_callback(lambda _: self._inbox.put(partial(self._ended, attempt)))

    def _ended(self, attempt: _Attempt) -> None:
        if self._attempts.get(attempt.worker.address) is not attempt:
            return  # it has told, or was given up
        error = _error_of(attempt.future)
        if isinstance(error, UserError | SequenceError):
            raise type(error)(error, where=f"worker {attempt.worker.name}")
        if isinstance(error, Exception) and (attempt.raised or not _is_of_dask(error)):
            raise error
        self._check_scheduler()
        self._crew.rest(attempt.worker.address, _LEAVING)
        self._lose(attempt, expected=error is None or isinstance(error, Withdrawn))

    def _finish(self, failure: Failure | None) -> None:
        self._made += failure is None
        self._done.append(failure)

    def _on_batch(self, batch: dict[str, Any]) -> None:
        """Events of a sequence; those of one that was given up are nobody's any more."""
        if batch["ended"]:
            self._leaving.discard(batch["key"])
        for attempt in self._attempts.values():
            if attempt.key == batch["key"]:
                attempt.begun, attempt.memory, attempt.raised = True, batch["memory"], batch["raised"]
                for event in batch["events"]:
                    self._job.notify(Event(**event))
                for failure in batch["outcome"]:
                    del self._attempts[attempt.worker.address]
                    self._finish(Failure(**failure) if failure else None)
                return

    def _on_starvation(self, told: dict[str, Any]) -> None:
        self._starved[told["worker"]] = told["rss"]

    def _on_change(self, told: dict[str, Any]) -> None:
        """The scheduler tells of workers that come and go."""
        if told.get("action") == "add-worker":
            self._crew.welcome([told["worker"]])
        elif told.get("action") == "remove-worker":
            self._leave(told["worker"], expected=told.get("expected", False))

    def _look(self) -> None:
        """Look who is there, in case that a message was missed, and what has come to nothing."""
        self._check_scheduler()
        try:
            present = self._client.sync(self._client.scheduler.ncores, callback_timeout=_ASKED)
        except OSError:  # TimeoutError among them
            self._raise_lost()
        self._looked = time.monotonic()
        for address in self._crew.missing(present):
            self._leave(address, expected=False)
        self._crew.welcome(present)
        self._crew.check_staffed(self._where)
        for attempt in list(self._attempts.values()):
            if not attempt.begun and self._looked - attempt.given > _BEGINNING:
                self._take_back(attempt)

    def _check_scheduler(self) -> None:
        if self._client.status != "running":
            self._raise_lost()

    def _raise_lost(self) -> NoReturn:
        raise SequenceError(
            f"the Dask scheduler at {self._where} is gone; {self._made} of {self._total} sequences were made",
            advice="they are kept; start it and its workers, and run the same command again",
        )

    def _take_back(self, attempt: _Attempt) -> None:
        """A worker that is busy with somebody else's work, or paused, would let a sequence wait for ever."""
        del self._attempts[attempt.worker.address]
        self._cancel(attempt)
        self._due.appendleft(attempt.task)
        self._crew.rest(attempt.worker.address, _BEGINNING)
        self._tell(
            attempt.task.id,
            f"worker {attempt.worker.name} has not begun it for {_BEGINNING} s: it is busy with other work, or paused "
            "for want of memory; it is asked again later",
        )

    def _leave(self, address: str, *, expected: bool) -> None:
        """A worker is gone."""
        self._crew.forget(address)
        if address in self._attempts:
            self._lose(self._attempts[address], expected=expected)

    def _lose(self, attempt: _Attempt, *, expected: bool) -> None:
        """Nothing more comes of an attempt: its worker has ended, or what it told was lost with it."""
        del self._attempts[attempt.worker.address]
        self._cancel(attempt)
        task, worker = attempt.task, attempt.worker
        if made := self._made_of(task):
            self._job.notify(Event("made", task.id, pairs=len(made.pairs), seconds=made.seconds))
            self._finish(None)
            return
        if expected and self._numbers[task.id] < _TRIES:
            self._tell(task.id, f"worker {worker.name} leaves; it is made again elsewhere")
            self._due.append(task)
            return
        self._deaths[task.id] += 1
        memory = self._want_of_memory(attempt)
        if self._deaths[task.id] < _DEATHS:
            again = f"it is made again, {self._deaths[task.id] + 1}. of {_DEATHS} times"
            self._tell(task.id, f"worker {worker.name} ended at it{memory}; {again}")
            self._due.append(task)  # at the end: if it is at fault, others are made before it takes more workers
            return
        message = f"{_DEATHS} workers ended at it, the last of them {worker.name}{memory}"
        self._job.notify(Event("failed", task.id, message))
        self._finish(Failure(task.id, f"{task.name}: {message}"))

    def _want_of_memory(self, attempt: _Attempt) -> str:
        limit, starved = attempt.worker.memory, self._starved.pop(attempt.worker.address, 0)
        held = starved or attempt.memory
        if not held:
            return ""
        told = f"it held {held / 1e9:.2f} GB" + (f" of {limit / 1e9:.2f} GB" if limit else "")
        if starved or (limit and held > _NEAR * limit):
            return f" for want of memory: {told}"
        return f" ({told} when it told last)"

    def _made_of(self, task: SequencePlan) -> SequenceRecord | None:
        """Its record, where it is in the dataset, though nobody has told."""
        path = record_path(self._job.plan.out, task.id)
        with suppress(OSError, SequenceError, UserError):
            if path.exists() and (record := read_record(path, task.id)).fingerprint == task.fingerprint:
                return record
        return None

    def _cancel(self, attempt: _Attempt) -> None:
        if attempt.begun:
            self._leaving.add(attempt.key)
        with suppress(Exception):  # a scheduler that is gone
            attempt.future.cancel()

    def _withdraw(self) -> None:
        """Give up what is not made, and wait a little until workers have left it."""
        for attempt in self._attempts.values():
            self._cancel(attempt)
        self._attempts.clear()
        deadline = time.monotonic() + _WITHDRAWING
        while self._leaving and self._client.status == "running" and time.monotonic() < deadline:
            with suppress(Exception):
                self._read(0.1)
        self._crew.dismiss()

    def _tell(self, sequence: str, text: str) -> None:
        self._job.notify(Event("warned", sequence, text))


def _error_of(future: Any) -> BaseException | None:
    """What kept a sequence from being told of, if something did.

    Never in a callback of Dask's, which may come when the client is closed: a future asks it even for what it holds.
    """
    if future.status == "finished":
        return None
    try:
        future.result(timeout=_ASKED)
    except (Exception, CancelledError) as raised:
        return raised
    return None


def _is_of_dask(error: Exception) -> bool:
    """Whether the way of an outcome failed, not the code."""
    return isinstance(error, OSError | Withdrawn) or type(error).__module__.startswith("distributed")
