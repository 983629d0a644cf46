"""Clusters of Dask, of which a part ends or refuses: real schedulers and workers, on loopback."""

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from tests.faults.commands import WITH_IMPORTS, press
from tests.faults.forks import Ended, Running
from tests.faults.kills import Kinds, Trial, Undisturbed
from tests.faults.worlds import Verdict, World
from tests.support.dask_clusters import Cluster, cluster_in, wait_for

_KILLED = -int(signal.SIGKILL)
Ends = list[tuple[Ended, set[int]]]
Break = Callable[[World, Cluster], Ends]


def kinds(normal: Undisturbed, rng: Random, share: float) -> Kinds:
    """All of them, each with its trials, whose processes import all anew; `share` of those that `make faults` takes."""
    if share < WITH_IMPORTS:
        return
    count = max(1, round(4 * share))
    points = [1 + round((normal.changes // 2) * rng.random()) for _ in range(count)]
    killed = [f"killed_before({number}, {{out}})" for number in points]
    yield "Dask: a worker killed before a change", [_trial(normal, _with_one_bad(hook, {0})) for hook in killed]
    refused = [f"refused_from({number}, {{out}}, {errno.ENOSPC})" for number in points]
    yield "Dask: the disk of one worker is full", [_trial(normal, _with_one_bad(hook, {0, 2})) for hook in refused]
    yield "Dask: a sequence that kills its workers", [_trial(normal, _with_a_deadly_sequence)]
    moments = [rng.uniform(0, 0.5) for _ in range(count)]
    yield "Dask: the scheduler killed", [_trial(normal, _struck(at, _kill_scheduler, {0, 1})) for at in moments]
    yield "Dask: the run killed", [_trial(normal, _struck(at, _kill_run, {0, _KILLED})) for at in moments]
    yield "Dask: Ctrl-C", [_trial(normal, _struck(at, _stop_run, {0, 130})) for at in moments]


def _trial(normal: Undisturbed, break_it: Break) -> Trial:
    """What is left of it is finished by a run without Dask, beside workers that may still be there."""

    def trial(root: Path) -> Verdict:
        place = root.with_name(f"{root.name}-cluster")
        ends: Ends = []

        def act(world: World) -> Ends:
            ends.extend(break_it(world, cluster))
            return list(ends)

        with cluster_in(place) as cluster:
            verdict = normal.broken_and_resumed(root, act)
        shutil.rmtree(place)
        healed = any(" ended at it" in ended.err for ended, _ in ends)  # of which the exit code tells nothing
        return replace(verdict, struck=verdict.struck or healed)

    return trial


def _run(world: World, cluster: Cluster, *names: str) -> Running:
    cluster.wait(*names)
    return world.run("--on", cluster.on)


def _hook(cluster: Cluster, act: str, out: Path) -> tuple[str, ...]:
    """Options of a worker to which something happens when it changes files."""
    file = cluster.folder / "hook.py"
    call = act.format(out=f"Path({str(out)!r})")
    file.write_text(
        f"from pathlib import Path\nfrom tests.faults.changes import killed_before, refused_from\n{call}()\n"
    )
    return "--preload", str(file)


def _with_one_bad(act: str, codes: set[int]) -> Break:
    def break_it(world: World, cluster: Cluster) -> Ends:
        cluster.add("bad", *_hook(cluster, act, world.out))
        cluster.add("good")
        return [(_run(world, cluster, "bad", "good").wait(180), codes)]

    return break_it


def _with_a_deadly_sequence(world: World, cluster: Cluster) -> Ends:
    """Each of its workers is killed in the middle of it, and another started by its nanny."""
    name = "0000-0"
    cluster.add("one", "--nanny", *_hook(cluster, "killed_before(9, {out})", world.out / f".{name}"))
    ended = _run(world, cluster, "one").wait(300)
    told = f"{name}: failed: 3 workers ended at it" in " ".join(ended.err.split())
    made = [path.stem for path in (world.out / "records").glob("*.json")]
    return [(ended, {1} if told and made == ["0001-0"] else set())]


def _struck(seconds: float, act: Callable[[Running, Cluster], None], codes: set[int]) -> Break:
    """So many seconds after a worker has begun."""

    def break_it(world: World, cluster: Cluster) -> Ends:
        cluster.add("one")
        cluster.add("two")
        running = _run(world, cluster, "one", "two")
        wait_for(lambda: any(world.out.glob(".*.partial/*/*/*")))
        time.sleep(seconds)
        act(running, cluster)
        return [(running.wait(120), codes)]

    return break_it


def _kill_scheduler(running: Running, cluster: Cluster) -> None:
    del running
    cluster.scheduler.kill()


def _kill_run(running: Running, cluster: Cluster) -> None:
    del cluster
    os.kill(running.pid, signal.SIGKILL)


def _stop_run(running: Running, cluster: Cluster) -> None:
    del cluster
    press(running, signal.SIGINT, 1)
