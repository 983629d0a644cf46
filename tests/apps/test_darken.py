"""The `darken` command: each picture and video by one draw, which is kept on record."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from lolblur_synth.apps.darken import DarkenOptions, darken_path, parse_exposure
from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.core.rng import rng_for
from lolblur_synth.ops.darken import mean_lightness
from lolblur_synth.video.images import read_image, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.commands import message


def picture(path, dtype=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(0).integers(np.iinfo(dtype).max // 5, np.iinfo(dtype).max // 2, (6, 8, 3))
    write_png(path, np.kron(coarse, np.ones((8, 8, 1))).astype(dtype))
    return path


def test_pictures_become_as_dark_as_was_drawn_and_keep_their_depth(tmp_path):
    picture(tmp_path / "in/a.png")
    picture(tmp_path / "in/b.png", np.uint16)
    made = dict(darken_path(tmp_path / "in", tmp_path / "out", DarkenOptions(seed=3, device="cpu")))
    assert json.loads((tmp_path / "out/exposures.json").read_text()) == {path.name: made[path] for path in made}
    assert [path.name for path in made] == ["a.png", "b.png"]
    for path, drawn in made.items():
        assert drawn == rng_for(3, path.name, "exposure").uniform(0.05, 0.3)
        assert mean_lightness(read_image(path)) == pytest.approx(drawn, abs=0.02)
        assert read_pixels(path).dtype == read_pixels(tmp_path / "in" / path.name).dtype


def test_a_video_is_darkened_by_one_draw_and_keeps_its_times(tmp_path):
    times = [Fraction(at, 30) for at in (0, 1, 2, 5, 6)]
    write_video(tmp_path / "a.mkv", [torch.full((3, 32, 48), level) for level in (0.4, 0.5, 0.6, 0.5)], times)
    result = CliRunner().invoke(
        cli, ["darken", "--input", str(tmp_path / "a.mkv"), "--out", str(tmp_path / "out"), "--exposure", "0.1"]
    )
    assert result.exit_code == 0, result.exception
    assert result.stdout.splitlines()[-1] == f"{tmp_path / 'out/a.mkv'}  exposure 0.1000"
    scan = scan_stored(probe(tmp_path / "out/a.mkv"))
    assert [float(time) for time in scan.shown] == pytest.approx([float(time) for time in times], abs=1e-6)
    levels = [mean_lightness(frame) for frame in read_stored(scan)]
    assert sum(levels) / 4 == pytest.approx(0.1, abs=0.01)
    assert levels[0] < levels[1] < levels[2]


def test_what_cannot_be_darkened_is_named_and_the_rest_goes_on(tmp_path):
    picture(tmp_path / "in/good.png")
    (tmp_path / "in/bad.png").write_bytes(b"no picture")
    with pytest.raises(SequenceError, match=r"^1 not darkened: .*bad\.png: not a picture"):
        list(darken_path(tmp_path / "in", tmp_path / "out", DarkenOptions(device="cpu")))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["exposures.json", "good.png"]


def test_a_list_of_something_else_is_not_overwritten(tmp_path):
    picture(tmp_path / "in/a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/exposures.json").write_text('["mine"]')
    with pytest.raises(UserError, match="not the list of exposures that darken writes; move it away"):
        list(darken_path(tmp_path / "in", tmp_path / "out", DarkenOptions(device="cpu")))
    assert (tmp_path / "out/exposures.json").read_text() == '["mine"]'


@pytest.mark.parametrize(
    ("text", "bounds"), [("0.15", (0.15, 0.15)), ("0.05:0.3", (0.05, 0.3)), ("1", (1, 1)), ("0.2:", (0.2, 0.2))]
)
def test_exposures_are_a_number_or_a_range(text, bounds):
    assert parse_exposure(text) == bounds


@pytest.mark.parametrize("text", ["", "dark", "0", "0.3:0.1", "-0.1", "1.5", "0.1:0.2:0.3", "nan"])
def test_exposures_that_make_no_sense(text, tmp_path):
    command = ["darken", "--input", str(tmp_path), "--out", str(tmp_path / "out"), "--exposure", text]
    assert message(CliRunner().invoke(cli, command)).startswith(f"--exposure {text}: ")
