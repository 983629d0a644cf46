"""Dask executor: sequences on the workers of a cluster, which are asked first whether they see and compute the same."""

import secrets
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lolblur_synth.core.devices import MOST_THREADS, choose_device
from lolblur_synth.core.errors import refused, setting
from lolblur_synth.run.executors.base import Job
from lolblur_synth.run.executors.dask.cluster import Cluster, client_of
from lolblur_synth.run.executors.dask.crew import Demand
from lolblur_synth.run.executors.dask.dealing import Dealing
from lolblur_synth.run.executors.dask.inspection import Question, installed
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.memory import memory_needed
from lolblur_synth.run.plan import Plan, SequencePlan

_FOLDERS = 200  # of the footage, which workers are asked for


@dataclass(frozen=True)
class Dask:
    """Makes a sequence at a time on each worker of a cluster."""

    cluster: Cluster

    def __call__(self, job: Job, tasks: Sequence[SequencePlan]) -> Generator[Failure | None]:
        """Make them in any order; raises `UserError` when nobody can, `SequenceError` when the scheduler is lost."""
        if not tasks:
            return
        job = _with_whole_paths(job)
        with client_of(self.cluster) as client, _token(job.plan.out) as token:
            question = _question(job.plan, tasks, token)
            demand = Demand(question, installed(question)[0], memory_needed(tasks, job.plan.config), MOST_THREADS)
            dealing = Dealing(client, self.cluster.name, job, tasks, demand)
            yield from dealing.outcomes()


def _with_whole_paths(job: Job) -> Job:
    """Workers are in other folders; nor do they need the names of what is no footage."""
    plan, cache = job.plan, job.plan.cache
    plan = replace(plan, out=plan.out.absolute(), cache=cache and cache.absolute(), left_out=())
    return replace(job, plan=plan, lease=replace(job.lease, root=plan.out))


def _question(plan: Plan, tasks: Sequence[SequencePlan], token: Path) -> Question:
    config = plan.config
    firsts = list({task.scan.info.path.parent: task.scan for task in tasks if task.scan.remote is None}.values())
    stores = {task.scan.remote.store.address.scheme for task in tasks if task.scan.remote}
    step = max(1, -(-len(firsts) // _FOLDERS))
    return Question(
        weights=config.darken.weights,
        backend=config.interpolate.backend,
        backend_weights=config.interpolate.weights,
        device=choose_device(config.run.device).type,
        vulkan=config.run.device != "cpu",
        token=token,
        folders=(plan.cache,) if plan.cache else (),
        footage=tuple((scan.info.path, scan.stamp and scan.stamp[0]) for scan in firsts[::step]),
        schemes=tuple(sorted(stores)),
    )


@contextmanager
def _token(out: Path) -> Iterator[Path]:
    """A file in the output folder, which whoever sees that folder finds; one that is left is swept by the next run."""
    path = out / f".{secrets.token_hex(8)}.token.partial"
    with refused(f"{setting('out')} {out}", "", "make room and run the same command again"):
        path.write_text(secrets.token_hex(16))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
