"""Training on two nodes: processes that were launched apart, and share neither a disk nor a parent."""

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lolblur_synth.train.restoration.pairs import Pairs, Shard, loader
from tests.support.shards import write_shards
from tests.support.trainings import checkpoint, write_dataset, write_split

RANK = """
import os, signal, sys
from pathlib import Path
from lolblur_synth.core.errors import UserError
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.train.restoration.train import train_lednet
from tests.support.trainings import tiny

data, out, dies_at, victim, steps = sys.argv[1:]
Path(data, f"pid-{os.environ['RANK']}").write_text(str(os.getpid()))

def on_step(step, losses):
    if step == int(dies_at):  # after the checkpoint of the step before
        os.kill(int(Path(data, f"../{victim}").resolve().read_text()), signal.SIGKILL)

rate = float(os.environ.get("RATE", "1e-3"))
config = tiny(batch=1, ema=0.5, save_every=2, validate_every=0, steps=int(steps), learning_rate=rate)
try:
    train_lednet(Path(data), Path(out), config, callbacks=Callbacks(on_step=on_step))
except UserError as error:
    sys.exit(f"error: {error}")
"""


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


def launch(places: Sequence[Path], dies_at: int = 0, victim: int = 1, rates: Sequence[str] = ("1e-3", "1e-3")):
    """Two processes, each with a folder that has the data as `data` and the run as `run`: status and what they say."""
    port = free_port()
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, place / "data", place / "run", str(dies_at),
             os.path.relpath(places[victim] / f"data/pid-{victim}", place), "6"],
            env={**os.environ, "WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1",
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1", "RATE": rates[rank]},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank, place in enumerate(places)
    ]  # fmt: skip
    try:
        told = [process.communicate(timeout=120) for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    return [process.returncode for process in ranks], [out + errors for out, errors in told]


@pytest.fixture
def places(tmp_path) -> list[Path]:
    """Of two nodes, each with a copy of the data."""
    found = [tmp_path / "first", tmp_path / "second"]
    for place in found:
        write_dataset(place / "data")
    return found


def test_killed_on_either_node_and_resumed_is_bit_equal_to_never_stopped(places, tmp_path):
    whole = [tmp_path / "whole/first", tmp_path / "whole/second"]
    for place in whole:
        write_dataset(place / "data")
    assert launch(whole) == ([0, 0], ["", ""])
    for dies_at, victim in ((3, 1), (5, 0)):
        status, told = launch(places, dies_at, victim)
        assert (status[victim], status[1 - victim]) == (-9, 1), told
        line = f"error: process {1 - victim} on {socket.gethostname()}: another process of this training is gone ("
        assert told[1 - victim].startswith(line)
        assert "it goes on from the last checkpoint\n" in told[1 - victim]
        assert len(told[1 - victim].splitlines()) == 1
    assert launch(places) == ([0, 0], ["", ""])
    one, other = checkpoint(whole[0] / "run"), checkpoint(places[0] / "run")
    assert (one["step"], other["step"]) == (6, 6)
    for part in ("net", "average"):
        assert all(torch.equal(value, other[part][key]) for key, value in one[part].items())
    assert not (places[1] / "run").exists()


def test_nodes_with_other_data_or_settings_are_refused_before_the_first_step(places):
    write_split(places[1] / "data", "train", 4)
    next((places[1] / "data/train/low_blur_noise").rglob("0004.png")).unlink()
    next((places[1] / "data/train/high_sharp_scaled").rglob("0004.png")).unlink()
    status, told = launch(places, rates=("1e-3", "2e-3"))
    assert status == [1, 1]
    host = socket.gethostname()
    for one in told:
        assert one.startswith(
            f"error: process 1 on {host}: has other pairs to train; setting learning_rate than process 0 on {host}; "
        )
    assert not (places[0] / "run").exists()


def test_a_fault_of_one_node_is_told_by_all(places):
    next((places[1] / "data/train/low_blur_noise").rglob("0002.png")).unlink()
    began = time.monotonic()
    status, told = launch(places)
    assert status == [1, 1]
    assert time.monotonic() - began < 60
    assert all("0002.png" in one and one.count("\n") == 1 for one in told)
    assert told[0].startswith(f"error: process 1 on {socket.gethostname()}: ")


@pytest.fixture(scope="module", params=["folders", "shards"])
def stored(request, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("stored")
    write_split(root / "folders", "train", 7)
    if request.param == "shards":
        write_shards(root / "folders", root / "shards")
    return root / request.param


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 20), st.integers(0, 9))
def test_two_nodes_see_every_sample_once_an_epoch_whenever_they_were_stopped(stored, world, batch, stop, seed):
    """By all that they read, before and after they are stopped in the middle of an epoch."""
    pairs = Pairs(stored, "train", 32, seed)
    seen = read(pairs, world, batch, stop, 0)
    epochs = 3 * len(pairs)
    more = max(0, -(-(epochs - stop * batch * world) // (batch * world)))
    seen += read(pairs, world, batch, more, stop)
    for epoch in range(3):
        counted = Counter(seen[epoch * len(pairs) : (epoch + 1) * len(pairs)])
        assert counted == dict.fromkeys((pair.name for pair in pairs.files), 1)


def read(pairs: Pairs, world: int, batch: int, steps: int, first: int, workers: int = 0) -> list[str]:
    """The names that all processes read, step by step."""
    device = torch.device("cpu")
    ranks = [loader(pairs, batch, workers, device, first_step=first, shard=Shard(rank, world)) for rank in range(world)]
    parts = [[one.names for one in islice(iter(rank), steps)] for rank in ranks]
    return [name for step in zip(*parts, strict=True) for names in step for name in names]


def test_workers_read_the_same(stored):
    pairs = Pairs(stored, "train", 32, 0)
    assert read(pairs, 2, 2, 4, 3, workers=1) == read(pairs, 2, 2, 4, 3)
