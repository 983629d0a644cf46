"""The demo: it repeats itself to the byte, and what it makes looks like night."""

import os
from contextlib import contextmanager

import pytest
import torch
from click.testing import CliRunner

from lolblur_synth.apps import demo
from lolblur_synth.cli.main import cli
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.verify import verify
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video
from tests.support.clips import scene


@contextmanager
def on_cores(count):
    """A number of cores that this thread may use, as far as the machine has them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(("name", "options"), [("a.mkv", {}), ("a.mp4", {}), ("a.mp4", {"crf": 12})])
def test_equal_frames_are_written_as_equal_bytes_on_any_number_of_cores(tmp_path, name, options):
    frames = [torch.from_numpy(picture).permute(2, 0, 1) / 255 for picture in scene(8, size=(224, 160))]
    contents = []
    for cores in (1, 2, 3, 2):
        with on_cores(cores):
            write_video(tmp_path / name, iter(frames), demo.FPS, **options)
        contents.append((tmp_path / name).read_bytes())
    assert contents == contents[:1] * 4


def test_the_clips_of_a_seed_are_the_same_however_many_threads_render_them(tmp_path, monkeypatch):
    """Digests of the decoded frames, by which everything is drawn."""
    monkeypatch.setattr(demo, "_FRAMES", 5)
    monkeypatch.setattr(demo, "_SIZE", (96, 168))
    told = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(demo, "cores", lambda count=threads: count)
        folder = demo.render_clips(tmp_path / str(threads), 0)
        told.append({path.name: scan(probe(path)).content for path in folder.iterdir()})
    assert sorted(told[0]) == ["room.mkv", "window.mkv"]
    assert told[0] == told[1] == told[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    result = CliRunner().invoke(cli, ["demo", "--out", str(out), "--set", "video.size=[336,192]"])
    assert result.exit_code == 0, (result.output, result.exception)
    assert "look at:" in result.output
    return out


def test_it_makes_a_whole_dataset(made):
    assert verify(made / "dataset") == (8 * 5, [])
    assert (made / "dataset/contact_sheet.png").is_file()
    assert {record.split for record in read_records(made / "dataset").values()} == {"train", "test"}


def test_a_run_writes_its_report_unless_told_otherwise(made):
    page = made / "dataset/report.html"
    assert "8 pairs" in page.read_text()
    (videos,) = (made / "videos").iterdir()
    run = ["run", "--config", "demo", "--videos", str(videos), "--out", str(made / "dataset")]
    run += ["--set", "video.size=[336,192]"]
    before = page.stat().st_mtime_ns
    assert CliRunner().invoke(cli, run).exit_code == 0  # nothing has changed
    assert page.stat().st_mtime_ns == before
    os.utime(page, (0, 0))  # as if a run had been stopped before it wrote this
    assert CliRunner().invoke(cli, run).exit_code == 0
    assert page.stat().st_mtime_ns >= before
    page.unlink()
    assert CliRunner().invoke(cli, [*run, "--no-report"]).exit_code == 0
    assert not page.exists()
    result = CliRunner().invoke(cli, run)
    assert "pictures of 8 of 8 pairs" in result.output
    assert page.is_file()


def test_its_pictures_measure_like_published_night_pictures(made):
    """Bands of published synthetic and real samples: mean 13 to 40, L* 3.8 to 16, at most 0.7 % saturated."""
    for record in read_records(made / "dataset").values():
        for pair in record.pairs:
            assert 13 <= pair.statistics["mean"] <= 40
            assert 3.8 <= pair.statistics["lightness"] <= 16
            assert pair.statistics["saturated"] <= 0.7
