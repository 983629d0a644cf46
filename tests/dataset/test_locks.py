"""Leases: one process writes into a dataset, or one into each shard of it; they go with it, on this machine at once."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from filelock import SoftFileLease

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset import locks
from lolblur_synth.dataset.layout import LEASES
from lolblur_synth.dataset.locks import locked, publishing

HOLDER = """
import sys, time
from pathlib import Path
from lolblur_synth.dataset.locks import locked, publishing
with {lock}(Path(sys.argv[1]), "{name}"):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(lock, folder, name):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(lock=lock, name=name), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def lease_of_another_machine(root, name):
    """As its holder has left it; with `touch` it lives."""
    path = root / LEASES / f"{name}.lease"
    path.parent.mkdir(parents=True)
    path.write_text(f"filelock/2\npid=4711\nhost=elsewhere\nmode=lease\ntoken={'0' * 32}\nduration={locks.EXPIRES}\n")
    return path


@pytest.mark.parametrize("name", ["run", "shard-1-of-2"])
def test_a_second_one_is_refused_until_the_first_is_gone_even_if_killed(name, tmp_path):
    with hold("locked", tmp_path / "d", name) as holder:
        told = rf"another run is writing there \(process {holder.pid} on {socket.gethostname()}\); wait for it or name"
        with pytest.raises(UserError, match=told):
            locked(tmp_path / "d", name).__enter__()
        os.kill(holder.pid, signal.SIGKILL)
    with locked(tmp_path / "d", name) as lease:
        lease.check()


def test_shards_bear_each_other_but_no_run(tmp_path):
    refused = pytest.raises(UserError, match="another run is writing there")
    with locked(tmp_path, "shard-1-of-2"), locked(tmp_path, "shard-2-of-2"), refused:
        locked(tmp_path).__enter__()
    with locked(tmp_path), refused:
        locked(tmp_path, "shard-1-of-2").__enter__()
    assert list((tmp_path / LEASES).iterdir()) == []


def test_shards_that_look_whether_a_run_is_there_do_not_take_each_other_for_one(tmp_path):
    lease_of_another_machine(tmp_path, "run").unlink()
    failed = []

    def work(number):
        try:
            for _ in range(5):
                with locked(tmp_path, f"shard-{number}-of-4"):
                    pass
        except UserError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_holder_on_another_machine_lives_while_it_touches_its_lease(tmp_path):
    path = lease_of_another_machine(tmp_path, "run")
    os.utime(path, (1, 1))  # its clock has stopped in 1970
    touching = threading.Timer(0.5, os.utime, (path, (2, 2)))
    touching.start()
    with pytest.raises(UserError, match=r"process 4711 on elsewhere"):
        locked(tmp_path).__enter__()
    touching.join()


@pytest.mark.parametrize("when", [1.0, 4e9])
def test_one_that_does_not_is_given_up_whatever_its_clock_says(when, tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "EXPIRES", 1.5)
    monkeypatch.setattr(locks, "RENEWED", 0.5)
    path = lease_of_another_machine(tmp_path, "run")
    os.utime(path, (when, when))
    began = time.monotonic()
    with locked(tmp_path) as lease:
        assert time.monotonic() - began > 1.4
        lease.check()


def test_who_has_lost_its_lease_is_told_so(tmp_path):
    with locked(tmp_path) as lease:
        lease.check()
        SoftFileLease(tmp_path / LEASES / "run.lease", lease_duration=locks.EXPIRES).force_break()
        with pytest.raises(UserError, match="stood still and was given up; run the same command again"):
            lease.check()
        with locked(tmp_path), pytest.raises(UserError, match="given up"):
            lease.check()


def test_a_worker_waits_for_the_one_that_publishes_even_if_that_is_killed(tmp_path):
    (tmp_path / LEASES).mkdir()
    with hold("publishing", tmp_path, "0003") as holder, publishing(tmp_path, "0004"):
        waiting = subprocess.Popen(
            [sys.executable, "-c", HOLDER.format(lock="publishing", name="0003"), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(1)
        os.kill(holder.pid, signal.SIGKILL)
        assert waiting.stdout.readline() == "held\n"
        waiting.kill()
        waiting.communicate()


@pytest.mark.parametrize("link", ["leases", "lease"])
def test_no_lease_follows_a_link(link, tmp_path):
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("precious")
    root = tmp_path / "d"
    root.mkdir()
    if link == "leases":
        (root / LEASES).symlink_to(tmp_path)
        with pytest.raises(UserError, match="is a link; remove it"):
            locked(root).__enter__()
    else:
        (root / LEASES).mkdir()
        (root / LEASES / "run.lease").symlink_to(thesis)
        with locked(root):
            assert not (root / LEASES / "run.lease").is_symlink()
    assert thesis.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "thesis.txt"]


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^out .*file/d: cannot be written: .*; name a folder that can$"):
        locked(tmp_path / "file/d").__enter__()
