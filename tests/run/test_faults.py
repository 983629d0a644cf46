"""Runs of videos with strange names, into folders that are taken away or full: the right word, and what can goes on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.manifest import MANIFEST
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.verify import verify
from lolblur_synth.run import build_sequence
from lolblur_synth.run.executors import base
from tests.support.disks import small_files
from tests.support.footage import film

SETTING = ["video.size=[128,96]", "sequences.pairs=1", "sequences.min_pairs=1", "denoise.backend=none"]
OPTIONS = [part for setting in SETTING for part in ("--set", setting)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return film(tmp_path_factory.mktemp("footage") / "a.mkv", frames=40)


@pytest.fixture
def videos(clip, tmp_path) -> Path:
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mkv").symlink_to(clip)
    return tmp_path / "v"


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *OPTIONS, *options])


def test_names_that_no_terminal_should_see(clip, tmp_path):
    """Bytes that are not UTF-8, a newline, an escape code, markup and 240 letters; stdout takes nothing but ASCII."""
    videos = tmp_path / "v"
    videos.mkdir()
    good = videos / os.fsdecode(b"caf\xe9\n|\x1b[31m[red].mkv")
    good.symlink_to(clip)
    bad = [os.fsdecode(name) for name in (b"bad\xff\n.mp4", b"\xff" * 240 + b".mp4")]
    for name in bad:
        (videos / name).write_text("no video")
    out = tmp_path / os.fsdecode(b"d\xfc")
    command = [sys.executable, "-m", "lolblur_synth", "run", "--videos", videos, "--out", out, *OPTIONS, "--verbose"]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    told = (done.stdout + done.stderr).decode("ascii")
    assert done.returncode == 1, told
    assert "Traceback" not in told
    assert "\x1b" not in told
    assert r" caf\xe9\n|\x1b" in told  # a cell of the table, which breaks it there
    assert r"not made: bad\xff\n.mp4: " in told
    assert rf"error: 2 not made; the reasons are above and in {tmp_path}/d\xfc/failed" in told
    assert [record.source.name for record in read_records(out).values()] == [r"caf\xe9\n|\x1b[31m[red].mkv"] * 2
    assert r" caf\xe9\n\|\x1b[31m[red].mkv | " in (out / "README.md").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in (out / MANIFEST).read_text(encoding="utf-8").splitlines()]
    assert [line["source"] for line in lines] == [r"caf\xe9\n|\x1b[31m[red].mkv"] * 2
    failures = [json.loads(path.read_text(encoding="utf-8")) for path in (out / "failed").iterdir()]
    assert sorted(failure["name"] for failure in failures) == [r"\xff" * 240 + ".mp4", r"bad\xff\n.mp4"]
    assert all(os.fsencode(path.name).isascii() for path in (out / "failed").iterdir())


def test_a_folder_of_pictures_may_be_named_like_a_sequence(videos, tmp_path):
    (videos / "0000-0").mkdir()
    for number in range(8):
        (videos / f"0000-0/{number}.png").write_text("no picture")
    result = run(videos, tmp_path / "d", "--capture-fps", "250")
    assert isinstance(result.exception, SequenceError)
    assert "1 not made" in str(result.exception)
    assert result.output.count(" made ") >= 2
    assert sorted(read_records(tmp_path / "d")) == ["0000-0", "0000-1"]
    (failed,) = (tmp_path / "d/failed").iterdir()
    failure = json.loads(failed.read_text())
    assert (failed.name, failure["name"], failure["kind"]) == ("0000-0.json", "0000-0", "video")


@pytest.mark.parametrize("moment", [1, 7])
def test_an_output_that_is_taken_away_is_told_and_not_half_made_anew(videos, tmp_path, monkeypatch, moment):
    """In the first sequence, and in the second, when one is complete."""
    out, write, calls = tmp_path / "d", build_sequence.write_png, [0]

    def write_and_remove(path, pixels):
        calls[0] += 1
        if calls[0] == moment:
            out.rename(tmp_path / "gone")  # at once: other threads write into it while it is removed
            shutil.rmtree(tmp_path / "gone")
        write(path, pixels)

    monkeypatch.setattr(build_sequence, "write_png", write_and_remove)
    result = run(videos, out)
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == (f"out {out}: was removed or emptied during the run; run the same command again")
    assert not out.exists()
    monkeypatch.undo()
    assert run(videos, out).exit_code == 0
    assert verify(out) == (10, [])


def test_an_output_that_is_taken_away_before_a_sequence_is_published(videos, tmp_path, monkeypatch):
    out, build = tmp_path / "d", base.build_sequence

    def build_and_remove(*arguments):
        build(*arguments)
        out.rename(tmp_path / "gone")

    monkeypatch.setattr(base, "build_sequence", build_and_remove)
    assert "was removed or emptied during the run" in str(run(videos, out).exception)
    assert not out.exists()


def test_a_disk_that_is_full_when_all_is_made(videos, tmp_path, monkeypatch):
    out = tmp_path / "d"
    with small_files(60_000):  # less than the contact sheet takes
        result = run(videos, out)
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == (
        f"out {out}: the manifest and the card cannot be written: File too large; "
        "the sequences are kept; make room and run the same command again"
    )
    assert verify(out) == (10, [])
    monkeypatch.setattr(base, "build_sequence", lambda *_: pytest.fail("it makes them again"))
    assert run(videos, out).exit_code == 0
    assert (out / "README.md").is_file()
    assert not list(out.rglob("*.partial"))
    for path in out.glob("*/low_blur/0000/*.png"):
        path.unlink()
    told = str(run(videos, out).exception)
    assert "low_blur/0000/0001.png: cannot be read" in told
    assert f"; `lolblur-synth verify {out}` tells all that is damaged" in told


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"seed: \xff", b"- 1\n", b"a: &a [1]\nb: *a\n"])
def test_damaged_settings_of_a_dataset_are_told_and_can_be_written_anew(videos, tmp_path, monkeypatch, content):
    out = tmp_path / "d"
    out.mkdir()
    (out / SETTINGS).write_bytes(content)
    result = run(videos, out)
    assert isinstance(result.exception, UserError)
    told = str(result.exception)
    assert told.startswith(f"{out / SETTINGS}: ")
    assert told.endswith("damaged; overwrite writes it anew and keeps the sequences that the settings of this run made")
    assert (out / SETTINGS).read_bytes() == content


def test_links_to_empty_folders_may_be_there_before_the_dataset(videos, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "disk" / split).mkdir(parents=True)
    out = tmp_path / "d"
    out.mkdir()
    (out / "train").symlink_to(tmp_path / "disk/train")
    assert run(videos, out).exit_code == 0
    assert verify(out) == (10, [])
    assert len(list((tmp_path / "disk/train").rglob("*.png"))) == 10
    other = tmp_path / "e"
    other.mkdir()
    (other / "train").symlink_to(tmp_path / "disk/train")  # which holds pictures now
    assert "not empty and not a dataset" in str(run(videos, other).exception)
