"""A scheduler of Dask and its workers, as processes of their own on loopback."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_STARTING = 90  # seconds, on a busy machine


@dataclass
class Cluster:
    """Its processes; `folder` has what they log."""

    folder: Path
    package: Path | None = None  # that the scheduler has
    scheduler: subprocess.Popen[bytes] = field(init=False)
    workers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        file = self.folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)], package=self.package
        )
        wait_for(lambda: file.is_file() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    @property
    def on(self) -> str:
        """What `--on` takes."""
        return self.address.replace("tcp://", "dask://")

    def add(self, name: str, *options: str, package: Path | None = None, folder: Path | None = None) -> None:
        """Start a worker, perhaps with a package of its own and in another folder; it is there a little later."""
        options = ("--nthreads", "1", "--name", name, "--no-nanny", "--memory-limit", "0", *options)
        self.workers[name] = self._start("worker", [self.address, *options], name, package, folder)

    def wait(self, *names: str) -> None:
        """Until the scheduler knows these workers."""
        logs = [self.folder / f"{name}.log" for name in names]
        wait_for(lambda: all("Registered to:" in log.read_text() for log in logs))

    def kill(self, name: str) -> None:
        """As `kill -9` does."""
        self.workers[name].kill()
        self.workers.pop(name).wait()

    def end(self) -> None:
        """End all of them."""
        processes = [*self.workers.values(), self.scheduler]
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in processes:
            process.wait()

    def _start(
        self, kind: str, options: list[str], name: str = "", package: Path | None = None, folder: Path | None = None
    ) -> subprocess.Popen[bytes]:
        path = f"{package or Path(__file__).parents[2]}:{os.environ.get('PYTHONPATH', '')}"
        with (self.folder / f"{name or kind}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, "--no-dashboard"],
                env=os.environ | {"PYTHONPATH": path, "DASK_TEMPORARY_DIRECTORY": str(self.folder)},
                stdout=log,
                stderr=log,
                cwd=folder or self.folder,  # which Python looks into first
            )


@contextmanager
def cluster_in(folder: Path, *names: str, package: Path | None = None) -> Iterator[Cluster]:
    """A cluster with some workers, which ends at last."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder, package)
    try:
        for name in names:
            cluster.add(name)
        yield cluster
    finally:
        cluster.end()


def wait_for(there: Callable[[], object], seconds: float = _STARTING) -> None:
    """Until something is so; raises `AssertionError` when it does not become so."""
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
