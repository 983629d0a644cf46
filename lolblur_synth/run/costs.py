"""Costs of a dataset on paper: what a few real sequences of its footage took, and the line through them.

A sequence of n pairs takes `fixed + each n`: opening, weights and the frames before its first window once, the rest
with each pair. Both follow from sequences made twice, short and longer, in a worker process of their own.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.memory import peak_memory
from lolblur_synth.kernels.jit_cache import tell_where_workers_compile
from lolblur_synth.run.aside import Sample, make_sample, until_compiled
from lolblur_synth.run.build_sequence import Place
from lolblur_synth.run.plan import Plan, SequencePlan
from lolblur_synth.video.at_hand import at_hand
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.scan import scan

_SHORT, _LONG = 1, 5  # pairs of a sequence that is made twice


@dataclass(frozen=True)
class Line:
    """What a sequence takes: a fixed part, and one for each pair."""

    fixed: float
    each: float

    def of(self, sequences: float, pairs: float) -> float:
        """What so many sequences of so many pairs in all take."""
        return self.fixed * sequences + self.each * pairs


@dataclass(frozen=True)
class Costs:
    """What footage costs, as it was measured on this machine; seconds are of one core."""

    device: str
    threads: int  # of the worker that was measured
    videos: int
    sequences: int  # that all of the footage gives
    pairs: int
    footage_seconds: float  # by the clock of its camera
    source_bytes: int  # of the files
    scan: float  # seconds, to look through all of the footage once
    startup: float  # seconds, of each process before its first sequence
    work: Line  # seconds, of a sequence
    read: Line  # bytes of the footage, of a sequence
    busy: float  # share of its threads that a worker keeps at work, (0, 1]; a machine that others use makes it less
    memory: int  # bytes, peak of a worker
    picture_bytes: float  # of a pair
    text_bytes: float  # of a pair: its part of records, and of what is written of them


@dataclass(frozen=True)
class Machine:
    """A machine, or several that share the work."""

    cores: int
    memory: int  # bytes
    gpus: int = 0


@dataclass(frozen=True)
class Needs:
    """What so many pairs need on a machine."""

    pairs: int
    sequences: int
    footage: float  # times what there is
    core_hours: float
    workers: int
    hours: float
    cores_for_a_day: int  # cores like these that are done in 24 hours
    memory: int  # bytes, of all workers
    disk: float  # bytes
    read: float  # bytes of footage, scan included
    gpus: int  # that are at work; 0: it was measured on processors

    @property
    def bytes_per_second(self) -> float:
        """What goes over a network where footage and dataset lie elsewhere, on average."""
        return (self.read + self.disk) / (3600 * self.hours)


def needs(costs: Costs, pairs: int, machine: Machine) -> Needs:
    """What so many pairs of such footage need; raises `UserError` for a machine that cannot hold a worker."""
    footage = pairs / costs.pairs
    sequences = costs.sequences * footage
    if machine.memory < costs.memory:
        raise UserError(
            f"a worker takes {costs.memory / 2**30:.1f} GB",
            where=f"{setting('machine')} memory={machine.memory / 2**30:g}",
            advice="take a larger machine or smaller pictures",
        )
    wanted = machine.gpus if costs.device == "cuda" else max(1, machine.cores // costs.threads)
    workers = max(1, min(wanted, machine.memory // costs.memory, round(sequences) or 1))
    spent = costs.scan * footage + costs.startup * (workers + 1) + costs.work.of(sequences, pairs)
    at_work = min(machine.cores, workers * costs.threads) * costs.busy
    return Needs(
        pairs=pairs,
        sequences=round(sequences),
        footage=footage,
        core_hours=spent / 3600,
        workers=workers,
        hours=spent / at_work / 3600,
        cores_for_a_day=-int(-spent // (86400 * costs.busy)),
        memory=workers * costs.memory,
        disk=pairs * (costs.picture_bytes + costs.text_bytes),
        read=costs.source_bytes * footage + costs.read.of(sequences, pairs),
        gpus=workers if costs.device == "cuda" else 0,
    )


def measure_costs(plan: Plan, place: Place, samples: int = 2) -> Costs:
    """Make a few sequences of a plan aside, in a process of its own, and tell what all of it costs.

    They are of videos apart from one another in the plan. Raises `UserError` where nothing is to be made, or nothing
    could be.
    """
    from joblib.externals.loky import ProcessPoolExecutor

    tasks = _chosen(plan.sequences, samples)
    if not tasks:
        raise UserError("none of the videos can be used", advice=f"{setting('dry_run')} of a run tells why")
    scans = [video.scan for video in plan.videos if video.sequences and video.scan]
    shortest = min(scans, key=_pixels)
    tell_where_workers_compile()
    with ProcessPoolExecutor(max_workers=1) as worker:
        startup, short, long, memory = worker.submit(_measure, tasks, plan, place).result()
        scanned = worker.submit(_look_through, shortest).result()
    pixels = sum(map(_pixels, scans))
    pairs = sum(len(task.recipe.slots) for task in plan.sequences)
    made = [*short, *long]
    return Costs(
        device=place.device.type,
        threads=place.threads,
        videos=len(scans),
        sequences=len(plan.sequences),
        pairs=pairs,
        footage_seconds=sum(float(each.frames / each.info.capture_fps) for each in scans),
        source_bytes=sum(map(_size, scans)),
        scan=scanned * pixels / _pixels(shortest),
        startup=startup,
        work=_line([(one.pairs, one.spent) for one in short], [(one.pairs, one.spent) for one in long]),
        read=_line([(one.pairs, one.read) for one in short], [(one.pairs, one.read) for one in long]),
        busy=min(1.0, sum(one.spent for one in made) / (place.threads * sum(one.wall for one in made))),
        memory=memory,
        picture_bytes=sum(one.pictures for one in made) / sum(one.pairs for one in made),
        text_bytes=sum(one.text for one in long) / sum(one.pairs for one in long),
    )


def _chosen(tasks: Sequence[SequencePlan], count: int) -> list[SequencePlan]:
    """Some sequences, evenly from all."""
    count = min(count, len(tasks))
    return [tasks[(2 * at + 1) * len(tasks) // (2 * count)] for at in range(count)]


def _size(found: VideoScan) -> int:
    path = found.info.path
    if found.remote:
        return sum(file.size for file in found.remote.files)
    files = path.iterdir() if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _pixels(found: VideoScan) -> int:
    return found.frames * found.info.width * found.info.height


def _measure(tasks: Sequence[SequencePlan], plan: Plan, place: Place) -> tuple[float, list[Sample], list[Sample], int]:
    """In the worker: seconds before its first sequence, what short and longer ones took, and its peak memory."""
    bare = replace(plan, videos=(), stale=(), seen=frozenset())
    imported = time.process_time()
    first, *_ = list(until_compiled(tasks[0], _SHORT, bare, place))
    short, long = ([make_sample(task, pairs, bare, place) for task in tasks] for pairs in (_SHORT, _LONG))
    return imported + max(0.0, first.spent - short[0].spent), short, long, peak_memory()


def _look_through(found: VideoScan) -> float:
    """In the worker: seconds of one core to look through a video."""
    with at_hand(found) as here:
        before = time.process_time()
        scan(here.info)
        return time.process_time() - before


def _line(short: Sequence[tuple[int, float]], long: Sequence[tuple[int, float]]) -> Line:
    """The line through two lengths of the same sequences, each as pairs and what they took."""
    (few, little), (many, much) = ([sum(column) for column in zip(*rows, strict=True)] for rows in (short, long))
    if many == few:  # sequences of one pair
        return Line(0.0, little / few)
    each = max(0.0, (much - little) / (many - few))
    return Line(max(0.0, little - each * few) / len(short), each)
