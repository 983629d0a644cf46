"""Carry out a plan: sequences on one or more workers, each made aside, published by rename, failures collected."""

import errno
import fcntl
import json
import os
import queue
import shutil
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lolblur_synth import card
from lolblur_synth.config import Config, to_yaml
from lolblur_synth.devices import choose_device
from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.events import Event, Notify, ignore
from lolblur_synth.maker import make_sequence
from lolblur_synth.plan import Plan, SequencePlan
from lolblur_synth.records import (
    SETTINGS,
    publish,
    read_records,
    recover,
    remove,
    staging_path,
    write_manifest,
    write_text,
)

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
    with _locked(plan.out):
        recover(plan.out)
        done = read_records(plan.out)
        due = [s for s in plan.sequences if s.id not in done or done[s.id].fingerprint != s.fingerprint]
        write_text(plan.out / SETTINGS, _settings(plan.config))
        failures = [Failure(video.path.name, video.fault or "") for video in plan.faults]
        for failure in _work(plan, due, device, notify, fail_fast):
            failures.append(failure)
        _write_failures(plan.out, failures)
        for record in plan.stale if not failures else ():  # what could not be replaced stays
            remove(plan.out, record)
        records = read_records(plan.out)
        write_manifest(plan.out, records)
        card.write(plan.out, records)
    failed = {failure.name for failure in failures}
    made = tuple(s.id for s in due if s.id not in failed)
    return Outcome(made, tuple(s.id for s in plan.sequences if s not in due), tuple(failures))


def _settings(config: Config) -> str:
    return to_yaml(config, exclude={"run"})


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the output folder for one run at a time; the lock goes with the process, however it ends."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / ".lock").open("w")
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}; name a folder that can") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"--out {out}: another run is writing there; wait for it or name another folder") from None
        yield


def _work(
    plan: Plan, due: list[SequencePlan], device: torch.device, notify: Notify, fail_fast: bool
) -> Iterator[Failure]:
    """Make sequences and yield the failures as they happen."""
    workers = min(plan.config.run.workers, len(due))
    threads = threads_for(workers, device)
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
    import multiprocessing

    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with multiprocessing.Manager() as manager:
        events = manager.Queue()
        listener = threading.Thread(target=_forward, args=(events, notify), daemon=True)
        listener.start()
        try:
            with joblib.parallel_config("loky", inner_max_num_threads=1):
                yield from joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)(
                    joblib.delayed(_attempt)(task, plan, device, threads, events.put, fail_fast) for task in due
                )
        except TerminatedWorkerError:
            raise UserError(
                "a worker process was killed, most likely for want of memory: run the same command again with fewer "
                "--workers; finished sequences are kept"
            ) from None
        finally:
            events.put(None)
            listener.join(timeout=5)


def threads_for(workers: int, device: torch.device) -> int:
    """Threads of each worker, so that all together are as many as the cores; on CUDA the device does the work."""
    return 1 if device.type == "cuda" else max(1, (os.cpu_count() or 1) // max(1, workers))


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
        publish(plan.out, staging)
    except Exception as error:
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
    for failure in failures:
        (out / "failed").mkdir(exist_ok=True)
        content: dict[str, Any] = asdict(failure)
        write_text(out / "failed" / f"{failure.name}.json", json.dumps(content, indent=1) + "\n")
