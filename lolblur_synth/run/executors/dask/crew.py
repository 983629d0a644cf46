"""Workers of a cluster: who is there, who was inspected and may work, and who was refused, and why."""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.run.executors.dask.inspection import Answer, Question, Software, inspect, objections
from lolblur_synth.run.memory import Need

_ANSWERING = 120  # seconds: importing torch from a busy file system takes its time
_PATIENCE = 30  # seconds in which somebody has to be there who can work
_PARTING = 1  # seconds in which a question should be on its way

Post = Callable[[Callable[[], None]], None]  # has the main thread call something
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Worker:
    """One that was inspected and may work: one sequence at a time."""

    address: str
    host: str
    device: str
    threads: int
    memory: int  # bytes that it may hold; 0: no limit
    gpu: str = ""  # that it has to itself

    @property
    def name(self) -> str:
        """Its address, and where that is."""
        return f"{self.address} on {self.host}"


@dataclass(frozen=True)
class Demand:
    """What is asked of workers, and what it is compared with."""

    question: Question
    here: Software
    need: Need
    threads: int  # that a sequence makes use of, at the most


class Crew:
    """Keeps account of a cluster's workers; all but the inspection itself happens in the main thread."""

    def __init__(self, client: Any, demand: Demand, post: Post, tell: Tell) -> None:
        self._client, self._demand, self._post, self._tell = client, demand, post, tell
        self._asked: dict[str, object] = {}  # those under inspection; each has a mark of its own
        self._asking: list[Thread] = []  # who asks them
        self._workers: dict[str, Worker] = {}
        self._refused: dict[str, str] = {}
        self._resting: dict[str, float] = {}  # until when
        self._without, self._told = time.monotonic(), False
        self._ever = False

    def idle(self, busy: Collection[str]) -> list[Worker]:
        """Those that have nothing to do."""
        now = time.monotonic()
        return [w for w in self._workers.values() if w.address not in busy and self._resting.get(w.address, 0) <= now]

    def get(self, address: str) -> Worker | None:
        """The worker at an address, if it may work."""
        return self._workers.get(address)

    def rest(self, address: str, seconds: float) -> None:
        """Give a worker nothing for a while."""
        self._resting[address] = time.monotonic() + seconds

    def missing(self, present: Collection[str]) -> list[str]:
        """Those that were there and are not any more."""
        return [a for a in (*self._asked, *self._workers, *self._refused) if a not in present]

    def forget(self, address: str) -> None:
        """A worker has gone; whoever comes at that address is another."""
        for standing in (self._asked, self._workers, self._refused, self._resting):
            standing.pop(address, None)

    def welcome(self, addresses: Iterable[str]) -> None:
        """Inspect those that are new, each in a thread, as one may never answer."""
        known = self._asked.keys() | self._workers.keys() | self._refused.keys()
        self._asking = [thread for thread in self._asking if thread.is_alive()]
        for address in sorted(set(addresses) - known):
            mark = self._asked[address] = object()
            thread = Thread(target=self._ask, args=(address, mark), name="inspection", daemon=True)
            thread.start()
            self._asking.append(thread)

    def _ask(self, address: str, mark: object) -> None:
        answer: Answer | str
        try:
            told = self._client.run(
                inspect, self._demand.question, workers=[address], on_error="return", callback_timeout=_ANSWERING
            )[address]
            answer = told if isinstance(told, Answer) else _cannot_answer(told)
        except TimeoutError:
            answer = f"did not answer within {_ANSWERING} s"
        except Exception as error:  # it, or the scheduler, has gone
            answer = _cannot_answer(error)
        self._post(partial(self._heard, address, mark, answer))

    def _heard(self, address: str, mark: object, answer: Answer | str) -> None:
        if self._asked.get(address) is not mark:
            return  # it has gone meanwhile
        del self._asked[address]
        if isinstance(answer, str):
            self._refuse(address, address, [answer])
            return
        demand, on_gpu = self._demand, self._demand.question.device == "cuda"
        threads = 1 if on_gpu else min(answer.threads, demand.threads)
        reasons = objections(answer, demand.here, demand.need.on(threads))
        reasons += take_echo(demand.question.token, answer)
        index = free_gpu(answer.gpus, {worker.gpu for worker in self._workers.values()})
        if on_gpu and index is None:
            reasons.append("sees no GPU that no other worker has" if answer.gpus else "has no CUDA device")
        device, gpu = ("cpu", "") if index is None else (f"cuda:{index}", answer.gpus[index])
        worker = Worker(address, answer.host, device, threads, answer.memory, gpu)
        if reasons:
            self._refuse(address, worker.name, reasons)
            return
        self._workers[address] = worker
        self._ever = True
        if not on_gpu and answer.threads >= 2 * threads:
            self._tell(
                f"worker {worker.name} has {answer.threads} threads, of which a sequence uses {threads}: "
                f"{answer.threads // threads} workers of {threads} there would make as many at a time"
            )

    def dismiss(self) -> None:
        """Let questions be answered, or at least be on their way, before the client is closed."""
        deadline = time.monotonic() + _PARTING
        for thread in self._asking:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _refuse(self, address: str, name: str, reasons: list[str]) -> None:
        self._refused[address] = f"worker {name} {'; it '.join(reasons)}"
        self._tell(f"{self._refused[address]}; it gets no work")

    def check_staffed(self, where: str) -> None:
        """Raise `UserError` when nobody can work: at once if all were refused, else after half a minute."""
        now = time.monotonic()
        if self._workers:
            self._without, self._told = now, False
            return
        if self._asked:
            if now - self._without > _PATIENCE and not self._told:
                self._told = True
                self._tell(f"workers have not answered for {_PATIENCE} s: {', '.join(self._asked)}")
            return
        waited = now - self._without
        if self._refused and (not self._ever or waited > _PATIENCE):
            raise UserError(
                "none of its workers can make this dataset",
                *self._refused.values(),
                where=where,
                advice="finished sequences are kept; mend them and run the same command again",
            )
        if waited > _PATIENCE:
            raise UserError(
                f"{'no worker is left' if self._ever else 'there are no workers'}, and none came in {_PATIENCE} s",
                where=where,
                advice="finished sequences are kept; start workers (dask worker) and run the same command again",
            )
        if waited > _PATIENCE / 6 and not self._told:
            self._told = True
            self._tell(f"{where} has no workers; waiting for {_PATIENCE} s")


def free_gpu(gpus: Sequence[str], taken: Collection[str]) -> int | None:
    """The first device that a worker sees and no other has; workers of a host may all see the same.

    >>> free_gpu(["GPU-1", "GPU-2"], {"GPU-1"}), free_gpu(["GPU-1"], {"GPU-1"})
    (1, None)
    """
    return next((index for index, gpu in enumerate(gpus) if gpu not in taken), None)


def _cannot_answer(error: Any) -> str:
    reason = str(error).partition("\n")[0] or type(error).__name__
    if "No module named" in reason:
        return f"has not this lolblur-synth ({reason}); pip install it there"
    return f"cannot be inspected ({reason})"


def take_echo(token: Path, answer: Answer) -> list[str]:
    """What is wrong with the file that a worker wrote in reply, which is removed."""
    if not answer.echo:
        return []
    echo = token.with_name(answer.echo)
    try:
        same = echo.read_bytes() == token.read_bytes()
        echo.unlink()
    except OSError:
        same = False
    return [] if same else [f"writes into another folder {token.parent} than {setting('out')} here"]
