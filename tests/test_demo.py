"""The demo: it repeats itself to the byte, and what it makes looks like night."""

import pytest
from click.testing import CliRunner

from lolblur_synth import demo
from lolblur_synth.cli import cli
from lolblur_synth.records import read_records
from lolblur_synth.verify import verify
from lolblur_synth.video.writer import write_video


def test_equal_frames_are_encoded_to_equal_bytes(tmp_path):
    frames = list(demo._film("room", 0, map))
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write_video(tmp_path / name, iter(frames), demo.FPS, crf=12)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


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


def test_its_pictures_measure_like_published_night_pictures(made):
    """Bands of published synthetic and real samples: mean 13 to 40, L* 3.8 to 16, at most 0.7 % saturated."""
    for record in read_records(made / "dataset").values():
        for pair in record.pairs:
            assert 13 <= pair.statistics["mean"] <= 40
            assert 3.8 <= pair.statistics["lightness"] <= 16
            assert pair.statistics["saturated"] <= 0.7
