"""Carry out a plan: sequences by an executor, each made aside and published by rename; failures are collected."""

from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lolblur_synth.config.about import UNTOLD
from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import SequenceError, UserError, refused, setting
from lolblur_synth.core.events import Notify, ignore
from lolblur_synth.dataset import card
from lolblur_synth.dataset.about import read_about, write_about
from lolblur_synth.dataset.croissant import write_croissant
from lolblur_synth.dataset.hugging_face import write_metadata
from lolblur_synth.dataset.locks import locked
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.publish import check_present, recover, remove
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.run.build_sequence import Place
from lolblur_synth.run.executors.base import Executor, Job
from lolblur_synth.run.executors.processes import Processes
from lolblur_synth.run.executors.serial import Serial
from lolblur_synth.run.failures import Failure, write_failures
from lolblur_synth.run.plan import Plan


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failures: tuple[Failure, ...]


def execute(
    plan: Plan, notify: Notify = ignore, executor: Executor | None = None, *, fail_fast: bool = False
) -> Outcome:
    """Run a plan: make what it says and the output lacks; raises `UserError` when it cannot go on at all.

    Without an executor the plan's settings choose one.
    """
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
            if plan.config.about != UNTOLD:  # else it stays as it was told before
                write_about(plan.out, plan.config.about)
        failures = [Failure(video.name, video.fault or "", kind="video") for video in plan.faults]
        executor = executor or choose_executor(plan.config.run.workers, len(due), device)
        job = Job(replace(plan, videos=(), stale=(), seen=frozenset()), notify, fail_fast)  # no task carries the rest
        try:
            with closing(executor(job, due)) as outcomes:
                for failure in filter(None, outcomes):
                    failures.append(failure)
            for record in plan.stale:
                remove(plan.out, record)
        except BaseException:
            with suppress(OSError, UserError, SequenceError):  # the first error is the one to tell
                _write_reports(plan.out, failures)
            raise
        _write_reports(plan.out, failures)
    names, tried = {failure.name for failure in failures if failure.kind == "sequence"}, {s.id for s in due}
    made = tuple(s.id for s in due if s.id not in names)
    return Outcome(made, tuple(s.id for s in plan.sequences if s.id not in tried), tuple(failures))


def choose_executor(workers: int, tasks: int, device: torch.device) -> Executor:
    """One process, or workers that share the cores, no more than there are tasks; on CUDA a GPU for each."""
    gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    if gpus and workers > gpus:
        raise UserError(
            f"on CUDA one worker per GPU, and there are {gpus}",
            where=f"{setting('run.workers')} {workers}",
            advice="ask for as many or fewer",
        )
    places = places_for(workers, tasks, device)
    return Serial(places[0]) if min(workers, tasks) <= 1 else Processes(min(workers, tasks), places)


def places_for(workers: int, tasks: int, device: torch.device) -> list[Place]:
    """Where workers compute: on CUDA a GPU each in turn; on a processor its cores are shared."""
    gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    threads = threads_for(max(1, min(workers, tasks)), device)
    devices = [torch.device("cuda", index) for index in range(gpus)] or [device]
    return [Place(each, threads) for each in devices]


def _write_reports(out: Path, failures: list[Failure]) -> None:
    """Write what follows from the records: failures, manifest, metadata, card, and croissant.json."""
    check_present(out)
    advice = "the sequences are kept; make room and run the same command again"
    with refused(f"{setting('out')} {out}", "the manifest and the card cannot be written", advice):
        write_failures(out, failures)
        records = read_records(out)
        write_manifest(out, records)
        write_metadata(out, records)
        about = read_about(out)
        try:
            card.write(out, records, about)
        except SequenceError as error:  # a picture that was made before
            advice = f"`lolblur-synth verify {out}` tells all that is damaged, and what to do"
            raise UserError(error, advice=advice) from None
        write_croissant(out, records, about)
