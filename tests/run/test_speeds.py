"""Motion seen in planning, and shutters that are chosen by it."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.run import speeds
from lolblur_synth.run.planning import make_plan
from lolblur_synth.run.speeds import measure_speeds
from lolblur_synth.scenes import Scene, glide, render
from lolblur_synth.synthesis.sequences import AimLimit
from lolblur_synth.video import scan_cache
from lolblur_synth.video.images import read_image
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video

SIZE = (128, 176)
SPEED = 1.5  # pixels a frame


def pan(path: Path, speed: float = SPEED, frames: int = 40) -> Path:
    scene = Scene(read_image(PHOTOS / "room.jpg"), glide(0.8 * speed, 0.6 * speed), density=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_video(path, (render(scene, t, SIZE) for t in range(frames)), Fraction(250))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    return pan(tmp_path_factory.mktemp("panned") / "a.mkv").parent


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_cache, "folder", lambda: tmp_path / "scans")


def options(*more: str) -> list[str]:
    small = ["video.size=source", "sequences.pairs=2", "sequences.min_pairs=2", "sequences.per_video=1"]
    return [*small, "denoise.backend=none", "interpolate.fps=500", *more]


def run(videos: Path, out: Path, *more: str) -> Result:
    settings = [word for option in options(*more) for word in ("--set", option)]
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *settings])


@pytest.mark.parametrize(("size", "factor"), [("source", 1), ((352, 256), 2), ((88, 64), 0.5)])
def test_speeds_are_in_pixels_of_the_output(videos, size, factor):
    found = measure_speeds(scan(probe(videos / "a.mkv")), range(3, 14), size)
    assert len(found) == 10
    assert found == pytest.approx([factor * SPEED] * 10, rel=0.15)


def test_speeds_are_measured_once(videos, monkeypatch):
    known = scan(probe(videos / "a.mkv"))
    first = measure_speeds(known, range(3, 14), "source")
    monkeypatch.setattr(speeds, "dis_flow", lambda *_, **__: pytest.fail("measured again"))
    assert measure_speeds(known, range(3, 14), "source") == first
    with pytest.raises(pytest.fail.Exception):
        measure_speeds(known, range(3, 15), "source")


@pytest.mark.parametrize("damage", ["[1.0]", "[-1.0]", "nonsense", "[NaN]"])
def test_damaged_numbers_are_measured_anew(videos, monkeypatch, damage):
    known = scan(probe(videos / "a.mkv"))
    first = measure_speeds(known, range(3, 14), "source")
    monkeypatch.setattr(scan_cache, "_read", lambda name: damage.encode())
    assert measure_speeds(known, range(3, 14), "source") == first


def test_only_the_setting_asks_for_it(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(speeds, "dis_flow", lambda *_, **__: pytest.fail("measured"))
    (video,) = make_plan(videos, tmp_path / "d", load(Config, [], options()), {}).videos
    assert not video.speeds
    assert video.sequences[0].recipe.aim is None


@pytest.mark.parametrize("wanted", [6.0, 9.0, 12.0])
def test_the_wanted_blur_is_reached(videos, tmp_path, wanted):
    """Of 2 to 10 gaps: 1.5 pixels each make 3, 6, ... 15."""
    result = run(videos, tmp_path / "d", f"sequences.blur=[{wanted},{wanted}]")
    assert result.exit_code == 0, result.output
    (record,) = read_records(tmp_path / "d").values()
    assert record.aim
    assert record.aim.wanted == wanted
    assert record.aim.limit is None
    assert record.aim.reached == pytest.approx(wanted, rel=0.2)
    assert record.aim.planned == pytest.approx(record.aim.reached, rel=0.15)
    assert record.shutter.gaps == round(wanted / SPEED)
    assert record.draws.shutter_ms == record.shutter.milliseconds
    assert all(pair.last - pair.first == record.shutter.gaps for pair in record.pairs)
    assert f"for mean paths of {wanted:g} pixels, reached" in (tmp_path / "d" / "README.md").read_text()


@pytest.mark.parametrize(
    ("wanted", "gaps", "limit"), [("[40,50]", 10, AimLimit.TOO_SLOW), ("[0.5,0.5]", 2, AimLimit.TOO_FAST)]
)
def test_what_cannot_be_reached_is_told_and_the_nearest_taken(videos, tmp_path, wanted, gaps, limit):
    config = load(Config, [], options(f"sequences.blur={wanted}"))
    (video,) = make_plan(videos, tmp_path / "d", config, {}).videos
    (sequence,) = video.sequences
    assert sequence.recipe.shutter.gaps == gaps
    assert sequence.recipe.aim
    assert sequence.recipe.aim.limit is limit
    assert any(limit in warning and "sequence 0 was to be blurred by" in warning for warning in video.warnings)


def test_each_sequence_draws_its_own_and_another_seed_another(videos, tmp_path):
    def aims(seed: int) -> list[float]:
        more = ("sequences.blur=[3,15]", "sequences.per_video=2", f"seed={seed}")
        (video,) = make_plan(videos, tmp_path / "d", load(Config, [], options(*more)), {}).videos
        found = [sequence.recipe.aim.wanted for sequence in video.sequences if sequence.recipe.aim]
        assert all(3 <= wanted <= 15 for wanted in found)
        return found

    assert aims(0) == aims(0)
    assert aims(0) != aims(1)


def test_a_chosen_shutter_is_kept_when_the_run_goes_on(videos, tmp_path):
    chosen = "sequences.blur=[9,9]"
    assert run(videos, tmp_path / "d", chosen).exit_code == 0
    manifest = (tmp_path / "d" / "manifest.jsonl").read_text()
    (tmp_path / "scans").rename(tmp_path / "gone")  # so that all is measured again
    again = run(videos, tmp_path / "d", chosen)
    assert "kept" in again.output
    assert (tmp_path / "d" / "manifest.jsonl").read_text() == manifest
    assert json.loads(manifest.splitlines()[0])["draws"]["blur"] == 9
    other = run(videos, tmp_path / "d", "sequences.blur=[3,3]")
    assert isinstance(other.exception, UserError)
    assert "sequences.blur is [9.0, 9.0] there, [3.0, 3.0] here" in str(other.exception)


def test_without_flow_the_blur_that_was_reached_is_not_known(videos, tmp_path):
    assert run(videos, tmp_path / "d", "sequences.blur=[9,9]", "interpolate.backend=linear").exit_code == 0
    (record,) = read_records(tmp_path / "d").values()
    assert record.aim
    assert (record.aim.reached, record.shutter.gaps) == (None, 6)
