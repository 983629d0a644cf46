"""Folders of numbered DNG, end to end: what a dataset of them holds, and what its records say."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from lolblur_synth.apps.camera_file import as_yaml
from lolblur_synth.cli.main import cli
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.video.images import read_image
from lolblur_synth.video.light import as_srgb, read_raw_light
from tests.support.footage import SMALL
from tests.support.light import night
from tests.support.raws import write_mosaic

FRAMES, SIZE = 58, (128, 96)
RATE = ("--capture-fps", "250")
PLAIN = ("--set", "denoise.backend=none", "--set", "darken.dim=1", "--set", "defocus.probability=0", *RATE)


def film(folder: Path, step: float = 2.0) -> Path:
    for number in range(FRAMES):
        write_mosaic(folder / f"{number:04d}.dng", night(number, SIZE, step, lamp=6.0))
    return folder


def run(videos: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["run", "--videos", str(videos), "--out", str(out), *SMALL, *PLAIN, *options])


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    film(root / "in/a")
    broken = film(root / "in/b", step=1.0)
    whole = (broken / "0030.dng").read_bytes()
    (broken / "0030.dng").write_bytes(whole[:3000])
    other = film(root / "in/c", step=0.5)
    write_mosaic(other / "0030.dng", night(30, SIZE), "BGGR")
    result = run(root / "in", root / "out")
    assert "not made: b: " in result.output
    assert "0030.dng: not a RAW file that can be decoded: it is cut off" in result.output
    assert "not made: c: " in result.output
    assert "it has mosaic BGGR and white level 16383, the first RGGB and 16383" in result.output
    return root


def test_what_ends_at_saturation_has_its_lights_by_reverse_clipping(root):
    for record in read_records(root / "out").values():
        source = record.source
        assert (source.codec, source.white, source.saturation, source.holds_light) == ("dng", 1, 1, False)
        assert record.draws.streak > 0
        assert source.raw is not None
        assert (source.raw.pattern, source.raw.white, source.raw.gains_source) == ("RGGB", 16383, "as shot")
        assert source.raw.gains == pytest.approx((2, 1, 1.6))
        for pair in record.pairs:
            light, _ = read_raw_light(root / f"in/a/{pair.center:04d}.dng", 2**20)
            place = image_path(record.split, "high_sharp_original", record.video, pair.number)
            truth = read_image(root / "out" / place)
            torch.testing.assert_close(truth, as_srgb(light, 1).clamp(0, 1), atol=0.51 / 255, rtol=0)
    card = (root / "out/README.md").read_text()
    assert "where L* > 98" in card
    assert "holds its highlights" not in card


def test_what_is_exposed_below_saturation_holds_its_lights_up_to_that(root, tmp_path):
    result = run(root / "in/a", tmp_path / "out", "--set", "video.white=0.25")
    assert result.exit_code == 0, result.exception
    for record in read_records(tmp_path / "out").values():
        assert (record.source.white, record.source.saturation, record.source.holds_light) == (0.25, 1, True)
        assert record.draws.streak == 0
    assert "whose footage holds its highlights" in (tmp_path / "out/README.md").read_text()


def test_white_above_saturation_is_told(root, tmp_path):
    words = ["run", "--videos", str(root / "in/a"), "--out", str(tmp_path / "out"), "--dry-run", *SMALL, *PLAIN]
    result = CliRunner().invoke(cli, [*words, "--set", "video.white=2"])
    assert "video.white is 2, and its samples saturate at 1: nothing becomes white" in " ".join(result.output.split())


def test_a_dataset_is_made_with_the_noise_of_a_camera_file(root, tmp_path, calibration):
    path = tmp_path / "mine.yaml"
    path.write_text(as_yaml(calibration))
    camera = ("--set", "noise.model=bayer", "--set", f"noise.camera={path}")
    assert run(root / "in/a", tmp_path / "out", *camera).exit_code == 0
    before = {record.id: record.fingerprint for record in read_records(tmp_path / "out").values()}
    for record in read_records(tmp_path / "out").values():
        assert record.draws.sensor is not None
        assert record.draws.sensor.camera == "mine"
        assert record.draws.sensor.converter is not None
        assert record.draws.sensor.converter.white == 16383
    again = run(root / "in/a", tmp_path / "out", *camera)
    assert again.exit_code == 0
    assert {record.id: record.fingerprint for record in read_records(tmp_path / "out").values()} == before
    path.write_text(path.read_text().replace("black: 512", "black: 500"))
    changed = run(root / "in/a", tmp_path / "out", *camera)
    assert "noise.camera.converter.black is 512 there, 500 here" in str(changed.exception)
    path.unlink()
    assert CliRunner().invoke(cli, ["verify", str(tmp_path / "out")]).exit_code == 0


@pytest.fixture(scope="module")
def calibration(tmp_path_factory):
    from lolblur_synth.apps.calibrate import calibrate
    from tests.support.raws import NoisySensor

    root = tmp_path_factory.mktemp("camera")
    sensor = NoisySensor((256, 128), gain=2.0, read=4.0, row=1.0)
    sensor.write_series(root / "dark", (0.0,), 3)
    sensor.write_series(root / "flat", (1000.0, 6000.0))
    return calibrate(root / "dark", root / "flat", None, "mine", lambda done, total: None)
