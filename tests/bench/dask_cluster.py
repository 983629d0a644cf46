"""What Dask costs beside plain processes on one machine, and whether anything of it grows in a long run, as tables.

Clips are rendered into a temporary folder. The overhead is measured from a few sequences on, when all is imported and
compiled, in interleaved rounds; processor's seconds are those of all processes, scheduler and client among them.
`python -m tests.bench.dask_cluster [--part overhead|soak] [--sequences N] [--rounds N] [--size WxH]`
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
import torch

from lolblur_synth.config.loading import load_config
from lolblur_synth.config.run import Config
from lolblur_synth.core.events import Event
from lolblur_synth.run.execute import execute, places_for
from lolblur_synth.run.executors.base import Executor
from lolblur_synth.run.executors.dask.cluster import Cluster, parse_cluster
from lolblur_synth.run.executors.dask.executor import Dask
from lolblur_synth.run.executors.processes import Processes
from lolblur_synth.run.planning import plan_run
from tests.support.dask_clusters import cluster_in
from tests.support.footage import film

_WORKERS, _WARM = 2, 6  # sequences before the clocks start
_STEP = 30  # sequences from row to row of the soak
_TINY = "video.size=64x64", "denoise.backend=none", "interpolate.backend=linear", "interpolate.fps=250"


def _film(folder: Path, sequences: int, size: tuple[int, int]) -> None:
    for number in range(-(-sequences // 2)):  # two of a video
        film(folder / f"{number:04d}.mkv", seed=number, size=size)


def _settings(*more: str) -> Config:
    return load_config(overrides=["sequences.pairs=2", "sequences.min_pairs=2", "defocus.sigma=[0.3,1]", *more])


@dataclass
class Clock:
    """Listens to a run, and has a function called at each sequence that is made."""

    on_made: Callable[[int], None]
    made: int = field(default=0)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if event.kind == "made":
            self.made += 1
            self.on_made(self.made)


def _processor_seconds() -> float:
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def _cost(videos: Path, out: Path, sequences: int, size: str, executor: Executor) -> tuple[float, float]:
    """Seconds and processor's seconds of a sequence."""
    marks = []

    def mark(made: int) -> None:
        if made in (_WARM, sequences):
            marks.append((time.monotonic(), _processor_seconds()))

    execute(plan_run(videos, out, _settings(f"video.size={size}")), Clock(mark), executor)
    (began, before), (ended, after) = marks
    return (ended - began) / (sequences - _WARM), (after - before) / (sequences - _WARM)


def overhead(root: Path, sequences: int, rounds: int, size: str) -> None:
    """Print the cost of a sequence by both, and the ratio."""
    _film(root / "videos", sequences, (96, 128))
    makers: dict[str, Executor] = {
        "processes": Processes(_WORKERS, places_for(_WORKERS, sequences, torch.device("cpu"))),
        "Dask": Dask(parse_cluster("dask", _WORKERS)),
    }
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    for number in range(rounds):
        for name, executor in makers.items():
            costs[name].append(_cost(root / "videos", root / f"{name}{number}", sequences, size, executor))
            print(
                f"round {number + 1}, {name:<9}  {costs[name][-1][0]:.3f} s  {costs[name][-1][1]:.3f} CPU s", flush=True
            )
    for index, what in enumerate(("time", "processor's time")):
        ratios = [d[index] / p[index] for d, p in zip(costs["Dask"], costs["processes"], strict=True)]
        print(f"Dask / processes, {what}: {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})")


def soak(root: Path, sequences: int) -> None:
    """Print memory, file handles and rate while many tiny sequences are made on two workers."""
    _film(root / "videos", sequences, (64, 80))
    with cluster_in(root / "cluster", *(f"worker {number + 1}" for number in range(_WORKERS))) as cluster:
        pids = {name: process.pid for name, process in cluster.workers.items()}
        watched = {"run": psutil.Process(), "scheduler": psutil.Process(cluster.scheduler.pid)}
        watched |= {name: psutil.Process(pid) for name, pid in pids.items()}
        print("made  sequences/s" + "".join(f"  {name + ': MB, files':>22}" for name in watched), flush=True)
        last = time.monotonic()

        def row(made: int) -> None:
            nonlocal last
            if made % _STEP and made != sequences:
                return
            now = time.monotonic()
            parts = [(p.memory_info().rss / 1e6, p.num_fds()) for p in watched.values()]
            print(
                f"{made:4d}  {_STEP / (now - last):11.2f}" + "".join(f"  {m:15.1f} {f:6d}" for m, f in parts),
                flush=True,
            )
            last = now

        execute(plan_run(root / "videos", root / "out", _settings(*_TINY)), Clock(row), Dask(Cluster(cluster.address)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", choices=["overhead", "soak"], action="append")
    parser.add_argument("--sequences", type=int, help="24 for the overhead, 300 for the soak")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", default="128x96", help="of pictures, for the overhead; a sequence has two pairs")
    arguments = parser.parse_args()
    for part in arguments.part or ["overhead", "soak"]:
        with tempfile.TemporaryDirectory(prefix="dask-") as folder:
            if part == "overhead":
                overhead(Path(folder), arguments.sequences or 24, arguments.rounds, arguments.size)
            else:
                soak(Path(folder), arguments.sequences or 300)


if __name__ == "__main__":
    main()
