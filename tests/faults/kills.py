"""Processes that end when nobody expects it, and disks that refuse: the next run has to make up for it."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

from tests.faults.changes import REFUSALS, counted, killed_before, limited, refused_from
from tests.faults.forks import Ended, Running, command, start
from tests.faults.worlds import SETTINGS, Verdict, World, judge, make_world

Trial = Callable[[Path], Verdict]
Kinds = Iterator[tuple[str, list[Trial]]]
_KILLED = -int(signal.SIGKILL)
_SOON = 0.02  # seconds, or a share: half of it is as good as at once


class Undisturbed:
    """What a run makes, and takes, when nothing happens to it."""

    def __init__(self, root: Path, videos: Path) -> None:
        self.videos = videos
        world = make_world(root, videos)
        began = time.monotonic()
        ended = start(root / "log", _run(world), counted(world.out, root / "count")).wait()
        assert ended.code == 0, ended.err
        self.seconds = time.monotonic() - began
        self.changes = int((root / "count").read_text())
        self.dataset, self.made = world.out, world.made()

    def broken_and_resumed(self, root: Path, break_it: Callable[[World], list[tuple[Ended, set[int]]]]) -> Verdict:
        """Do something to a run, run again, and look."""
        world = make_world(root, self.videos, self.dataset)
        before = world.outside()
        ends = break_it(world)
        struck = any(ended.code != 0 for ended, _ in ends)
        ends.append((world.run().wait(), {0}))
        return judge(ends, before, world.outside(), self.made, world.made(), struck)


def _run(world: World, *more: str) -> Callable[[], int]:
    return command("run", "--videos", world.videos, "--out", world.out, *SETTINGS, *more)


def kinds(normal: Undisturbed, rng: Random, share: float) -> Kinds:
    """All of them, each with its trials; `share` of those that `make faults` takes."""

    def some(count: int) -> int:
        return max(1, round(count * share))

    points = _spread(normal.changes, some(60))
    yield "killed before a change of the file system", [_prepared(normal, n, killed_before, {_KILLED}) for n in points]
    moments = [rng.uniform(0, normal.seconds) for _ in range(some(24))]
    yield (
        "killed at a random time",
        [until_it_strikes(partial(_signalled, normal, signal.SIGKILL, 1), at) for at in moments],
    )
    yield (
        "refused from a change on: full, read-only, broken",
        [
            _refused(normal, number, REFUSALS[index % len(REFUSALS)])
            for index, number in enumerate(_spread(normal.changes, some(30)))
        ],
    )
    sizes = [int(2 ** rng.uniform(0, 16)) for _ in range(some(12))]
    yield "no file larger than some size", [_limited(normal, size) for size in sizes]
    yield (
        "Ctrl-C, SIGTERM, SIGHUP, once or thrice",
        [
            until_it_strikes(partial(_signalled, normal, number, times), rng.uniform(0, normal.seconds))
            for _ in range(some(4))
            for number, times in ((signal.SIGINT, 1), (signal.SIGINT, 3), (signal.SIGTERM, 1), (signal.SIGHUP, 2))
        ],
    )
    moments = [rng.uniform(0, normal.seconds) for _ in range(some(8))]
    yield "two runs at once", [until_it_strikes(partial(_twice, normal), at) for at in moments]
    moments = [rng.uniform(0, 0.5 * normal.seconds) for _ in range(some(12))]
    yield (
        "two shards at once, one killed",
        [until_it_strikes(lambda at: _sharded(normal, _killed_at(at)), at) for at in moments],
    )
    refusals = enumerate(_spread(normal.changes, some(12)))
    yield (
        "two shards at once, the disk of one refuses",
        [_sharded(normal, _refused_at(number, REFUSALS[index % len(REFUSALS)])) for index, number in refusals],
    )


def until_it_strikes(trial: Callable[[float], Trial], moment: float) -> Trial:
    """A trial of what happens at a moment: again at half of it, where all had ended by then."""

    def again(root: Path) -> Verdict:
        at = moment
        while True:
            verdict = trial(at)(root)
            if verdict.struck or verdict.wrong or at == 0:
                return verdict
            shutil.rmtree(root)
            at = at / 2 if at > _SOON else 0

    return again


def _spread(count: int, points: int) -> list[int]:
    """So many numbers from 1 to `count`."""
    return sorted({1 + round(index * (count - 1) / max(1, points - 1)) for index in range(points)})


def _prepared(
    normal: Undisturbed, number: int, prepare: Callable[[int, Path], Callable[[], None]], codes: set[int]
) -> Trial:
    def break_it(world: World) -> list[tuple[Ended, set[int]]]:
        running = start(world.root / "first", _run(world), prepare(number, world.out))
        return [(running.wait(), {0, *codes})]  # 0: threads write in another order, and a last change may come earlier

    return lambda root: normal.broken_and_resumed(root, break_it)


def _refused(normal: Undisturbed, number: int, code: int) -> Trial:
    return _prepared(normal, number, lambda at, folder: refused_from(at, folder, code), {1, 2})


def _limited(normal: Undisturbed, size: int) -> Trial:
    return _prepared(normal, size, lambda limit, _: limited(limit), {1, 2})


def _signalled(normal: Undisturbed, number: int, times: int, moment: float) -> Trial:
    def break_it(world: World) -> list[tuple[Ended, set[int]]]:
        running = world.run()
        heeds(running)
        time.sleep(moment)
        for _ in range(times):
            running.signal(number)
            time.sleep(0.05)
        codes = {0, _KILLED} if number == signal.SIGKILL else {0, 128 + number}
        return [(running.wait(), codes)]

    return lambda root: normal.broken_and_resumed(root, break_it)


def heeds(running: Running) -> None:
    """Wait until it has its handlers: before, it is the interpreter's."""
    status = Path(f"/proc/{running.pid}/status")
    while time.monotonic() < running.began + 10:
        lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        if "SigCgt" not in lines or int(lines["SigCgt"], 16) >> (signal.SIGHUP - 1) & 1:
            return
        time.sleep(0.001)


