"""Carry out a plan: sequences on one or more workers, each made aside, published by rename, failures collected."""

import ctypes
import errno
import json
import os
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Literal

import torch

from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import SequenceError, UserError, refused, setting, shown
from lolblur_synth.core.events import Event, Notify, gathered, ignore
from lolblur_synth.core.files import write_text
from lolblur_synth.core.signals import held
from lolblur_synth.dataset import card
from lolblur_synth.dataset.layout import RECORD, staging_path
from lolblur_synth.dataset.locks import locked, publishing
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.publish import check_present, publish, recover, remove
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.kernels.jit_cache import tell_where_workers_compile
from lolblur_synth.run.build_sequence import make_sequence
from lolblur_synth.run.plan import Plan, SequencePlan

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LONGEST = 200  # bytes of a name, to which more is added; file systems take 255
_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


@dataclass(frozen=True)
class Failure:
    """A video or sequence that was not made."""

    name: str
    message: str
    detail: str = ""
    kind: Literal["video", "sequence"] = "sequence"


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
        faults = (f"{video.name}: {video.fault}" for video in plan.faults)
        raise UserError(f"none of the {len(plan.faults)} videos can be used:", *faults)
    with locked(plan.out):
        recover(plan.out)
        done = read_records(plan.out)
        if frozenset((record.id, record.fingerprint) for record in done.values()) != plan.seen:
            raise UserError(
                "another run has changed it meanwhile",
                where=f"{setting('out')} {plan.out}",
                advice="run the same command again",
            )
        due = [s for s in plan.sequences if s.id not in done or done[s.id].fingerprint != s.fingerprint]
        with refused(
            f"{setting('out')} {plan.out}", "the settings cannot be written", "make room and run the same command again"
        ):
            write_settings(plan.out, plan.config)
        failures = [Failure(video.name, video.fault or "", kind="video") for video in plan.faults]
        try:
            with closing(_work(plan, due, device, notify, fail_fast)) as failed:
                for failure in failed:
                    failures.append(failure)
            for record in plan.stale:
                remove(plan.out, record)
        except BaseException:
            with suppress(OSError, UserError, SequenceError):  # the first error is the one to tell
                _describe(plan.out, failures)
            raise
        _describe(plan.out, failures)
    names, tried = {failure.name for failure in failures if failure.kind == "sequence"}, {s.id for s in due}
    made = tuple(s.id for s in due if s.id not in names)
    return Outcome(made, tuple(s.id for s in plan.sequences if s.id not in tried), tuple(failures))


def _describe(out: Path, failures: list[Failure]) -> None:
    """Write what follows from the records: failures, manifest and card."""
    check_present(out)
    advice = "the sequences are kept; make room and run the same command again"
    with refused(f"{setting('out')} {out}", "the manifest and the card cannot be written", advice):
        _write_failures(out, failures)
        records = read_records(out)
        write_manifest(out, records)
        try:
            card.write(out, records)
        except SequenceError as error:  # a picture that was made before
            raise UserError(
                error, advice=f"`lolblur-synth verify {out}` tells all that is damaged, and what to do"
            ) from None


def _work(
    plan: Plan, due: list[SequencePlan], device: torch.device, notify: Notify, fail_fast: bool
) -> Generator[Failure]:
    """Make sequences and yield the failures as they happen."""
    workers = min(plan.config.run.workers, len(due))
    if device.type == "cuda" and workers > torch.cuda.device_count():
        raise UserError(
            f"on CUDA one worker per GPU, and there are {torch.cuda.device_count()}",
            where=f"{setting('run.workers')} {workers}",
        )
    threads = threads_for(workers, device)
    plan = replace(plan, videos=(), stale=(), seen=frozenset())  # what every task would carry along
    if workers <= 1:
        outcomes = (_attempt(task, plan, device, threads, notify, fail_fast) for task in due)
    else:
        outcomes = _in_processes(plan, due, workers, device, threads, notify, fail_fast)
    with closing(outcomes):
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
) -> Generator[Failure | None]:
    import joblib
    from joblib.externals.loky.backend import resource_tracker
    from joblib.externals.loky.process_executor import BrokenProcessPool

    tell_where_workers_compile()
    with (
        gathered(notify) as send,
        joblib.parallel_config("loky", inner_max_num_threads=1),
        warnings.catch_warnings(),
    ):
        # joblib takes workers whose memory has grown by 300 MB for leaking, and starts others. It warns in
        # its own thread; where warnings are errors that thread ends, and nobody is left to take results.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
        tasks = (
            joblib.delayed(_attempt_in_worker)(os.getpid(), task, plan, place, threads, send, fail_fast)
            for task, place in zip(due, cycle(_places(device)), strict=False)
        )
        resource_tracker.ensure_running()  # which in older versions unblocks signals when it starts
        with held():
            outcomes = joblib.Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)(tasks)
        try:
            yield from outcomes
        except BrokenProcessPool:
            raise UserError(
                (
                    "a worker process was killed, most likely for want of memory: run the same command again "
                    f"with fewer {setting('run.workers')}"
                ),
                advice="finished sequences are kept",
            ) from None
        finally:
            with warnings.catch_warnings(action="ignore"):  # that sequences are given up is why it is closed
                outcomes.close()


def _places(device: torch.device) -> list[torch.device]:
    """Where workers go in turn: on CUDA a GPU each."""
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    return [torch.device("cuda", index) for index in range(count)] or [device]


def _attempt_in_worker(
    parent: int,
    task: SequencePlan,
    plan: Plan,
    device: torch.device,
    threads: int,
    notify: Notify,
    fail_fast: bool,
) -> Failure | None:
    _end_with(parent)
    return _attempt(task, plan, device, threads, notify, fail_fast)


def _end_with(parent: int) -> None:
    """Ask Linux to end this process when its parent does: a killed run must not go on writing behind the next one."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


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
        check_present(plan.out)
        if not (staging / RECORD).exists():  # else it is complete, and the next run publishes it
            shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in _OUT_OF_SPACE:
            raise UserError(
                error.strerror,
                where=f"{setting('out')} {plan.out}",
                advice="make room and run the same command again, finished sequences are kept",
            ) from None
        if fail_fast or isinstance(error, UserError):
            raise
        message = error.told(setting) if isinstance(error, SequenceError) else f"{type(error).__name__}: {error}"
        notify(Event("failed", task.id, message))
        return Failure(task.id, f"{task.name}: {message}", traceback.format_exc())
    notify(Event("made", task.id))
    return None


def _write_failures(out: Path, failures: list[Failure]) -> None:
    """Replace the folder `failed/` by what failed this time; there is none when all went well."""
    folder = out / "failed"
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    for number, failure in enumerate(sorted(failures, key=lambda failure: failure.kind), 1):  # sequences first
        folder.mkdir(exist_ok=True)
        content = {key: shown(value) if key in ("name", "message") else value for key, value in asdict(failure).items()}
        whole = shown(failure.name)
        name = whole.replace("/", "_").encode()[:_LONGEST].decode(errors="ignore")
        if name != whole or (folder / f"{name}.json").exists():  # as a video that is named like a sequence
            name = f"{name}-{number}"
        write_text(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
