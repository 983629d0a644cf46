"""One run writes into a dataset at a time; a lock goes with its process, however that ends."""

import os
import signal
import subprocess
import sys

import pytest

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.locks import locked, publishing

HOLDER = """
import sys, time
from pathlib import Path
from lolblur_synth.dataset.locks import locked, publishing
with {lock}(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(lock, folder):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(lock=lock), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_run_is_refused_until_the_first_is_gone_even_if_killed(tmp_path):
    with hold("locked", tmp_path / "d") as holder:
        with pytest.raises(UserError, match="another run is writing there; wait for it or name another"):
            locked(tmp_path / "d").__enter__()
        os.kill(holder.pid, signal.SIGKILL)
    with locked(tmp_path / "d"):
        assert (tmp_path / "d/.lock").read_bytes() == b""


def test_a_worker_waits_for_the_one_that_publishes_even_if_that_is_killed(tmp_path):
    with hold("publishing", tmp_path) as holder, hold("locked", tmp_path) as run:
        waiting = subprocess.Popen(
            [sys.executable, "-c", HOLDER.format(lock="publishing"), str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        os.kill(holder.pid, signal.SIGKILL)
        assert waiting.stdout.readline() == "held\n"
        for process in (waiting, run):
            process.kill()
        waiting.communicate()


def test_what_is_in_a_file_that_is_locked_stays(tmp_path):
    (tmp_path / ".lock").write_text("precious")
    with locked(tmp_path), publishing(tmp_path):
        assert (tmp_path / ".lock").read_text() == "precious"


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^out .*file/d: cannot be written: .*; name a folder that can$"):
        locked(tmp_path / "file/d").__enter__()
