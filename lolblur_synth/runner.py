"""Carry out a plan: sequences on one or more workers, each made aside, published by rename, failures collected."""

import ctypes
import errno
import json
import queue
import shutil
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import torch

from lolblur_synth import card
from lolblur_synth.devices import choose_device, threads_for
from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.events import Event, Notify, ignore
from lolblur_synth.kernel_cache import tell_where_workers_compile
from lolblur_synth.maker import make_sequence
from lolblur_synth.output import locked, publishing, write_settings
from lolblur_synth.plan import Plan, SequencePlan
from lolblur_synth.records import (
    RECORD,
    publish,
    read_records,
    recover,
    remove,
    staging_path,
    write_manifest,
    write_text,
)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LONGEST = 200  # bytes of a name, to which more is added; file systems take 255
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True)
class Failure:
    """A video or sequence that was not made."""

    name: str
    message: str
    detail: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failures: tuple[Failure, ...]


def execute(plan: Plan, notify: Notify = ignore, fail_fast: bool = False) -> Outcome:
    """Make what the plan says and the output lacks; raises `UserError` when it cannot go on at all."""
    device = choose_device(plan.config.run.device)
    if not plan.sequences:
        faults = "".join(f"\n  {video.path.name}: {video.fault}" for video in plan.faults)
        raise UserError(f"none of the {len(plan.faults)} videos can be used:{faults}")
    with locked(plan.out):
        recover(plan.out)
        done = read_records(plan.out)
        if frozenset((record.id, record.fingerprint) for record in done.values()) != plan.seen:
            raise UserError(f"--out {plan.out}: another run has changed it meanwhile; run the same command again")
        due = [s for s in plan.sequences if s.id not in done or done[s.id].fingerprint != s.fingerprint]
        write_settings(plan.out, plan.config)
        failures = [Failure(video.path.name, video.fault or "") for video in plan.faults]
        try:
            for failure in _work(plan, due, device, notify, fail_fast):
                failures.append(failure)
            for record in plan.stale:
                remove(plan.out, record)
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                _describe(plan.out, failures)
            raise
        _describe(plan.out, failures)
    failed = {failure.name for failure in failures}
    made = tuple(s.id for s in due if s.id not in failed)
    return Outcome(made, tuple(s.id for s in plan.sequences if s not in due), tuple(failures))


def _describe(out: Path, failures: list[Failure]) -> None:
    """Write what follows from the records: failures, manifest and card."""
    _write_failures(out, failures)
    records = read_records(out)
    write_manifest(out, records)
    card.write(out, records)


def _work(
    plan: Plan, due: list[SequencePlan], device: torch.device, notify: Notify, fail_fast: bool
) -> Iterator[Failure]:
    """Make sequences and yield the failures as they happen."""
    workers = min(plan.config.run.workers, len(due))
    if device.type == "cuda" and workers > torch.cuda.device_count():
        raise UserError(f"--workers {workers}: on CUDA one worker per GPU, and there are {torch.cuda.device_count()}")
    threads = threads_for(workers, device)
    plan = replace(plan, videos=(), stale=())  # what every task would carry along
    if workers <= 1:
        outcomes: Iterable[Failure | None] = (_attempt(task, plan, device, threads, notify, fail_fast) for task in due)
    else:
        outcomes = _in_processes(plan, due, workers, device, threads, notify, fail_fast)
    for failure in outcomes:
        if failure:
            yield failure


def _in_processes(
    plan: Plan,
    due: list[SequencePlan],
    workers: int,
    device: torch.device,
    threads: int,
    notify: Notify,
    fail_fast: bool,
) -> Iterator[Failure | None]:
    from multiprocessing import get_context
    from multiprocessing.managers import SyncManager

    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    tell_where_workers_compile()
    manager = SyncManager(ctx=get_context("fork"))  # one started afresh would import torch
    manager.start(_end_with_parent)
    with manager:
        events = manager.Queue()
        listener = threading.Thread(target=_forward, args=(events, notify), daemon=True)
        listener.start()
        try:
            with joblib.parallel_config("loky", inner_max_num_threads=1):
                yield from joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)(
                    joblib.delayed(_attempt_in_worker)(task, plan, place, threads, events.put, fail_fast)
                    for task, place in zip(due, cycle(_places(device)), strict=False)
                )
        except TerminatedWorkerError:
            raise UserError(
                "a worker process was killed, most likely for want of memory: run the same command again with fewer "
                "--workers; finished sequences are kept"
            ) from None
        finally:
            events.put(None)
            listener.join(timeout=5)


def _places(device: torch.device) -> list[torch.device]:
    """Where workers go in turn: on CUDA a GPU each."""
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    return [torch.device("cuda", index) for index in range(count)] or [device]


def _attempt_in_worker(
    task: SequencePlan, plan: Plan, device: torch.device, threads: int, notify: Notify, fail_fast: bool
) -> Failure | None:
    _end_with_parent()
    return _attempt(task, plan, device, threads, notify, fail_fast)


def _end_with_parent() -> None:
    """Ask Linux to end this process when its parent does: a killed run must not go on writing behind the next one."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _forward(events: "queue.Queue[Event | None]", notify: Notify) -> None:
    while (event := events.get()) is not None:
        notify(event)


def _attempt(
    task: SequencePlan, plan: Plan, device: torch.device, threads: int, notify: Notify, fail_fast: bool
) -> Failure | None:
    """The one place where a sequence may fail without ending the run."""
    staging = staging_path(plan.out, task.id)
    try:
        make_sequence(task, plan, staging, device, threads, notify)
        with publishing(plan.out):
            publish(plan.out, staging)
    except Exception as error:
        if not (staging / RECORD).exists():  # else it is complete, and the next run publishes it
            shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _OUT_OF_SPACE:
            raise UserError(
                f"--out {plan.out}: {error.strerror}; make room and run the same command again, "
                "finished sequences are kept"
            ) from None
        if fail_fast or isinstance(error, UserError):
            raise
        message = str(error) if isinstance(error, SequenceError) else f"{type(error).__name__}: {error}"
        notify(Event("failed", task.id, message))
        return Failure(task.id, f"{task.scan.info.path.name}: {message}", traceback.format_exc())
    notify(Event("made", task.id))
    return None


def _write_failures(out: Path, failures: list[Failure]) -> None:
    """Replace the folder `failed/` by what failed this time; there is none when all went well."""
    shutil.rmtree(out / "failed", ignore_errors=True)
    for number, failure in enumerate(failures, 1):
        (out / "failed").mkdir(exist_ok=True)
        content: dict[str, Any] = asdict(failure)
        short = failure.name.encode()[:_LONGEST].decode(errors="ignore")
        name = failure.name if short == failure.name else f"{short}-{number}"  # the whole is in it
        write_text(out / "failed" / f"{name}.json", json.dumps(content, indent=1) + "\n")
