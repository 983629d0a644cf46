"""Calibration of a camera on DNG whose noise is known, and frames that cannot tell."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from lolblur_synth.apps.calibrate import Calibration, calibrate, check_outputs, write_calibration
from lolblur_synth.apps.camera_file import as_yaml, describe
from lolblur_synth.apps.raw_series import RawSeries
from lolblur_synth.cli.main import cli
from lolblur_synth.config.cameras import camera_of, cameras, read_camera
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.ops.noise.camera import draw_level
from lolblur_synth.synthesis.draws import draw
from lolblur_synth.video.images import read_pixels
from tests.support.raws import SONY, NoisySensor, write_dng

SIZE = (1024, 128)  # many rows, whose noise is one number each
LIGHTS = 0.03, 0.1, 0.3, 0.6, 0.98  # of white; the last is clipped in parts


def quiet(done: int, total: int) -> None:
    assert done <= total


def sensor(pattern: str = "RGGB", bits: int = 14, tukey_lambda: float | None = None) -> NoisySensor:
    made = NoisySensor(SIZE, gain=0.6 if bits == 14 else 0.25, read=2.5, row=0.7, seed=bits)
    made.pattern, made.white, made.tukey_lambda = pattern, (1 << bits) - 1, tukey_lambda
    made.black = (511.0, 512.5, 512.0, 513.25) if bits == 14 else (64.0, 65.0, 66.5, 64.0)
    return made


def film(root: Path, made: NoisySensor, darks: int = 10, lights: tuple[float, ...] = LIGHTS, **options) -> None:
    made.write_series(root / "dark", (0.0,), darks, **options)
    made.write_series(root / "flat", tuple(light * made.white for light in lights), 2, **options)


def measure(root: Path, preset: str | None = None, flat: bool = True) -> Calibration:
    return calibrate(root / "dark", root / "flat" if flat else None, preset, "mine", quiet)


KINDS = [("RGGB", 14, None), ("BGGR", 12, 0.0), ("GRBG", 14, -0.1), ("GBRG", 12, None)]


@pytest.mark.parametrize(("pattern", "bits", "tukey_lambda"), KINDS)
def test_every_figure_is_within_three_per_cent(tmp_path, pattern, bits, tukey_lambda):
    made = sensor(pattern, bits, tukey_lambda)
    film(tmp_path, made, bits=bits if bits == 12 else 16)
    found = measure(tmp_path)
    assert found.curve is not None
    assert found.curve.gain == pytest.approx(made.gain, rel=0.03)
    assert found.dark.read**0.5 == pytest.approx(made.read, rel=0.03)
    assert found.dark.row**0.5 == pytest.approx(made.row, rel=0.03)
    assert found.dark.black == pytest.approx(made.black, abs=0.1)
    assert (found.first.pattern, found.white, found.bits) == (pattern, made.white, bits)
    if tukey_lambda is None:
        assert found.dark.tukey_lambda is None
    else:
        assert found.dark.tukey_lambda == pytest.approx(tukey_lambda, abs=0.03)
    assert found.curve.misfit < 0.03
    assert not found.notes


@pytest.fixture(scope="module")
def filmed(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("filmed")
    film(root, sensor(), darks=4)
    return root


def test_the_errors_that_are_told_are_those_of_the_figures(filmed):
    found, made = measure(filmed), sensor()
    assert found.curve is not None
    assert abs(found.curve.gain / made.gain - 1) < 4 * found.curve.gain_error
    assert abs(found.dark.read**0.5 / made.read - 1) < 4 * found.dark.read_error
    assert abs(found.dark.row**0.5 / made.row - 1) < 4 * found.dark.row_error


def test_the_file_is_a_camera_that_draws_what_was_measured(filmed, tmp_path):
    found, made = measure(filmed), sensor()
    write_calibration(found, tmp_path / "mine.yaml", tmp_path / "plot.png")
    read = read_camera(tmp_path / "mine.yaml")
    name, camera = camera_of(read)
    level = draw_level(camera, np.random.default_rng(0))
    span = 16383 - 512
    assert name == "mine"
    assert level.shot == pytest.approx(made.gain / span, rel=0.03)
    assert level.read**0.5 == pytest.approx(made.read / span, rel=0.03)
    assert level.row**0.5 == pytest.approx(made.row / span, rel=0.1)
    assert camera.converter is not None
    assert (camera.converter.bits, camera.converter.black, camera.converter.span) == (14, 512, span)
    np.testing.assert_allclose(np.array(camera.matrices[0]) / 10000, SONY, atol=1e-4)
    assert read_pixels(tmp_path / "plot.png").shape == (620, 900, 3)
    for line in (tmp_path / "mine.yaml").read_text().splitlines():
        if re.search(r"^  +\w+: \[\[", line):
            assert "# its ColorMatrix1, D65" in line


def test_noise_camera_takes_the_file_and_the_settings_hold_it_whole(filmed, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(as_yaml(measure(filmed)))
    config = load(Config, [], ["noise.model=bayer", f"noise.camera={path}"])
    text = path.read_text()
    path.unlink()
    assert Config.model_validate_json(config.model_dump_json()) == config
    drawn = draw(config, "a/0")
    assert drawn.sensor is not None
    assert (drawn.sensor.camera, drawn.sensor.pattern) == ("mine", "RGGB")
    assert {draw(config, f"a/{at}").sensor.pattern for at in range(8)} == {"RGGB"}
    path.write_text(text.replace("black: 512", "black: 500"))
    other = load(Config, [], ["noise.model=bayer", f"noise.camera={path}"])
    assert other != config
    assert other.model_dump()["noise"]["camera"]["converter"]["black"] == 500


def test_of_dark_frames_alone_shot_noise_is_the_presets(filmed, tmp_path):
    found = measure(filmed, "phone", flat=False)
    assert "not measured, but that of the preset phone" in describe(found)["shot noise"]
    (tmp_path / "mine.yaml").write_text(as_yaml(found))
    camera = read_camera(tmp_path / "mine.yaml").camera()
    levels = [draw_level(camera, np.random.default_rng(seed)) for seed in range(200)]
    assert 1.2e-3 < min(level.shot for level in levels) < 1.3e-3
    assert 4.6e-3 < max(level.shot for level in levels) < 4.8e-3
    assert {round(level.read**0.5 * (16383 - 512), 2) for level in levels} == {round(found.dark.read**0.5, 2)}
    with pytest.raises(UserError, match=r"^dark: dark frames do not tell shot noise; give flat, or by camera a preset"):
        check_outputs(tmp_path / "new.yaml", None, None, None, overwrite=False)
    with pytest.raises(UserError, match=r"^camera kodak: no such camera; there are sony-a7r3"):
        check_outputs(tmp_path / "new.yaml", None, None, "kodak", overwrite=False)


def test_presets_of_every_form_lend_their_shot_noise(filmed):
    for preset, camera in cameras().items():
        found = measure(filmed, preset, flat=False)
        shots = [draw_level(camera, np.random.default_rng(seed)).shot for seed in range(60)]
        low, high = (np.exp(gain) / found.span for gain in found.log_gain)
        assert low * 0.999 <= min(shots) <= max(shots) <= high * 1.001


def test_without_a_matrix_the_file_says_what_it_lacks(tmp_path):
    made = sensor()
    film(tmp_path, made, darks=2, lights=(0.1, 0.4), matrix=None)
    found = measure(tmp_path)
    assert any("have no colour matrix" in note for note in found.notes)
    path = tmp_path / "mine.yaml"
    path.write_text(as_yaml(found))
    assert "matrices: null" in path.read_text()
    with pytest.raises(UserError, match=r"no camera: it has no colour matrix: write one"):
        load(Config, [], [f"noise.camera={path}"])
    lent = measure(tmp_path, "phone")
    path.write_text(as_yaml(lent))
    assert len(read_camera(path).matrices) == 2
    assert "those of phone" in describe(lent)["colours"]


def test_a_lower_saturation_is_seen_on_clipped_flats(tmp_path):
    made = sensor()
    film(tmp_path, made, darks=2, lights=(0.1, 0.4))
    for number in (90, 91):
        made.white = 14000
        frame = made.frame(1.3 * 16383 * made.shading())
        write_dng(tmp_path / f"flat/{number}.dng", frame, made.pattern, made.black, 16383)
    found = measure(tmp_path)
    assert found.white == 14000
    assert found.notes == ("samples saturate at 14000, below the 16383 that the files tell",)


def fails(root: Path, **options) -> str:
    with pytest.raises((UserError, SequenceError)) as caught:
        measure(root, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_frames_that_are_none_few_or_not_alike(filmed, tmp_path):
    (tmp_path / "dark").mkdir()
    assert "no RAW files" in fails(tmp_path)
    made = sensor()
    made.write(tmp_path / "dark/0.dng")
    assert "one RAW file alone in it" in fails(tmp_path)
    for change, told in (
        ({"pattern": "BGGR"}, "1.dng has mosaic BGGR, 0.dng RGGB"),
        ({"white": 16000}, "1.dng has white level 16000, 0.dng 16383"),
    ):
        write_dng(tmp_path / "dark/1.dng", made.frame(), **change)
        assert told in fails(tmp_path, flat=False, preset="phone")
    write_dng(tmp_path / "dark/1.dng", made.frame()[:-2])
    assert "1.dng has size 128x1022, 0.dng 128x1024" in fails(tmp_path, flat=False, preset="phone")
    sensor("GRBG").write_series(tmp_path / "flat", (900.0, 2000.0))
    made.write(tmp_path / "dark/1.dng")
    assert "0000.dng has mosaic GRBG, the dark frame 0.dng RGGB" in fails(tmp_path)


def test_dark_frames_that_are_not_dark(tmp_path):
    made = sensor()
    made.write_series(tmp_path / "dark", (40.0,), 2)
    assert re.search(r"are not dark: \d+\.\d above their black level of 511, of 16383; cap", fails(tmp_path))
    leak = 30 * np.exp(-(np.linspace(-9, 3, SIZE[0]) ** 2))[:, None] * np.ones(SIZE)
    for number in range(2):
        made.write(tmp_path / f"dark/000{number}.dng", leak)
    assert "brighter at one place than on the whole" in fails(tmp_path)
    made.black, made.offsets = 0.0, np.zeros(SIZE)
    for number in range(2):
        made.write(tmp_path / f"dark/000{number}.dng")
    assert "of the samples of 0000.dng and 0001.dng are 0: black is clipped off" in fails(tmp_path)
    for number in range(2):
        write_dng(tmp_path / f"dark/000{number}.dng", np.full(SIZE, 512, np.uint16))
    assert "its frames do not differ" in fails(tmp_path)


def test_flats_that_tell_no_curve(filmed, tmp_path):
    made = sensor()
    (tmp_path / "dark").symlink_to(filmed / "dark")
    flats = tmp_path / "flat"

    def with_flats(*lights: float, frames: int = 2) -> str:
        for path in flats.glob("*"):
            path.unlink()
        made.write_series(flats, lights, frames)
        return fails(tmp_path)

    assert "all of its frames are clipped" in with_flats(60000.0, 30000.0)
    assert "all that are not clipped are of one level" in with_flats(4000.0, 4100.0)
    assert "no two of its frames are of one exposure" in with_flats(1000.0, 3000.0, frames=1)
    made = NoisySensor((64, 64), gain=0.6, read=2.5)
    (tmp_path / "dark").unlink()
    made.write_series(tmp_path / "dark", (0.0,))
    assert re.search(r"too dark or too few: they tell shot noise to \d+% only", with_flats(0.2, 4.6))


def test_texture_or_motion_that_does_not_cancel(filmed, tmp_path):
    made = sensor()
    (tmp_path / "dark").symlink_to(filmed / "dark")
    made.write_series(tmp_path / "flat", (1000.0, 4000.0))
    texture = np.kron(np.random.default_rng(0).uniform(0.9, 1.1, (64, 8)), np.ones((16, 16)))
    for number, shift in ((8, 0), (9, 5)):
        made.write(tmp_path / f"flat/000{number}.dng", 8000 * np.roll(texture, shift, (0, 1)))
    assert "0008.dng and 0009.dng differ by more than noise" in fails(tmp_path)


def test_a_flat_alone_and_a_lamp_that_fades_are_no_error(filmed, tmp_path):
    made = sensor()
    (tmp_path / "dark").symlink_to(filmed / "dark")
    for number, light in enumerate((1000.0, 1010.0, 4000.0, 4080.0, 7000.0)):
        made.write(tmp_path / f"flat/{number}.dng", light * made.shading())
    found = measure(tmp_path)
    assert found.curve is not None
    assert found.curve.gain == pytest.approx(made.gain, rel=0.03)
    assert found.notes[0] == "left out, as no other flat is of their exposure: 4.dng"
    assert re.match(r"no sample exceeds 7\d+ of 16383: add a clipped flat", found.notes[1])


def test_sensors_and_files_that_are_not_read(tmp_path):
    frame = sensor().frame()
    dark = tmp_path / "dark"
    for number in range(2):
        write_dng(dark / f"{number}.dng", frame)
    whole = (dark / "0.dng").read_bytes()
    (dark / "0.dng").write_bytes(whole[:5000])
    assert re.search(r"0\.dng: not a RAW file that can be decoded: it is cut off$", fails(tmp_path))
    (dark / "0.dng").write_bytes(b"no RAW at all" * 99)
    assert "0.dng: not a RAW file that can be decoded (Unsupported file format" in fails(tmp_path)
    x_trans = bytes(map(int, "121101010212121101101121212010101121"))
    tags = [(33421, "H", 2, (6, 6), True), (33422, "B", 36, x_trans, True), (50706, "B", 4, bytes((1, 4, 0, 0)), True)]
    tifffile.imwrite(dark / "0.dng", frame, photometric="CFA", extratags=tags)
    assert "its mosaic is no Bayer pattern (X-Trans or another, 6x6)" in fails(tmp_path)
    tifffile.imwrite(
        dark / "0.dng", np.dstack([frame] * 3), photometric=34892, planarconfig="contig", extratags=tags[2:]
    )
    assert "it has no mosaic, but several colours a pixel" in fails(tmp_path)


def test_the_command_writes_all_and_replaces_nothing_unasked(filmed, tmp_path):
    out, plot = tmp_path / "my camera.yaml", tmp_path / "plot.png"
    words = ["calibrate", "--dark", str(filmed / "dark"), "--flat", str(filmed / "flat"), "--out", str(out)]
    result = CliRunner().invoke(cli, [*words, "--plot", str(plot)])
    assert result.exit_code == 0, result.exception
    assert re.search(r"^shot noise +3\.\d+e-05 of white, to 0\.\d\d%: 0\.(59|60)\d* an electron", result.output, re.M)
    assert read_camera(out).name == "my-camera"
    again = CliRunner().invoke(cli, words)
    assert "exists" in str(again.exception)
    alone = ["calibrate", "--dark", str(filmed / "dark"), "--camera", "phone", "--out", str(tmp_path / "b.yaml")]
    assert "is of flats" in str(CliRunner().invoke(cli, [*alone, "--plot", str(tmp_path / "c.png")]).exception)
    assert CliRunner().invoke(cli, alone).exit_code == 0


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("my camera", "my-camera"),
        ("2026", "camera-2026"),
        ("null", "camera-null"),
        ("-a", "camera--a"),
        ("a: b#", "a--b-"),
    ],
)
def test_names_that_are_no_words_of_yaml_are_made_ones(filmed, tmp_path, name, word):
    found = calibrate(filmed / "dark", None, "phone", name, quiet)
    (tmp_path / "a.yaml").write_text(as_yaml(replace(found, notes=("a\nb",))))
    assert read_camera(tmp_path / "a.yaml").name == word
    assert "\n# Mind: a\\nb." in (tmp_path / "a.yaml").read_text()


@pytest.mark.parametrize("name", ["absent", "file.dng"])
def test_what_is_no_folder_is_told(tmp_path, name):
    (tmp_path / "file.dng").write_bytes(b"x")
    with pytest.raises(UserError, match="no such folder"):
        RawSeries(tmp_path / name, "dark", lambda *_: None)
