"""The `denoise` command: cleaner than what went in, nothing else changed."""

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from rich.console import Console
from torch import Tensor

from lolblur_synth.apps import denoise
from lolblur_synth.apps.denoise import DenoiseOptions, denoise_video
from lolblur_synth.apps.transcoding import Listener
from lolblur_synth.cli.main import cli
from lolblur_synth.cli.progress import frame_progress
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.video.images import quantize, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames, read_stored
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.commands import message
from tests.support.footage import film

FPS = Fraction(240000, 1001)
SIGMA = 12.0


def call(source: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(cli, ["denoise", "--input", str(source), "--out", str(out), *options])


def frames_of(path: Path) -> list[Tensor]:
    found = scan(probe(path))
    return list(read_frames(found, 0, found.frames))


def with_noise(frames: Iterable[Tensor]) -> Iterator[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (frame + torch.randn(frame.shape, generator=generator) * (SIGMA / 255) for frame in frames)


def error(frames: list[Tensor], truth: list[Tensor]) -> float:
    return float((torch.stack(frames) - torch.stack(truth)).square().mean().sqrt()) * 255


def sigma_in(line: str) -> float:
    return float(line.split("sigma ")[1].split()[0])


@pytest.fixture(scope="module")
def truth(tmp_path_factory) -> list[Tensor]:
    return frames_of(film(tmp_path_factory.mktemp("truth") / "a.mkv", frames=16))


@pytest.fixture(scope="module")
def noisy(truth, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("noisy") / "a.mkv"
    write_video(path, with_noise(truth), FPS)
    return path


def test_noise_goes_and_the_rest_stays(truth, noisy, tmp_path):
    result = call(noisy, tmp_path / "out.mkv", "--compare", str(tmp_path / "c.png"))
    assert result.exit_code == 0, result.exception
    assert len(result.output.splitlines()) == 1
    for part in ("frames 0 to 15: sigma ", "sRGB", "a 0 0 0, b 2.", "white", "vbm4d best", "s per frame"):
        assert part in result.output
    assert sigma_in(result.output) == pytest.approx(SIGMA, rel=0.05)
    info = probe(tmp_path / "out.mkv")
    assert (info.bit_depth, info.width, info.height) == (8, 128, 96)
    assert float(info.stored_fps) == pytest.approx(float(FPS), rel=1e-5)
    clean = frames_of(tmp_path / "out.mkv")
    assert len(clean) == 16
    assert error(clean, truth) < 0.3 * error(frames_of(noisy), truth)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.png", "out.mkv"]


def test_a_comparison_shows_the_middle_frame_and_its_centre(noisy, tmp_path):
    assert call(noisy, tmp_path / "out.mkv", "--preset", "fast", "--compare", str(tmp_path / "c.png")).exit_code == 0
    picture = read_pixels(tmp_path / "c.png")
    assert picture.shape == (2 * 96, 2 * 128, 3)
    before, after = (quantize(frames_of(path)[8]) for path in (noisy, tmp_path / "out.mkv"))
    assert np.array_equal(picture[:96, :128], before)
    assert np.array_equal(picture[:96, 128:], after)
    assert np.array_equal(picture[96::3, :128:3], before[32:64, 42:85])
    assert np.array_equal(picture[98::3, 129::3], after[32:64, 42:85])


def test_deeper_footage_stays_deep(truth, tmp_path):
    write_video(tmp_path / "deep.mkv", with_noise(truth), FPS, bit_depth=16)
    result = call(tmp_path / "deep.mkv", tmp_path / "out.mp4")
    assert isinstance(result.exception, UserError)
    assert "the 16 bits of deep.mkv need a file that ends in .mkv" in message(result)
    assert call(tmp_path / "deep.mkv", tmp_path / "out.mkv", "--preset", "fast").exit_code == 0
    clean = frames_of(tmp_path / "out.mkv")
    codes = torch.stack(clean).mul(65535).round().long()
    assert probe(tmp_path / "out.mkv").bit_depth == 16
    assert (codes % 257 != 0).float().mean() > 0.9  # more than 8-bit levels
    assert error(clean, truth) < 0.4 * SIGMA


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_clean_footage_is_left_as_it_is(truth, tmp_path, bit_depth):
    write_video(tmp_path / "clean.mkv", truth, FPS, bit_depth=bit_depth)
    result = call(tmp_path / "clean.mkv", tmp_path / "out.mkv")
    assert result.exit_code == 0, result.exception
    assert "clean, left as it is" in result.output
    assert torch.equal(torch.stack(frames_of(tmp_path / "out.mkv")), torch.stack(truth))


def test_every_scene_has_its_own_noise(truth, tmp_path):
    negative = [1 - frame.flip(2) for frame in truth]
    write_video(tmp_path / "two.mkv", [*truth, *with_noise(negative)], FPS)
    result = call(tmp_path / "two.mkv", tmp_path / "out.mp4", "--preset", "fast")
    assert result.exit_code == 0, result.exception
    first, second = result.output.splitlines()
    assert first.startswith("frames 0 to 15: sigma 0.")
    assert "clean" in first
    assert second.startswith("frames 16 to 31: ")
    assert sigma_in(second) == pytest.approx(SIGMA, rel=0.05)
    clean = frames_of(tmp_path / "out.mp4")
    assert torch.equal(torch.stack(clean[:16]), torch.stack(truth))
    assert error(clean[16:], negative) < 0.4 * SIGMA


def test_numbered_images_and_the_other_backend(truth, tmp_path):
    (tmp_path / "in").mkdir()
    for number, frame in enumerate(with_noise(truth[:3]), 7):
        write_png(tmp_path / f"in/{number:03d}.png", quantize(frame[:, :48, :48]))
    command = (tmp_path / "in", tmp_path / "out.mkv", "--backend", "bm4d", "--sigma", "12")
    assert "give --capture-fps" in message(call(*command))
    result = call(*command, "--capture-fps", "30")
    assert result.exit_code == 0, result.exception
    assert "sigma 12.00 of 255" in result.output
    assert "; bm4d, " in result.output
    assert probe(tmp_path / "out.mkv").stored_fps == 30
    assert error(frames_of(tmp_path / "out.mkv"), [frame[:, :48, :48] for frame in truth[:3]]) < 0.6 * SIGMA


def test_frames_are_written_while_others_are_read(truth, tmp_path, monkeypatch):
    """However long a video is, only as many frames are held as the denoiser looks ahead."""
    read, most = [0], [0]

    def count(*arguments) -> Iterator[Tensor]:
        for frame in read_stored(*arguments):
            read[0] += 1
            yield frame

    def notice(done: int, total: int) -> None:
        most[0] = max(most[0], read[0] - done)

    write_video(tmp_path / "long.mkv", with_noise([*truth, *truth[-2::-1], *truth[1:]]), FPS)
    monkeypatch.setattr(denoise, "read_stored", count)
    out = tmp_path / "o.mkv"
    denoise_video(
        tmp_path / "long.mkv", out, DenoiseOptions(preset="fast", device="cpu"), listener=Listener(notice, pytest.fail)
    )
    assert read[0] == 46
    assert most[0] < 20


@pytest.mark.parametrize("sigma", ["0", "-3", "nan", "inf", "101", "much", ""])
def test_sigmas_that_make_no_sense(noisy, tmp_path, sigma):
    result = call(noisy, tmp_path / "out.mkv", f"--sigma={sigma}")
    assert isinstance(result.exception, UserError)
    assert f"--sigma {sigma}: write auto" in message(result)


@pytest.mark.parametrize(
    ("source", "out", "compare", "told"),
    [
        ("none.mkv", "o.mkv", "c.png", "none.mkv: there is no such file"),
        ("in.mkv", "no/o.mkv", "c.png", "does not exist; make it first"),
        ("in.mkv", "o.mkv", "no/c.png", "does not exist; make it first"),
        ("in.mkv", "o.avi", "c.png", "ends in .mkv or .mp4"),
        ("in.mkv", "o.mkv", "c.jpg", "ends in .png"),
        ("in.mkv", "there.mkv", "c.png", "there.mkv: exists; name another file, or --overwrite"),
        ("in.mkv", "o.mkv", "there.png", "there.png: exists; name another file, or --overwrite"),
        ("in.mkv", "in.mkv", "c.png", "would replace the input"),
        ("in.mkv", "link.mkv", "c.png", "would replace the input"),
        ("in.mkv", "folder.mkv", "c.png", "is a folder"),
        ("folder.mkv", "o.mkv", "folder.mkv/3.png", "lies among the input's images"),
    ],
)
def test_requests_that_cannot_be_met(tmp_path, source, out, compare, told):
    for name in ("in.mkv", "there.mkv", "there.png"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "link.mkv").symlink_to(tmp_path / "in.mkv")
    (tmp_path / "folder.mkv").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    result = call(tmp_path / source, tmp_path / out, "--compare", str(tmp_path / compare))
    assert isinstance(result.exception, UserError)
    assert told in message(result)
    assert len(message(result).splitlines()) == 1
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}


def test_a_damaged_video_leaves_what_was_there(noisy, tmp_path):
    (tmp_path / "half.mkv").write_bytes(noisy.read_bytes()[: noisy.stat().st_size // 2])
    (tmp_path / "o.mkv").write_text("a result of before")
    result = call(tmp_path / "half.mkv", tmp_path / "o.mkv", "--overwrite")
    assert isinstance(result.exception, SequenceError)
    assert (tmp_path / "o.mkv").read_text() == "a result of before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.mkv", "o.mkv"]


def test_a_failure_on_the_way_leaves_what_was_there(noisy, tmp_path, monkeypatch):
    def fail(*arguments) -> Iterator[Tensor]:
        yield from list(read_stored(*arguments))[:8]
        raise SequenceError("gone")

    monkeypatch.setattr(denoise, "read_stored", fail)
    (tmp_path / "o.mkv").write_text("a result of before")
    result = call(noisy, tmp_path / "o.mkv", "--overwrite", "--preset", "fast", "--compare", str(tmp_path / "c.png"))
    assert isinstance(result.exception, SequenceError)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["a result of before"]
    monkeypatch.undo()
    assert call(noisy, tmp_path / "o.mkv", "--overwrite", "--preset", "fast").exit_code == 0
    assert len(frames_of(tmp_path / "o.mkv")) == 16


def test_a_terminal_shows_how_fast_it_goes():
    shown = io.StringIO()
    with frame_progress(Console(file=shown, force_terminal=True, width=120)) as show:
        show(0, 8)
        show(8, 8)
    assert "8/8" in shown.getvalue()
    assert "frames/s" in shown.getvalue()
    quiet = io.StringIO()
    with frame_progress(Console(file=quiet)) as show:
        show(8, 8)
    assert quiet.getvalue() == ""


def test_at_a_varying_rate_every_frame_comes_out_once_at_its_own_time(truth, tmp_path):
    times = [Fraction(n, 30) if n < 6 else Fraction(n - 4, 10) for n in range(17)]
    for name, frames in (("clean.mp4", truth), ("noisy.mkv", list(with_noise(truth)))):
        write_video(tmp_path / name, frames, times)
    assert call(tmp_path / "clean.mp4", tmp_path / "a.mp4").exit_code == 0
    result = call(tmp_path / "noisy.mkv", tmp_path / "b.mkv", "--preset", "fast")
    assert "noisy.mkv: its 16 frames are 33.3 to 100 ms apart; each is written once, at its own time" in result.output
    assert "frames 0 to 15: sigma " in result.output
    a, b = (scan_stored(probe(tmp_path / name)) for name in ("a.mp4", "b.mkv"))
    assert list(a.shown) == times
    assert max(abs(one - other) for one, other in zip(b.shown, times, strict=True)) < Fraction(1, 1_000_000)
    assert torch.equal(torch.stack(list(read_stored(a))), torch.stack(truth))
    assert error(list(read_stored(b)), truth) < 0.4 * SIGMA
