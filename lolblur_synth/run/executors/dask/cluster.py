"""Clusters of Dask: a scheduler that is there already, or workers of this machine for the time of a run."""

import asyncio
import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import active_children
from typing import Any

from lolblur_synth.core.devices import choose_device, threads_for
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.signals import held
from lolblur_synth.run.executors.dask.inspection import scheduler_version

_CONNECTING = 6  # seconds
_CLOSING = 3
LOCAL = "dask"
_CALM = {  # Dask watches itself by a profiler every 10 ms and clocks every 20 and 500: 1 % of the work, not 8
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
_SCHEMES = {"dask://": "tcp://", "tcp://": "tcp://", "tls://": "tls://"}


@dataclass(frozen=True)
class Cluster:
    """Where a run goes: to a scheduler by its address, or to `workers` processes of this machine."""

    address: str  # empty: of this machine
    workers: int = 1

    @property
    def name(self) -> str:
        """The cluster in words."""
        return self.address or "this machine"


def parse_cluster(on: str, workers: int) -> Cluster:
    """`dask`, `dask://HOST:PORT`, or an address as Dask writes it; raises `UserError` for anything else."""
    if find_spec("distributed") is None:
        raise UserError(
            "the package distributed is not installed",
            where=f"{setting('on')} {on}",
            advice="pip install 'lolblur-synth[dask]', here, with the scheduler and with every worker",
        )
    if on == LOCAL:
        return Cluster("", workers)
    for scheme, transport in _SCHEMES.items():
        host, _, port = on.removeprefix(scheme).rstrip("/").rpartition(":")
        if on.startswith(scheme) and host and port.isdecimal() and 0 < int(port) < 1 << 16:
            return Cluster(f"{transport}{host}:{port}")
    raise UserError(
        "is no cluster",
        where=f"{setting('on')} {on}",
        advice="give dask for workers of this machine, or dask://HOST:PORT of a scheduler (8786 is Dask's usual port)",
    )


def check_cluster(cluster: Cluster) -> None:
    """Raise `UserError`, within ten seconds, where there is no scheduler that can be used."""
    if cluster.address:
        with _connected(cluster):
            pass


@contextmanager
def client_of(cluster: Cluster) -> Iterator[Any]:
    """A client of Dask; raises `UserError` where no scheduler answers that can be used."""
    if cluster.address:
        with _connected(cluster) as client:
            yield client
        return
    from dask import config
    from distributed import Client, LocalCluster

    threads = threads_for(cluster.workers, choose_device("cpu"))
    with _quiet(), config.set(_CALM):
        with held(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a port of a dashboard is taken, before it takes another
            local = LocalCluster(
                n_workers=cluster.workers,
                threads_per_worker=threads,
                memory_limit=0,  # as of other processes: what the machine has
                silence_logs=logging.CRITICAL,
            )
        try:
            with Client(local, timeout=_CONNECTING, set_as_default=False) as client:
                yield client
        finally:
            _close(local)


def _close(local: Any) -> None:
    """End the workers of this machine, by force where they do not end in time: they may be in the middle of a step."""
    with suppress(Exception):
        local.close(timeout=_CLOSING)
    for child in active_children():
        if child.name.startswith("Dask Worker process"):
            child.kill()


@contextmanager
def _connected(cluster: Cluster) -> Iterator[Any]:
    from distributed import Client

    where = f"the Dask scheduler at {cluster.address}"
    advice = f"start one (dask scheduler), or name another by {setting('on')}"
    with _quiet():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that versions differ: of workers we compare more than Dask does
            try:
                with ThreadPoolExecutor(1) as aside:  # an event loop may run here already, as in a notebook
                    aside.submit(asyncio.run, _identify(cluster.address)).result()
                client = Client(cluster.address, timeout=_CONNECTING, set_as_default=False)
            except Exception as error:  # whatever another program answers
                silent = f"nothing in {_CONNECTING} s" if isinstance(error, TimeoutError) else type(error).__name__
                reason = str(error).partition("\n")[0] or silent
                raise UserError(f"does not answer: {reason}", where=where, advice=advice) from None
        try:
            _check_scheduler(client, where)
            yield client
        finally:
            with suppress(Exception):  # a scheduler that is gone
                client.close(timeout=_CLOSING)


async def _identify(address: str) -> None:
    """Raise `OSError` or `TimeoutError` where no scheduler answers.

    A client's own timeout does not end its waiting for what takes a connection and says nothing.
    """
    from distributed.core import rpc
    from distributed.security import Security

    async with rpc(address, connection_args=Security().get_connection_args("client")) as peer:
        told = await asyncio.wait_for(peer.identity(), _CONNECTING)
    if told.get("type") != "Scheduler":
        raise OSError(f"that is a {str(told.get('type')).lower()} of Dask")


def _check_scheduler(client: Any, where: str) -> None:
    """It unpickles what it hands on, and so needs the package, though not what that imports."""
    here = scheduler_version()
    try:
        there = client.run_on_scheduler(scheduler_version, callback_timeout=_CONNECTING)
    except Exception as error:
        there = str(error) or type(error).__name__
    if there != here:
        raise UserError(
            f"has not this lolblur-synth and Python ({here}): {there}",
            where=where,
            advice="start it from the same environment as its workers",
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """What Dask logs of a scheduler or worker that is gone, with tracebacks, is told in a line of ours."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    loggers = [logging.getLogger(name) for name in ("distributed", *names, "tornado.application")]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
