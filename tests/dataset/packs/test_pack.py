"""Packing: whole or not at all, the same to the byte however often it was stopped, and checked."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.packs import lmdbs
from lolblur_synth.dataset.packs.contents import is_pack
from lolblur_synth.dataset.packs.pack import pack
from lolblur_synth.dataset.packs.plan import Options
from lolblur_synth.dataset.verify import verify
from tests.support.commands import message
from tests.support.disks import small_files
from tests.support.packed import make_dataset, tree

FORMS = {
    "webdataset": Options("webdataset", megabytes=1),
    "lmdb": Options("lmdb"),
    "sub-images": Options("lmdb", crop=16, step=10),
    "parquet": Options("parquet", megabytes=1),
}
every_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
def dataset(tmp_path) -> Path:
    return make_dataset(tmp_path / "dataset")


@every_form
def test_what_is_packed_is_as_recorded(form, dataset, tmp_path):
    contents = pack(dataset, tmp_path / "out", FORMS[form])
    assert sum(file.pairs for file in contents.files.values()) == 6 * (5 if "lmdb" in FORMS[form].kind else 1)
    assert verify(tmp_path / "out") == (30, [])
    assert is_pack(tmp_path / "out")
    assert not any((tmp_path / "out").rglob(".*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "out"]


@every_form
def test_it_is_the_same_to_the_byte_wherever_it_was_stopped(form, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(lmdbs, "_BATCH", 0)  # a transaction for each pair
    pack(dataset, tmp_path / "out", FORMS[form])
    wanted = tree(tmp_path / "out")
    for path in dataset.rglob("*.png"):
        os.utime(path, (1e9, 1e9))
    for stop in range(1, 30 if "lmdb" in FORMS[form].kind else 6, 4):
        out = tmp_path / f"stopped {stop}"

        def notify(done: int, count: int, stop: int = stop) -> None:
            if done == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pack(dataset, out, FORMS[form], notify)
        assert not out.exists()
        pack(dataset, out, FORMS[form])
        assert tree(out) == wanted


KILLED = """
import os, sys
from pathlib import Path
from lolblur_synth.dataset.packs import lmdbs
from lolblur_synth.dataset.packs.pack import pack
from lolblur_synth.dataset.packs.plan import Options
lmdbs._BATCH = 0
pack(Path(sys.argv[1]), Path(sys.argv[2]), Options("lmdb"), lambda done, count: done == 8 and os.kill(os.getpid(), 9))
"""


def test_a_kill_changes_no_byte(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(lmdbs, "_BATCH", 0)
    pack(dataset, tmp_path / "out", FORMS["lmdb"])
    killed = subprocess.run([sys.executable, "-c", KILLED, dataset, tmp_path / "killed"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / ".killed.partial/train/low_blur.lmdb/data.mdb").exists()
    pack(dataset, tmp_path / "killed", FORMS["lmdb"])
    assert tree(tmp_path / "killed") == tree(tmp_path / "out")


@every_form
def test_a_disk_that_refuses_publishes_nothing(form, dataset, tmp_path):
    with small_files(9000), pytest.raises(UserError, match="make room and run the same command again"):
        pack(dataset, tmp_path / "out", FORMS[form])
    assert not (tmp_path / "out").exists()
    pack(dataset, tmp_path / "out", FORMS[form])
    assert verify(tmp_path / "out") == (30, [])


@every_form
def test_what_is_damaged_is_told(form, dataset, tmp_path):
    out = tmp_path / "out"
    contents = pack(dataset, out, FORMS[form])
    name = next(iter(contents.files))
    path = out / name / "data.mdb" if name.endswith(".lmdb") else out / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    faults = verify(out)[1]
    assert f"{name}: differs from its hash" in faults
    path.write_bytes(b"nothing of the kind")
    assert any(fault.startswith(f"{name}: cannot be read") for fault in verify(out)[1])
    path.unlink()
    faults = verify(out)[1]
    assert f"{name}: missing, or no file" in faults
    assert any(fault.endswith("low_blur_noise: missing") for fault in faults)


def test_what_is_no_part_of_it_is_told(dataset, tmp_path):
    pack(dataset, tmp_path / "out", FORMS["webdataset"])
    (tmp_path / "out" / "train-000009.tar").write_bytes(b"")
    assert verify(tmp_path / "out")[1] == ["train-000009.tar: is not among its contents"]
    pack(dataset, tmp_path / "sub", FORMS["sub-images"])
    (tmp_path / "sub/train/low_blur.lmdb/meta_info.txt").write_text("0000/0001.png (24,40,3) 1\n")
    assert verify(tmp_path / "sub")[1] == ["train/low_blur.lmdb/meta_info.txt: is not as it was written"]


def test_a_second_time_nothing_is_done(dataset, tmp_path):
    first = pack(dataset, tmp_path / "out", FORMS["webdataset"])
    before = (tmp_path / "out/train-000000.tar").stat().st_mtime_ns
    assert pack(dataset, tmp_path / "out", FORMS["webdataset"]) == first
    assert (tmp_path / "out/train-000000.tar").stat().st_mtime_ns == before


def test_another_pack_is_replaced_when_asked_only(dataset, tmp_path):
    out = tmp_path / "out"
    pack(dataset, out, FORMS["webdataset"])
    with pytest.raises(UserError, match="holds a pack of another dataset, or of other options; name a new folder, or"):
        pack(dataset, out, FORMS["parquet"])
    pack(dataset, out, FORMS["parquet"], overwrite=True)
    assert verify(out) == (30, [])
    assert not list(out.glob("*.tar"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "out"]


def test_one_that_was_begun_otherwise_is_not_mixed_with(dataset, tmp_path):
    out = tmp_path / "out"

    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(dataset, out, FORMS["webdataset"], stop)
    with pytest.raises(
        UserError, match=r"\.out\.partial: holds a pack that was begun of another dataset, or with other"
    ):
        pack(dataset, out, FORMS["parquet"])
    pack(dataset, out, FORMS["parquet"], overwrite=True)
    assert verify(out) == (30, [])


def run(*words: object) -> str:
    return message(CliRunner().invoke(cli, ["pack", *map(str, words)]))


def test_what_cannot_be_packed_is_told_in_one_line(dataset, tmp_path, monkeypatch):
    out = tmp_path / "out"
    words = dataset, "--to", "webdataset", "--out"
    assert run(tmp_path / "nothing", *words[1:], out).startswith(f"{tmp_path / 'nothing'}: not a dataset made by")
    assert run(*words, dataset / "x") == f"--out {dataset / 'x'}: lies in the dataset; name another folder"
    assert run(*words, tmp_path).endswith("exists and is no pack of lolblur-synth; name a new folder")
    assert run(*words, out, "--crop", 16) == "--crop: sub-images are for lmdb; leave it out, or --to lmdb"
    lmdb = dataset, "--to", "lmdb", "--out", out
    assert "24x40" not in run(*lmdb, "--crop", 25)
    assert "40x24 is smaller than the crop of 25; set a smaller crop" in run(*lmdb, "--crop", 25)
    assert run(*lmdb, "--step", 5) == "--step: is between crops; give --crop, too"
    assert "what is between crops would be lost" in run(*lmdb, "--crop", 10, "--step", 11)
    (dataset / "train/low_blur/0000/0001.png").unlink()
    cut = dataset / "train/low_sharp/0000/0001.png"
    cut.write_bytes(cut.read_bytes()[:-9])
    told = run(*words, out)
    assert "train/low_blur/0000/0001.png: cannot be read: No such file or directory; " in told
    assert f"{cut}: is cut off; `lolblur-synth verify {dataset}` tells all that is damaged; mend it first" in told
    monkeypatch.setitem(sys.modules, "webdataset", None)
    assert run(*words, out) == (
        "--to webdataset: the package webdataset is not installed; pip install 'lolblur-synth[webdataset]'"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset"]


def test_a_pack_without_its_library_is_told(dataset, tmp_path, monkeypatch):
    pack(dataset, tmp_path / "out", FORMS["parquet"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        UserError, match=r"out: the package pyarrow is not installed; pip install 'lolblur-synth\[parquet"
    ):
        verify(tmp_path / "out")


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 2}', "\0" * 100, '{"format": 1, "files": {"../x.tar": 1}}'])
def test_damaged_contents_are_told(dataset, tmp_path, content):
    pack(dataset, tmp_path / "out", FORMS["webdataset"])
    (tmp_path / "out/pack.json").write_text(content)
    with pytest.raises(UserError, match=r"pack\.json: damaged: [^\n]*; pack it anew; this version reads format 1$"):
        verify(tmp_path / "out")


def test_a_dataset_of_another_depth_than_told_is_refused(tmp_path):
    root = make_dataset(tmp_path / "d", bits=16)
    path = root / "train/low_blur/0000/0001.png"
    path.write_bytes((make_dataset(tmp_path / "e") / "train/low_blur/0000/0001.png").read_bytes())
    with pytest.raises(UserError, match=r"low_blur/0000/0001\.png: uint8, and its record tells uint16"):
        pack(root, tmp_path / "out", FORMS["parquet"])
