"""What a person types, and what comes back."""

import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result

from lolblur_synth.cli.main import cli
from lolblur_synth.core.colorimetry import lightness
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.video.images import read_image, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.clips import add_sound, encode, scene, turn
from tests.support.footage import film


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lolblur_synth", *arguments], capture_output=True, text=True, check=False
    )


def picture(path: Path, seed: int = 0, dtype: type = np.uint8) -> Path:
    """A smooth colourful picture."""
    coarse = np.random.default_rng(seed).random((6, 8, 3), np.float32)
    smooth = cv2.resize(coarse, (128, 96), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    write_png(path, (smooth * np.iinfo(dtype).max).astype(dtype))
    return path


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command there is, with the words that call it."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


@pytest.mark.parametrize("words", [words for words, _ in commands(cli)], ids=" ".join)
def test_every_command_and_option_explains_itself(words: tuple[str, ...]):
    result = call(*words, "--help")
    assert result.exit_code == 0
    assert "Usage:" in result.output
    command = dict(commands(cli))[words]
    assert command.help
    assert [option.opts for option in command.params if isinstance(option, click.Option) and not option.help] == []


def test_user_errors_are_one_line_and_exit_2(tmp_path):
    done = shell("run", "--videos", str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_wrong_options_exit_2():
    assert shell("run").returncode == 2
    assert shell("run", "--nonsense").returncode == 2


def test_cuda_asked_for_and_absent(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "v").mkdir()
    result = call("run", "--videos", str(tmp_path / "v"), "--device", "cuda")
    assert isinstance(result.exception, UserError)
    assert "device cuda" in str(result.exception)


def test_config_show_is_what_a_run_uses(tmp_path):
    shown = call("config", "show", "--config", "night", "--seed", "7", "--size", "640x360", "--workers", "2")
    config = yaml.safe_load(shown.output)
    assert (config["seed"], config["video"]["size"], config["run"]["workers"]) == (7, [640, 360], 2)
    assert config["darken"]["exposure"] == [0.05, 0.16]
    (tmp_path / "mine.yaml").write_text(shown.output)
    assert call("config", "show", "--config", str(tmp_path / "mine.yaml")).output == shown.output


def test_presets_are_listed_with_their_commands():
    listed = dict(line.split() for line in call("config", "presets").output.splitlines())
    assert {listed[name] for name in ("default", "paper", "night", "fast", "demo")} == {"run"}
    assert listed["train_ecdce"] == "train-ecdce"
    assert listed["train_lednet"] == listed["train_lednet_small"] == "train-lednet"


def test_doctor_finds_what_is_bundled():
    result = call("doctor")
    assert result.exit_code == 0, result.output
    for part in ("ec_zero_dce", "flow", "bm4d", "torch", "cores", "GB free"):
        assert part in result.output


def test_doctor_tells_where_caches_are_and_how_large(tmp_path, monkeypatch):
    monkeypatch.setenv("LOLBLUR_CACHE", str(tmp_path / "kept"))
    assert f"{tmp_path / 'kept'}: empty" in call("doctor").output
    (tmp_path / "kept/scans/more").mkdir(parents=True)
    (tmp_path / "kept/scans/a.scan").write_bytes(bytes(1_500_000))
    (tmp_path / "kept/scans/more/b.scan").write_bytes(bytes(500_000))
    assert f"{tmp_path / 'kept'}: scans 2.0 MB" in call("doctor").output


def test_darken_a_picture_to_an_exposure(tmp_path):
    source = picture(tmp_path / "a.png")
    result = call("darken", "--input", str(source), "--out", str(tmp_path / "dark"), "--exposure", "0.1")
    assert result.exit_code == 0, result.output
    before, after = read_image(source), read_image(tmp_path / "dark/a.png")
    assert (after <= before + 1e-6).all()
    assert lightness(after).mean().item() == pytest.approx(0.1, abs=0.04)
    assert json.loads((tmp_path / "dark/exposures.json").read_text()) == {"a.png": 0.1}


def test_darken_a_folder_draws_per_picture_and_keeps_the_depth(tmp_path):
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in/a.png", 0)
    picture(tmp_path / "in/b.png", 1, np.uint16)
    command = ("darken", "--input", str(tmp_path / "in"), "--exposure", "0.05:0.3")
    assert call(*command, "--out", str(tmp_path / "x")).exit_code == 0
    assert call(*command, "--out", str(tmp_path / "y")).exit_code == 0
    drawn = json.loads((tmp_path / "x/exposures.json").read_text())
    assert len(set(drawn.values())) == 2
    assert all(0.05 <= value <= 0.3 for value in drawn.values())
    for name, dtype in (("a.png", np.uint8), ("b.png", np.uint16)):
        assert read_pixels(tmp_path / "x" / name).dtype == dtype
        assert np.array_equal(read_pixels(tmp_path / "x" / name), read_pixels(tmp_path / "y" / name))


def test_darken_a_video(tmp_path):
    clip = film(tmp_path / "clip.mkv", frames=6)
    assert call("darken", "--input", str(clip), "--out", str(tmp_path / "d"), "--exposure", "0.1").exit_code == 0
    dark = scan(probe(tmp_path / "d/clip.mkv"))
    assert dark.frames == 6
    assert dark.info.stored_fps == 250
    means = [frame.mean().item() for frame in read_frames(dark, 0, 6, "source")]
    assert max(means) < 0.2
    assert max(means) / min(means) < 1.05
    assert dark.info.bit_depth == 8


def test_a_dark_video_keeps_each_frame_at_its_time_and_tells_of_its_sound(tmp_path):
    pictures, pts = scene(6), [0, 3000, 6000, 15_000, 24_000, 33_000]
    options = {"qp": "0", "preset": "ultrafast"}
    clip = encode(
        tmp_path / "a.mp4", pictures, "libx264rgb", "rgb24", 30, Fraction(1, 90_000), pts.__getitem__, options
    )
    turn(clip, 90)
    result = call("darken", "--input", str(clip), "--out", str(tmp_path / "d"), "--exposure", "0.3")
    assert "a.mp4: its 6 frames are 33.3 to 100 ms apart; each is written once, at its own time" in result.output
    dark = scan_stored(probe(tmp_path / "d/a.mkv"))
    assert (dark.info.width, dark.info.height) == (64, 96)  # upright
    assert [round(time * 90_000) for time in dark.shown[:-1]] == pts
    loud = add_sound(encode(tmp_path / "loud.mkv", pictures, "ffv1", "bgr0"), tmp_path / "b.mkv", Fraction(0))
    result = call("darken", "--input", str(loud), "--out", str(tmp_path / "d"), "--exposure", "0.3")
    assert result.exit_code == 0
    assert "b.mkv: its sound is not in b.mkv; to add it: ffmpeg -i " in result.output


def test_a_dark_video_has_the_depth_of_its_source(tmp_path):
    frames = torch.rand(4, 3, 64, 80, generator=torch.Generator().manual_seed(0))
    write_video(tmp_path / "clip.mkv", frames, Fraction(250), bit_depth=16)
    assert call("darken", "--input", str(tmp_path / "clip.mkv"), "--out", str(tmp_path / "d")).exit_code == 0
    assert probe(tmp_path / "d/clip.mkv").bit_depth == 16


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", b'{"a.png": "dark"}', b'{"a.png": {}}'])
def test_exposures_that_are_damaged_are_not_replaced(tmp_path, content):
    source = picture(tmp_path / "a.png")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/exposures.json").write_bytes(content)
    result = call("darken", "--input", str(source), "--out", str(tmp_path / "d"), "--exposure", "0.1")
    assert isinstance(result.exception, UserError)
    assert "exposures.json: not the list of exposures that darken writes" in str(result.exception)
    assert (tmp_path / "d/exposures.json").read_bytes() == content


@pytest.mark.parametrize("exposure", ["dark", "0.3:0.1", "0", "1.5", "-0.1", "0.1:", ":0.1"])
def test_exposures_that_make_no_sense(tmp_path, exposure):
    source = picture(tmp_path / "a.png")
    result = call("darken", "--input", str(source), "--out", str(tmp_path / "d"), f"--exposure={exposure}")
    if exposure == "0.1:":
        assert result.exit_code == 0  # an open range is its low end
    else:
        assert isinstance(result.exception, UserError)
        assert not (tmp_path / "d").exists()


def test_darken_never_replaces_its_input_or_other_files(tmp_path):
    source = picture(tmp_path / "a.png")
    before = source.read_bytes()
    result = call("darken", "--input", str(source), "--out", str(tmp_path), "--exposure", "0.1", "--overwrite")
    assert isinstance(result.exception, UserError)
    assert source.read_bytes() == before
    other = picture(tmp_path / "d.png", 3)
    (tmp_path / "out").mkdir()
    other.rename(tmp_path / "out/a.png")
    assert isinstance(call("darken", "--input", str(source), "--out", str(tmp_path / "out")).exception, UserError)


def test_darken_of_nothing(tmp_path):
    assert isinstance(call("darken", "--input", str(tmp_path / "x"), "--out", str(tmp_path / "d")).exception, UserError)
    (tmp_path / "empty").mkdir()
    result = call("darken", "--input", str(tmp_path / "empty"), "--out", str(tmp_path / "d"))
    assert "no pictures" in str(result.exception)


def test_weights_of_another_network(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    result = call(
        "darken", "--input", str(picture(tmp_path / "a.png")), "--out", str(tmp_path / "d"),
        "--weights", str(tmp_path / "w.safetensors"),
    )  # fmt: skip
    assert isinstance(result.exception, UserError)


def test_train_and_darken_with_the_result(tmp_path):
    """The trainer's command, end to end: photographs in, weights out, and they darken."""
    (tmp_path / "photos").mkdir()
    for index in range(4):
        picture(tmp_path / f"photos/{index}.png", index)
    command = (
        "train-ecdce", "--images", str(tmp_path / "photos"), "--out", str(tmp_path / "run"), "--steps", "3",
        "--set", "crop=64", "--set", "batch=2", "--set", "net.width=4", "--set", "net.scale=4",
    )  # fmt: skip
    result = call(*command)
    assert result.exit_code == 0, (result.output, result.exception)
    weights = Path(result.output.split("weights: ")[1].strip())
    assert weights.is_file()
    result = call(
        "darken", "--input", str(tmp_path / "photos/0.png"), "--out", str(tmp_path / "d"), "--weights", str(weights)
    )
    assert result.exit_code == 0, result.exception


def test_stats_tells_means_bands_and_what_is_unreadable(tmp_path):
    for name, value in (("a/1.png", 20), ("b/1.png", 200)):
        (tmp_path / name).parent.mkdir()
        write_png(tmp_path / name, np.full((16, 16, 3), value, np.uint8))
    result = call("stats", str(tmp_path))
    assert result.exit_code == 0, result.exception
    rows = {cells[1].strip(): cells[2:] for line in result.output.splitlines() if len(cells := line.split("│")) > 5}
    assert [rows[name][1].strip() for name in ("a", "b", "outside", "real nights")] == [
        "20.0", "high 200.0", "50%", "13.1 to 29.1",
    ]  # fmt: skip
    (tmp_path / "b/2.png").write_bytes(b"")
    result = call("stats", str(tmp_path))
    assert "not measured: b/2.png: not a picture that can be decoded" in result.output
    assert isinstance(result.exception, SequenceError)
