"""Footage of scene-linear light, end to end: what a dataset of it holds, and what is told."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.video.images import quantize, read_image, write_png
from lolblur_synth.video.light import as_srgb
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.support.footage import SMALL
from tests.support.light import night, write_light
from tests.support.staged import pictures_of

FRAMES, SIZE = 58, (128, 96)
RATE = ("--capture-fps", "250")
PLAIN = ("--set", "denoise.backend=none", "--set", "darken.dim=1", "--set", "defocus.probability=0", *RATE)


def film(folder: Path, suffix: str = ".exr", step: float = 2.0) -> Path:
    for number in range(FRAMES):
        write_light(folder / f"{number:04d}{suffix}", night(number, SIZE, step), np.float16)
    return folder


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *SMALL, *options])


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("light")
    film(root / "in/a")
    film(root / "in/b", ".tif", step=1.5)
    negative = film(root / "in/c", step=1.0)
    write_light(negative / "0030.exr", night(30, SIZE) - 1)
    smaller = film(root / "in/d", step=0.5)
    write_light(smaller / "0030.exr", night(30, (32, 32)))
    result = run(root / "in", root / "out", *PLAIN, "--set", "video.white=1.25")
    assert "not made: c: " in result.output, result.exception
    assert "negative light, down to -0." in result.output
    assert "not made: d: " in result.output
    assert "it has another size or depth than the images before" in result.output
    assert isinstance(result.exception, SequenceError)
    return root


def test_records_and_card_say_that_the_footage_holds_its_light(made):
    records = read_records(made / "out")
    assert {record.source.codec for record in records.values()} == {"exr", "tif"}
    for record in records.values():
        assert (record.source.white, record.source.holds_light, record.draws.streak) == (1.25, True, 0)
    card = (made / "out/README.md").read_text()
    assert "4. Reverse clipping: off in 4 of 4 sequences, whose footage holds its highlights" in card


def test_the_ground_truth_is_the_light_clipped_at_white(made):
    for record in read_records(made / "out").values():
        step = 2.0 if record.source.codec == "exr" else 1.5
        for pair in record.pairs:
            light = night(pair.center, SIZE, step).astype(np.float16).astype(np.float32) / 1.25
            expected = linear_to_srgb(torch.from_numpy(light.transpose(2, 0, 1))).clamp(0, 1)
            place = image_path(record.split, "high_sharp_original", record.video, pair.number)
            truth = read_image(made / "out" / place)
            torch.testing.assert_close(truth, expected, atol=0.51 / 255, rtol=0)


def test_lights_leave_longer_streaks_than_clipped_ones(made, tmp_path):
    """A pixel that a lamp of 16 times white crosses in a fraction of the exposure is white all the same."""
    for number in range(FRAMES):
        write_light(tmp_path / "in/a" / f"{number:04d}.exr", night(number, SIZE).clip(0, 1.25), np.float16)
    run(tmp_path / "in", tmp_path / "out", *PLAIN, "--set", "video.white=1.25")

    def white(root: Path) -> float:
        blurs = [
            read_image(paths["low_blur"])
            for record in read_records(root).values()
            if record.source.codec == "exr"
            for paths in pictures_of(root, record.split)
        ]
        return float(torch.stack(blurs).amin(1).ge(0.98).float().mean())

    assert white(made / "out") > 0.005
    assert white(tmp_path / "out") == 0


def test_footage_that_ends_at_white_is_the_same_in_light_and_in_pictures(tmp_path):
    for number in range(FRAMES):
        light = night(number, SIZE, lamp=0.9)
        write_light(tmp_path / "light" / f"{number:04d}.exr", light)
        (tmp_path / "shown").mkdir(exist_ok=True)
        write_png(tmp_path / "shown" / f"{number:04d}.png", quantize(as_srgb(light, 1), 16))
    light, shown = (scan(probe(tmp_path / name, 250, white=1)) for name in ("light", "shown"))
    assert light.flaws == shown.flaws
    assert light.lightness == pytest.approx(shown.lightness, abs=1e-4)
    for one, other in zip(read_frames(light, 0, FRAMES), read_frames(shown, 0, FRAMES), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


def test_commands_that_write_videos_refuse_it_in_one_line(made, tmp_path):
    words = ["denoise", "--input", str(made / "in/a"), "--out", str(tmp_path / "a.mkv"), *RATE]
    result = CliRunner().invoke(cli, words)
    assert str(result.exception) == (
        f"{made / 'in/a'}: its frames are scene-linear light, which goes on above white; make a dataset of them, or "
        "write them as PNG of 16 bits, in sRGB"
    )


def test_another_white_makes_another_dataset(made):
    result = run(made / "in/a", made / "out", *PLAIN)
    assert "video.white is 1.25 there, 1.0 here" in str(result.exception)


def test_denoised_light_is_not_kept_where_files_end_at_white(made, tmp_path):
    result = run(made / "in/b", tmp_path / "out", *RATE, "--cache-denoised", str(tmp_path / "kept"))
    assert result.exit_code == 0, result.exception
    assert not list((tmp_path / "kept").glob("*.mkv"))
