"""HDR footage, end to end: a lamp's streak has its light, and what records, card and commands say of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.video.images import quantize, read_image, write_png
from lolblur_synth.video.light import as_srgb
from tests.support.footage import SMALL
from tests.support.hdr import film
from tests.support.light import night, write_light

FRAMES, SIZE, LAMP = 58, (128, 96), 3.0
SETTINGS = ("denoise.backend=none", "darken.dim=1", "defocus.probability=0", "interpolate.backend=linear")
PLAIN = [word for one in SETTINGS for word in ("--set", one)] + ["--capture-fps", "250"]


def lights() -> list[np.ndarray]:
    return [night(number, SIZE, lamp=LAMP) for number in range(FRAMES)]


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *SMALL, *PLAIN, *options])


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("hdr")
    (root / "in").mkdir()
    film(root / "in/a.mp4", lights(), "hlg", "libx265", "yuv444p10le")
    film(root / "in/b.mkv", lights(), "pq", "ffv1", "yuv444p12le")
    color = {"colorspace": 6, "color_primaries": 9, "color_trc": 18, "color_range": 1}
    film(root / "in/c.mkv", lights()[:50], color=color)
    result = run(root / "in", root / "out")
    assert "its colours contradict each other: HLG with primaries bt2020, but bt601 matrix" in result.output
    assert "bt601 matrix; set video.matrix" in result.output
    return root


def test_records_and_card_say_what_the_footage_is(made):
    records = read_records(made / "out")
    assert {(r.source.codec, r.source.transfer, r.source.primaries) for r in records.values()} == {
        ("hevc", "hlg", "bt2020"),
        ("ffv1", "pq", "bt2020"),
    }
    assert {(r.source.white, r.source.holds_light, r.draws.streak) for r in records.values()} == {(1.0, True, 0.0)}
    card = (made / "out/README.md").read_text()
    assert "4. Reverse clipping: off in 4 of 4 sequences, whose footage holds its highlights" in card


def test_the_ground_truth_is_the_light_clipped_at_white(made):
    for record in read_records(made / "out").values():
        for pair in record.pairs:
            expected = linear_to_srgb(torch.from_numpy(night(pair.center, SIZE, lamp=LAMP).transpose(2, 0, 1)))
            place = image_path(record.split, "high_sharp_original", record.video, pair.number)
            truth = read_image(made / "out" / place)
            assert (truth - expected.clamp(0, 1)).abs().max() < 0.06
            assert (truth - expected.clamp(0, 1)).abs().mean() < 0.006


def test_a_lamps_streak_is_nearer_to_its_light_than_reverse_clipping_of_clipped_footage(made, tmp_path):
    """Against the average of the light itself, which float EXR of the same scene gives by the same method."""
    for number, light in enumerate(lights()):
        write_light(tmp_path / "exr/a" / f"{number:04}.exr", light)
        (tmp_path / "sdr/a").mkdir(parents=True, exist_ok=True)
        write_png(tmp_path / "sdr/a" / f"{number:04}.png", quantize(as_srgb(light, 1), 8))
    fixed = ["darken.exposure=[0.15,0.15]", "sequences.shutter_ms=[24]", "noise.model=none", "sequences.per_video=1"]
    options = [word for one in fixed for word in ("--set", one)]
    (tmp_path / "hlg").mkdir()
    (tmp_path / "hlg/a.mp4").symlink_to(made / "in/a.mp4")
    blurs = {}
    for name in ("exr", "sdr", "hlg"):
        assert run(tmp_path / name, tmp_path / "out" / name, *options).exit_code == 0
        records = read_records(tmp_path / "out" / name).values()
        places = [
            image_path(record.split, "low_blur", record.video, pair.number)
            for record in records
            for pair in record.pairs
        ]
        blurs[name] = srgb_to_linear(torch.stack([read_image(tmp_path / "out" / name / place) for place in places]))
    errors = {name: (blurs[name] - blurs["exr"]).square().mean().log10().item() for name in ("sdr", "hlg")}
    assert 10 * (errors["sdr"] - errors["hlg"]) > 10  # dB


def test_commands_that_write_videos_refuse_it_in_one_line(made, tmp_path):
    clip, out = str(made / "in/a.mp4"), str(tmp_path / "out")
    for words in ("denoise --capture-fps 250", "interpolate --capture-fps 250 --fps 500", "darken --exposure 0.2"):
        name = f"{out}.mkv" if "fps" in words else out
        result = CliRunner().invoke(cli, [*words.split(), "--input", clip, "--out", name])
        told = str(result.exception)
        assert (f"{clip}: its transfer is HLG, not SDR; convert it first: ffmpeg -i IN") in told
        assert "\n" not in told