Shards = Callable[[World, Callable[[], int]], tuple[Running, set[int]]]  # starts one, and has something happen to it


def _sharded(normal: Undisturbed, first: Shards) -> Trial:
    """Two shards at once, of which one is disturbed and called again; then they are merged."""

    def shard(world: World, number: int) -> Callable[[], int]:
        return _run(world, "--shard", f"{number}/2")

    def trial(root: Path) -> Verdict:
        world = make_world(root, normal.videos, normal.dataset)
        before = world.outside()
        other = start(root / "second", shard(world, 2))
        running, codes = first(world, shard(world, 1))
        ends = [(running.wait(), codes), (other.wait(), {0})]
        struck = ends[0][0].code != 0
        ends.append((start(root / "again", shard(world, 1)).wait(), {0}))
        ends.append((world.call("merge", world.out, name="merge").wait(), {0}))
        return judge(ends, before, world.outside(), normal.made, world.made(), struck)

    return trial


def _killed_at(moment: float) -> Shards:
    def begin(world: World, shard: Callable[[], int]) -> tuple[Running, set[int]]:
        running = start(world.root / "first", shard)
        time.sleep(moment)
        running.signal(signal.SIGKILL)
        return running, {0, _KILLED}

    return begin


def _refused_at(number: int, code: int) -> Shards:
    def begin(world: World, shard: Callable[[], int]) -> tuple[Running, set[int]]:
        return start(world.root / "first", shard, refused_from(number, world.out, code)), {0, 1, 2}

    return begin


def _twice(normal: Undisturbed, moment: float) -> Trial:
    def break_it(world: World) -> list[tuple[Ended, set[int]]]:
        runs = [start(world.root / "first", _run(world))]
        time.sleep(moment)
        runs.append(start(world.root / "second", _run(world)))
        return [(run.wait(), {0, 2}) for run in runs]

    return lambda root: normal.broken_and_resumed(root, break_it)
