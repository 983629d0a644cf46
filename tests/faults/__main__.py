"""`python -m tests.faults [SHARE]`: inject faults by thousands and print a table; exit 1 unless all is well."""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.faults.kills import Kinds, Trial, Undisturbed
from tests.faults.worlds import Verdict, film_all

_COLUMNS = "kind", "tried", "struck", "lost", "differing", "tracebacks", "outside", "other ends"
_TOLD = 8  # of the trials of a kind that went wrong
_IMPORTED = (
    "apps.darken", "apps.demo", "apps.denoise", "apps.doctor", "apps.evaluate", "apps.export_onnx", "apps.interpolate",
    "apps.restore", "cli.main", "cli.progress", "cli.tables", "nets.weights.fetch", "run.denoised_cache",
    "run.executors.dask.executor", "run.merging", "run.planning", "run.execute",
    "train.ecdce.train", "train.restoration.train",
)  # fmt: skip
SEED = 16


def main() -> int:
    """Try all kinds."""
    share = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    chosen = sys.argv[2:]
    began, rows, wrong = time.monotonic(), [_COLUMNS], False
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, _one_thread():
        root = Path(folder)
        _import_all()
        film_all(root / "videos")
        normal = Undisturbed(root / "normal", root / "videos")
        for kind, trials in _kinds(normal, share):
            if chosen and not any(word in kind for word in chosen):
                continue
            verdicts = _tried(trials, root)
            rows.append((kind, *map(str, _summed(verdicts))))
            wrong |= any(verdict.wrong for verdict in verdicts) or not any(verdict.struck for verdict in verdicts)
            print(f"{time.monotonic() - began:5.0f} s  {'  '.join(rows[-1])}", flush=True)
            for number, verdict in [(n, v) for n, v in enumerate(verdicts) if v.wrong][:_TOLD]:
                print(f"        trial {number}: {verdict.told}", flush=True)
    print()
    for row in rows:
        print(f"{row[0]:<50}" + "".join(f"{cell:>11}" for cell in row[1:]))
    print(f"\n{'NOT well' if wrong else 'all is well'}: {time.monotonic() - began:.0f} s")
    return int(wrong)


def _summed(verdicts: list[Verdict]) -> list[int]:
    numbers = ([v.struck, v.lost, v.differing, v.tracebacks, v.outside, v.ends] for v in verdicts)
    return [len(verdicts), *map(sum, zip(*numbers, strict=True))]


def _kinds(normal: Undisturbed, share: float) -> Kinds:
    from tests.faults import clusters, commands, hostile, kills, mutants

    yield from kills.kinds(normal, Random(SEED), share)
    yield from commands.kinds(normal, Random(SEED), share)
    yield from clusters.kinds(normal, Random(SEED), share)
    yield from mutants.kinds(normal, Random(SEED), share)
    yield from hostile.kinds(normal, Random(SEED), share)


def _tried(trials: list[Trial], root: Path) -> list[Verdict]:
    """Try some at the same time, in processes that only fork; results in order."""
    workers = min(len(os.sched_getaffinity(0) | _CORES), len(trials))
    context = multiprocessing.get_context("fork")
    pipes = []
    for worker in range(workers):
        ours, theirs = context.Pipe(duplex=False)
        numbers = range(worker, len(trials), workers)
        process = context.Process(target=_work, args=(trials, numbers, root, theirs))
        process.start()
        theirs.close()
        pipes.append((numbers, ours, process))
    verdicts: dict[int, Verdict] = {}
    for numbers, ours, process in pipes:
        verdicts.update(zip(numbers, ours.recv(), strict=True))
        process.join()
    return [verdicts[number] for number in range(len(trials))]


def _work(trials: list[Trial], numbers: range, root: Path, told: "multiprocessing.connection.Connection") -> None:
    verdicts = []
    for number in numbers:
        place = root / f"trial{number}"
        verdicts.append(trials[number](place))
        shutil.rmtree(place, ignore_errors=True)
    told.send(verdicts)


_CORES = os.sched_getaffinity(0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """A process that forks may have no threads: libraries make theirs when they first compute on several cores."""
    os.sched_setaffinity(0, {min(_CORES)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, _CORES)


def _import_all() -> None:
    import importlib

    import cv2
    import joblib  # noqa: F401
    import torch

    for name in _IMPORTED:
        importlib.import_module(f"lolblur_synth.{name}")
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


if __name__ == "__main__":
    sys.exit(main())
