"""The `status` command: how far the runs of a dataset are, by their progress; where there is none, by its records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from lolblur_synth.core.disk_clock import disk_time
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import SETTINGS, SPLITS, Split, staged
from lolblur_synth.dataset.progress import HEARTBEAT, Counts, Progress, find_progress, read_progress
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.run.failures import read_failures

_SILENT = 6 * HEARTBEAT  # seconds after which a run is not taken for running any more
_LOOK, _LONGEST_LOOK = 0.25, 3 * HEARTBEAT  # seconds


@dataclass(frozen=True)
class RunStatus:
    """What a run has told of itself, and how long ago by the clock of the file system."""

    file: str
    progress: Progress
    age: float | None  # seconds since a running one has written, at least; None: it has ended
    silent: bool  # it says that it is running, and was not heard of for too long


@dataclass(frozen=True)
class Whole:
    """The parts of a dataset that runs make at the same time, added up."""

    planned: Counts
    kept: Counts
    made: Counts
    failed: Counts
    bytes_written: int
    peak_memory: int  # bytes, of the largest worker
    pairs_per_hour: float | None  # of those that are running
    seconds_to_go: float | None  # until the last of them ends


@dataclass(frozen=True)
class Recorded:
    """What records tell of a dataset whose runs have told nothing."""

    splits: dict[Split, Counts]
    failed: int  # sequences and videos of the last run
    staged: int  # sequences that are not published


@dataclass(frozen=True)
class Status:
    """How far a dataset is."""

    runs: tuple[RunStatus, ...]
    whole: Whole | None
    recorded: Recorded | None  # where no run has told anything
    faults: tuple[str, ...]  # files of progress that cannot be read, a line each


def status(root: Path) -> Status:
    """How far the runs of a dataset are; raises `UserError` for a folder that is none, or whose records are damaged.

    Of runs that have parts with names, and one of the whole, the side that was written last counts.
    """
    if not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    told, faults = dict[Path, Progress](), list[str]()
    for path in _latest(find_progress(root)):
        try:
            told[path] = read_progress(path)
        except UserError as error:
            faults.append(str(error))
    ages, exact = _ages(root, [path for path, progress in told.items() if progress.state == "running"])
    silent = {path for path, age in ages.items() if age > (_SILENT if exact else HEARTBEAT)}
    runs = tuple(RunStatus(path.name, progress, ages.get(path), path in silent) for path, progress in told.items())
    recorded = None if runs or faults else _recorded(root)
    return Status(runs, _added_up(runs) if runs else None, recorded, tuple(faults))


def _latest(paths: Sequence[Path]) -> list[Path]:
    """The file of the whole, or those of parts: one of them is from a run of before."""
    times = {path: path.lstat().st_mtime_ns for path in paths}
    named = [path for path in paths if path.stem != "progress"]
    alone = [path for path in paths if path not in named]
    return max(named, alone, key=lambda group: max((times[path] for path in group), default=0))


def _times(paths: Iterable[Path]) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in paths}


def _ages(root: Path, running: Sequence[Path]) -> tuple[dict[Path, float], bool]:
    """How long ago running runs have written, and whether that is by the clock of the file system.

    Where nothing can be written, they are looked at until all have written, or should have: else the age is how long
    that took. The clock of this host is of no use, as it may be ahead of theirs or behind.
    """
    now = disk_time(root)
    times = _times(running)
    if now is not None:
        return {path: max(0.0, now - time) for path, time in times.items()}, True
    ages = dict.fromkeys(running, 0.0)
    began, silent = monotonic(), set(running)
    while silent and (waited := monotonic() - began) < _LONGEST_LOOK:
        sleep(_LOOK)
        silent -= {path for path, time in _times(silent).items() if time != times[path]}
        ages |= dict.fromkeys(silent, waited)
    return {path: age if path in silent else 0.0 for path, age in ages.items()}, False


def _added_up(runs: Sequence[RunStatus]) -> Whole:
    told = [run.progress for run in runs]
    going = [run.progress for run in runs if run.progress.state == "running" and not run.silent]
    rates = [progress.pairs_per_hour for progress in going if progress.pairs_per_hour is not None]
    left = [progress.seconds_to_go for progress in going]
    return Whole(
        planned=sum((each.planned for each in told), Counts()),
        kept=sum((each.kept for each in told), Counts()),
        made=sum((each.made for each in told), Counts()),
        failed=sum((each.failed for each in told), Counts()),
        bytes_written=sum(each.bytes_written for each in told),
        peak_memory=max(each.peak_memory for each in told),
        pairs_per_hour=sum(rates) if rates else None,
        seconds_to_go=max((each for each in left if each is not None), default=None) if None not in left else None,
    )


def _recorded(root: Path) -> Recorded:
    splits: dict[Split, Counts] = dict.fromkeys(SPLITS, Counts())
    for record in read_records(root).values():
        splits[record.split] += Counts(sequences=1, pairs=len(record.pairs))
    return Recorded(splits, len(read_failures(root)[0]), len(staged(root)))
