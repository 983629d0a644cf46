"""A real scheduler and real workers on loopback: the same pixels, whoever dies, and clear words about who cannot."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.verify import verify
from lolblur_synth.run.executors.dask import crew
from lolblur_synth.run.executors.dask.cluster import Cluster as Where
from lolblur_synth.run.executors.dask.cluster import parse_cluster
from lolblur_synth.run.executors.dask.inspection import Answer, Question, Software, _inspect, objections
from tests.support.commands import message
from tests.support.dask_clusters import Cluster, cluster_in, wait_for
from tests.support.footage import film

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "video.size=64x64", "sequences.pairs=2", "sequences.min_pairs=2", "denoise.backend=none",
    "interpolate.backend=linear", "interpolate.fps=480", "defocus.sigma=1",
)  # fmt: skip
OPTIONS = [part for setting in SETTINGS for part in ("--set", setting)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    film(folder / "a.mkv", seed=1)
    film(folder / "b.mkv", seed=2)
    return folder


@pytest.fixture(scope="module")
def made(videos, tmp_path_factory) -> Path:
    """By one process."""
    out = tmp_path_factory.mktemp("made") / "dataset"
    assert run(videos, out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with cluster_in(tmp_path_factory.mktemp("cluster"), "one", "two") as cluster:
        yield cluster


def words(videos: Path, out: Path, *options: str) -> list[str]:
    return ["run", "--videos", str(videos), "--out", str(out), "--no-report", *OPTIONS, *options]


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, words(videos, out, *options))


def pixels(out: Path) -> dict[str, bytes]:
    pictures = {str(path.relative_to(out)): path.read_bytes() for path in out.glob("t*/*/*/*.png")}
    return pictures | {"manifest": (out / "manifest.jsonl").read_bytes()}


def meanwhile(there: Callable[[], object], act: Callable[[], None]) -> Thread:
    """Do something as soon as something is so."""

    def watch() -> None:
        wait_for(there)
        act()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    return thread


def at_work(out: Path) -> bool:
    return any(out.glob(".*.partial/*/*/*/*.png"))


def test_two_workers_make_what_one_process_makes(videos, made, cluster, tmp_path):
    result = run(videos, tmp_path / "d", "--on", cluster.on)
    assert result.exit_code == 0, result.exception
    assert pixels(tmp_path / "d") == pixels(made)
    assert {path.name for path in (tmp_path / "d").iterdir()} == {path.name for path in made.iterdir()}
    assert (tmp_path / "d/dataset.yaml").read_text() == (made / "dataset.yaml").read_text()
    again = run(videos, tmp_path / "d", "--on", cluster.on)
    assert again.exit_code == 0
    assert again.output.count(" kept ") == 4


def test_workers_of_this_machine(videos, made, tmp_path):
    result = run(videos, tmp_path / "d", "--on", "dask", "--workers", "2")
    assert result.exit_code == 0, result.exception
    assert pixels(tmp_path / "d") == pixels(made)


def test_a_worker_that_is_killed_at_a_sequence(videos, made, cluster, tmp_path):
    """Another makes it again; who comes in its stead is inspected and works."""
    out = tmp_path / "d"

    def replace_one() -> None:
        cluster.kill("one")
        cluster.add("one")

    watching = meanwhile(lambda: at_work(out), replace_one)
    result = run(videos, out, "--on", cluster.on)
    watching.join()
    assert result.exit_code == 0, result.exception
    assert re.search(r"000.-.: worker tcp://127\S+ on \S+ ended at it \(it held 0\.\d\d GB", result.output)
    assert "it is made again, 2. of 3 times" in result.output
    assert pixels(out) == pixels(made)
    assert verify(out) == (40, [])


def test_who_differs_is_refused_by_name_and_the_others_go_on(videos, made, cluster, tmp_path, monkeypatch):
    """A worker of another version, one of little memory, and one that sees another folder by the same name."""
    shutil.copytree(ROOT / "lolblur_synth", tmp_path / "other/lolblur_synth")
    shutil.copytree(ROOT / "configs", tmp_path / "other/configs")
    pipeline = tmp_path / "other/lolblur_synth/synthesis/pipeline.py"
    text, count = re.subn(r"^VERSION = \d+", "VERSION = 99", pipeline.read_text(), flags=re.MULTILINE)
    assert count == 1
    pipeline.write_text(text)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    here = Path("/proc/self/cwd")  # which is another folder to every process
    cluster.add("other", package=tmp_path / "other", folder=tmp_path)
    cluster.add("small", "--memory-limit", "200MB", folder=tmp_path)
    cluster.add("blind", folder=tmp_path / "elsewhere")
    cluster.add("bare", package=tmp_path / "empty", folder=tmp_path)
    cluster.add("good", folder=tmp_path)
    result = run(videos, here / "d", "--on", cluster.on)
    for name in ("other", "small", "blind", "bare", "good"):
        cluster.kill(name)
    assert result.exit_code == 0, result.exception
    refused = [line for line in result.output.splitlines() if line.endswith("; it gets no work")]
    for reason in (
        "has pipeline 99, not 1",
        "may hold 0.20 GB, and a sequence of these pictures takes about ",
        "does not see /proc/self/cwd/d; it gets no work",
        "has not this lolblur-synth (",
    ):
        assert any(reason in line for line in refused), refused
    assert all(re.match(r"worker tcp://127\.0\.0\.1:\d+ ", line) for line in refused)
    assert pixels(tmp_path / "d") == pixels(made)
