"""Carry out a plan: sequences by an executor, each made aside and published by rename; failures are collected."""

from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lolblur_synth.config.about import UNTOLD
from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import SequenceError, UserError, refused, setting
from lolblur_synth.core.events import Notify, ignore
from lolblur_synth.dataset.about import write_about
from lolblur_synth.dataset.layout import record_path
from lolblur_synth.dataset.locks import RUN, locked, publishing
from lolblur_synth.dataset.publish import check_present, recover, remove
from lolblur_synth.dataset.record_reader import each_record, read_record
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.run.build_sequence import Place
from lolblur_synth.run.executors.base import Executor, Job
from lolblur_synth.run.executors.processes import Processes
from lolblur_synth.run.executors.serial import Serial
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.made import all_made, seen
from lolblur_synth.run.plan import Plan
from lolblur_synth.run.reports import write_reports
from lolblur_synth.run.sharding import ShardNote, begin, remove_notes, write_note
from lolblur_synth.run.watching import Watch, watched


@dataclass(frozen=True)
class Outcome:
    """What a run did."""

    made: tuple[str, ...]
    kept: tuple[str, ...]
    failures: tuple[Failure, ...]


def execute(
    plan: Plan,
    notify: Notify = ignore,
    executor: Executor | None = None,
    *,
    fail_fast: bool = False,
) -> Outcome:
    """Run a plan: make what it says and the output lacks; raises `UserError` when it cannot go on at all.

    A shard is made beside others, and `merge` tells of the whole. Without an executor the plan's settings choose one.
    """
    device, shard = choose_device(plan.config.run.device), plan.shard
    if all(video.fault for video in plan.videos):
        faults = (f"{video.name}: {video.fault}" for video in plan.faults)
        raise UserError(f"none of the {len(plan.faults)} videos can be used:", *faults)
    with locked(plan.out, shard.name if shard else RUN) as lease:
        note = begin(plan, shard) if shard else None
        recover(plan.out, frozenset(task.id for task in plan.sequences) if shard else None)
        done = all_made(each_record(plan.out))
        if not shard and seen(done) != plan.seen:
            raise UserError(
                "another run has changed it meanwhile",
                where=f"{setting('out')} {plan.out}",
                advice="run the same command again",
            )
        due = [s for s in plan.sequences if s.id not in done or done[s.id].fingerprint != s.fingerprint]
        _write_settings(plan, note)
        failures = [Failure(video.name, video.fault or "", kind="video") for video in plan.faults]
        executor = executor or choose_executor(plan.config.run.workers, len(due), device)
        bare = replace(plan, videos=(), stale=(), seen=frozenset())  # no task carries the rest
        with watched(Watch(plan, due, done), notify) as tell:
            try:
                with closing(executor(Job(bare, tell, fail_fast, lease), due)) as outcomes:
                    for failure in filter(None, outcomes):
                        failures.append(failure)
                if not shard:
                    recover(plan.out)  # what workers that have died left, and others made
                for name in plan.stale:
                    if (path := record_path(plan.out, name)).exists():  # else another has taken its place
                        remove(plan.out, read_record(path, name))
            except BaseException:
                with suppress(OSError, UserError, SequenceError):  # the first error is the one to tell
                    _write_outcome(plan.out, failures, note, ended=False)
                raise
            _write_outcome(plan.out, failures, note, ended=True)
    names, tried = {failure.name for failure in failures if failure.kind == "sequence"}, {s.id for s in due}
    made = tuple(s.id for s in due if s.id not in names)
    return Outcome(made, tuple(s.id for s in plan.sequences if s.id not in tried), tuple(failures))


def _write_settings(plan: Plan, note: ShardNote | None) -> None:
    """Write what makes the folder a dataset, and what a shard is to make of it."""
    advice = "make room and run the same command again"
    with refused(f"{setting('out')} {plan.out}", "the settings cannot be written", advice):
        with publishing(plan.out, "settings"):
            write_settings(plan.out, plan.config)
            if plan.config.about != UNTOLD:  # else it stays as it was told before
                write_about(plan.out, plan.config.about)
        if note:
            write_note(plan.out, note)


def _write_outcome(out: Path, failures: list[Failure], note: ShardNote | None, *, ended: bool) -> None:
    """Tell of the whole dataset, or, for a shard, leave a note to those that will."""
    if note is None:
        write_reports(out, failures)
        remove_notes(out)  # of shards that this run has finished
        return
    check_present(out)
    with refused(f"{setting('out')} {out}", "the note of the shard cannot be written", "make room and run it again"):
        write_note(out, replace(note, failures=failures, ended=ended))


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
