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
from threading import Thread, current_thread, main_thread

import pytest
from click.testing import CliRunner, Result
from distributed import Client

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.dataset.verify import verify
from lolblur_synth.run.executors.dask import cluster as connections
from lolblur_synth.run.executors.dask import crew, dealing
from lolblur_synth.run.executors.dask.cluster import Cluster as Where
from lolblur_synth.run.executors.dask.cluster import client_of, parse_cluster
from lolblur_synth.run.executors.dask.inspection import Answer, Question, Software, _inspect, objections
from tests.support.commands import message
from tests.support.dask_clusters import Cluster, cluster_in, wait_for

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "video.size=64x64", "sequences.pairs=2", "sequences.min_pairs=2", "denoise.backend=none",
    "interpolate.backend=linear", "interpolate.fps=480", "defocus.sigma=1",
)  # fmt: skip
OPTIONS = [part for setting in SETTINGS for part in ("--set", setting)]


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
    """A worker of another version, of little memory, without what it needs, and two that see another folder there."""
    shutil.copytree(ROOT / "lolblur_synth", tmp_path / "other/lolblur_synth")
    shutil.copytree(ROOT / "configs", tmp_path / "other/configs")
    pipeline = tmp_path / "other/lolblur_synth/synthesis/pipeline.py"
    text, count = re.subn(r"^VERSION = \d+", "VERSION = 99", pipeline.read_text(), flags=re.MULTILINE)
    assert count == 1
    pipeline.write_text(text)
    (tmp_path / "bare/lolblur_synth").mkdir(parents=True)
    (tmp_path / "bare/lolblur_synth/__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    here = Path("/proc/self/cwd")  # which is another folder to every process
    cluster.add("other", package=tmp_path / "other", folder=tmp_path)
    cluster.add("small", "--memory-limit", "400MB", folder=tmp_path)
    cluster.add("bare", package=tmp_path / "bare", folder=tmp_path)
    cluster.wait("one", "two", "other", "small", "bare")
    none = run(videos, here / "d", "--on", cluster.on)
    for name in ("other", "small", "bare"):
        cluster.kill(name)
    assert isinstance(none.exception, UserError)
    first, *told = message(none).splitlines()
    assert first == (
        f"{cluster.address}: none of its workers can make this dataset; finished sequences are kept; mend them and run "
        "the same command again"
    )
    worker = r"  worker tcp://127\.0\.0\.1:\d+"
    for count, reason in (
        (1, r" on \S+ has pipeline 99, not \d+"),
        (
            1,
            r" on \S+ may hold 0\.38 GB, 95% of its limit, and a sequence of such pictures takes 0\.48 GB at .*",
        ),
        (1, r" has not this lolblur-synth \(.*No module named 'lolblur_synth\.run'.*\); pip install it there"),
        (2, r" on \S+ does not see /proc/self/cwd/d"),
    ):
        assert len([line for line in told if re.fullmatch(worker + reason, line)]) == count, told
    cluster.add("good", folder=tmp_path)
    cluster.wait("good")
    some = run(videos, here / "d", "--on", cluster.on)
    cluster.kill("good")
    assert some.exit_code == 0, some.exception
    assert some.output.count("does not see /proc/self/cwd/d; it gets no work") == 2
    assert pixels(tmp_path / "d") == pixels(made)


def test_workers_that_somebody_else_keeps_busy(videos, made, cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(dealing, "_BEGINNING", 1)
    with client_of(Where(cluster.address)) as client:
        naps = client.map(time.sleep, [5, 5.1])
        wait_for(lambda: sum(map(len, client.processing().values())) == 2)
        result = run(videos, tmp_path / "d", "--on", cluster.on)
        assert all(nap.status == "finished" for nap in naps)
    assert result.exit_code == 0, result.exception
    told = r"000\d-\d: worker tcp://127\S+ on \S+ has not begun it for 1 s: it is busy with other work, or paused"
    assert re.search(told, result.output)
    assert pixels(tmp_path / "d") == pixels(made)


FAILING = "--set", "interpolate.backend=flow", "--set", "interpolate.untrusted=1e-9", "--set", "interpolate.reject=true"


def test_sequences_that_fail_are_told_as_anywhere(videos, cluster, tmp_path):
    result = run(videos, tmp_path / "d", "--on", cluster.on, *FAILING)
    assert message(result).startswith("3 not made; the reasons are above")
    assert result.output.count("windows dropped: motion too large to be trusted") >= 3
    assert len(list((tmp_path / "d/failed").iterdir())) == 3
    fast = run(videos, tmp_path / "e", "--on", cluster.on, *FAILING, "--fail-fast")
    assert isinstance(fast.exception, SequenceError)
    told = r"worker tcp://127\S+ on \S+: 000\d-\d of [ab]\.mkv: [12] of 2 windows dropped: .*"
    assert re.fullmatch(told, message(fast)), message(fast)


def test_the_client_is_asked_by_who_closes_it(videos, cluster, tmp_path, monkeypatch):
    """Elsewhere its loop may end in the middle of a question (distributed 2026.8: a coroutine never awaited)."""
    asking, ask = [], Client.sync

    def noted(*args: object, **kwargs: object) -> object:
        asking.append(current_thread())
        return ask(*args, **kwargs)

    monkeypatch.setattr(Client, "sync", noted)
    fast = run(videos, tmp_path / "d", "--on", cluster.on, *FAILING, "--fail-fast")
    assert isinstance(fast.exception, SequenceError)
    assert main_thread() in asking
    assert {thread.name for thread in asking if thread is not main_thread()} == {"inspection"}  # which are waited for
    assert not any(thread.is_alive() for thread in asking if thread is not main_thread())


def test_ctrl_c_leaves_whole_sequences(videos, made, cluster, tmp_path):
    """And workers that have left it, so that the next run finds them idle."""
    out = tmp_path / "d"
    command = [sys.executable, "-m", "lolblur_synth", *words(videos, out, "--on", cluster.on)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(lambda: at_work(out))
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert re.fullmatch(r"(?s).*\nstopped by Ctrl-C; run, .*\n", told)
    assert "Traceback" not in told
    wait_for(lambda: not list(out.glob(".*.partial")), 10)
    whole = len(list(out.glob("records/*.json")))
    assert whole < 4
    assert verify(out) == (10 * whole, [])
    result = run(videos, out, "--on", cluster.on)
    assert result.exit_code == 0, result.exception
    assert pixels(out) == pixels(made)


def test_a_scheduler_that_is_killed(videos, made, cluster, tmp_path):
    """The last that this cluster does: its workers end with it."""
    out = tmp_path / "d"
    watching = meanwhile(lambda: at_work(out), cluster.scheduler.kill)
    result = run(videos, out, "--on", cluster.on)
    watching.join()
    assert isinstance(result.exception, SequenceError)  # exit code 1
    told = rf"the Dask scheduler at {cluster.address} is gone; \d of 4 sequences were made; they are kept; start it .*"
    assert re.fullmatch(told, message(result)), message(result)
    assert result.output.count("Traceback") == 0
    wait_for(lambda: all(worker.poll() is not None for worker in cluster.workers.values()))
    assert run(videos, out).exit_code == 0
    assert pixels(out) == pixels(made)


@pytest.mark.parametrize(
    ("on", "reason"),
    [
        ("dusk", "is no cluster"),
        ("dask://host", "is no cluster"),
        ("dask://host:99999", "is no cluster"),
        ("dask://:8786", "is no cluster"),
        ("http://host:8786", "is no cluster"),
        ("dask://127.0.0.1:1", "does not answer: "),
        ("dask://no-such-host.invalid:8786", "does not answer: "),
    ],
)
def test_a_scheduler_that_is_not_there_is_told_before_anything_is_read(tmp_path, monkeypatch, on, reason):
    monkeypatch.setattr(connections, "_CONNECTING", 2)
    began = time.monotonic()
    result = run(tmp_path / "no videos", tmp_path / "d", "--on", on)
    assert time.monotonic() - began < 10
    assert isinstance(result.exception, UserError)
    assert reason in message(result)
    assert not (tmp_path / "d").exists()


def test_something_else_that_listens_there(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        result = run(tmp_path / "v", tmp_path / "d", "--on", f"dask://127.0.0.1:{server.getsockname()[1]}")
    assert time.monotonic() - began < 10
    assert "does not answer: " in message(result)


def test_a_scheduler_without_the_package(tmp_path):
    """It unpickles what it hands on."""
    (tmp_path / "bare/lolblur_synth").mkdir(parents=True)
    (tmp_path / "bare/lolblur_synth/__init__.py").touch()
    with cluster_in(tmp_path / "cluster", package=tmp_path / "bare") as cluster:
        result = run(tmp_path / "no videos", tmp_path / "d", "--on", cluster.on)
    told = message(result)
    assert told.startswith(f"the Dask scheduler at {cluster.address}: has not this lolblur-synth and Python (0.1.0 on")
    assert "No module named 'lolblur_synth.run'" in told


def test_a_scheduler_without_workers(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "_PATIENCE", 3)
    with cluster_in(tmp_path / "cluster") as cluster:
        result = run(videos, tmp_path / "d", "--on", cluster.on)
    assert f"{cluster.address} has no workers; waiting for 3 s" in result.output
    assert message(result) == (
        f"{cluster.address}: there are no workers, and none came in 3 s; finished sequences are kept; "
        "start workers (dask worker) and run the same command again"
    )


def test_addresses():
    assert parse_cluster("dask", 3) == Where("", 3)
    assert parse_cluster("dask://node7:8786", 3) == Where("tcp://node7:8786")
    assert parse_cluster("tls://10.0.0.1:8786", 3) == Where("tls://10.0.0.1:8786")


HERE = Software("3.11", {"torch": "2.13.0", "pipeline": "15"}, "ab12", {"ec_zero_dce": "0" * 64})
SAME = Answer(HERE, "node7", 4, 0, (), (), "echo")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (SAME, []),
        (replace(SAME, memory=2 * 10**9), []),
        (replace(SAME, software=replace(HERE, python="3.12", versions={})), ["has Python 3.12, not 3.11"]),
        (replace(SAME, software=replace(HERE, versions={"torch": "2.6.0"})), ["has torch 2.6.0, not 2.13.0"]),
        (replace(SAME, software=replace(HERE, kernels="cd34")), ["compiles its kernels from other code"]),
        (
            replace(SAME, software=replace(HERE, weights={"ec_zero_dce": "1" * 64})),
            ["has other weights of ec_zero_dce: sha256 1111111111111111, not 0000000000000000"],
        ),
        (
            replace(SAME, memory=10**9),
            ["may hold 0.95 GB, 95% of its limit, and a sequence of such pictures takes 1.20 GB"],
        ),
        (replace(SAME, faults=("does not see /data/a.mkv",)), ["does not see /data/a.mkv"]),
    ],
)
def test_objections(answer, told):
    found = objections(answer, HERE, 1_200_000_000)
    assert len(found) == len(told)
    assert all(reason.startswith(start) for reason, start in zip(found, told, strict=True))


def test_what_a_worker_does_not_see_of_files(tmp_path):
    """Asked in this process, as a worker of Dask asks itself."""
    (tmp_path / "out").mkdir()
    token = tmp_path / "out/.1.token.partial"
    token.write_text("token")
    clip = tmp_path / "a.mkv"
    clip.write_bytes(b"12345")
    footage = (clip, 5), (tmp_path, None)
    question = Question("ec_zero_dce", "linear", "", "cpu", False, token, (), footage, ("s3",))
    answer = _inspect(question, 2, 10**9)
    assert (answer.faults, answer.threads, answer.memory) == ((), 2, 10**9)
    assert crew.take_echo(token, answer) == []
    assert [path.name for path in token.parent.iterdir()] == [token.name]
    (told,) = crew.take_echo(token, answer)
    assert shown(told) == f"writes into another folder {token.parent} than out here"
    seen = (clip, 6), (tmp_path / "b.mkv", 1)
    other = replace(
        question, token=tmp_path / "no/t", folders=(tmp_path / "cache",), footage=seen, schemes=("nonsense",)
    )
    assert _inspect(other, 2, 0).faults == (
        f"does not see {tmp_path}/no",
        f"does not see the folder {tmp_path}/cache",
        f"sees another file {clip}, of 5 bytes instead of 6",
        f"does not see {tmp_path}/b.mkv",
        "cannot read footage of nonsense:// (Protocol not known: nonsense)",
    )
    assert (
        _inspect(replace(question, weights=str(tmp_path / "none.safetensors")), 2, 0).faults[0].startswith("weights ")
    )
