"""The `restore` command: through the network, whole or in tiles, and nothing else changed."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lolblur_synth.apps import restore as restoring
from lolblur_synth.apps.restore import in_tiles, restore
from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.nets.lednet import LEDNet, PyramidPooling
from lolblur_synth.nets.weights.checkpoint import save_weights
from lolblur_synth.video.images import dequantize, quantize, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames, read_stored
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video
from tests.support.commands import message
from tests.support.footage import film
from tests.support.lednets import narrow_lednet, save_lednet


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return save_lednet(tmp_path_factory.mktemp("weights") / "narrow.safetensors")


def call(source: Path, out: Path, weights: Path, *options: str) -> Result:
    return CliRunner().invoke(
        cli, ["restore", "--input", str(source), "--out", str(out), "--weights", str(weights), *options]
    )


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (37, 50), dtype: type = np.uint8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    write_png(path, rng.integers(0, np.iinfo(dtype).max // 4, (*size, 3)).astype(dtype))
    return path


def through_the_network(path: Path) -> np.ndarray:
    """What a picture should become, by the network itself."""
    pixels = read_pixels(path)
    with torch.no_grad():
        restored, _ = narrow_lednet()(dequantize(pixels)[None])
    return quantize(restored[0], 8 if pixels.dtype == np.uint8 else 16)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def frames_of(path: Path) -> list[Tensor]:
    found = scan(probe(path))
    return list(read_frames(found, 0, found.frames))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_of_any_size_keeps_its_size_and_depth(weights, tmp_path, dtype):
    source = picture(tmp_path / "in/a.png", dtype=dtype)
    result = call(source, tmp_path / "out", weights)
    assert result.exit_code == 0, result.exception
    assert result.output == f"{tmp_path / 'out/a.png'}\n"
    restored = read_pixels(tmp_path / "out/a.png")
    assert restored.dtype == dtype
    assert np.array_equal(restored, through_the_network(source))
    assert restored.std() > 0.05 * np.iinfo(dtype).max
    assert files(tmp_path / "out") == ["a.png"]


def test_a_folder_keeps_its_structure(weights, tmp_path):
    for number, name in enumerate(("0001/0000.png", "0001/0001.png", "0002/deep/0000.png", "top.png")):
        picture(tmp_path / "in" / name, number)
    picture(tmp_path / "in/.hidden/0.png")
    (tmp_path / "in/notes.txt").write_text("no picture")
    result = call(tmp_path / "in", tmp_path / "out", weights)
    assert result.exit_code == 0, result.exception
    found = files(tmp_path / "out")
    assert found == ["0001/0000.png", "0001/0001.png", "0002/deep/0000.png", "top.png"]
    for name in found:
        assert np.array_equal(read_pixels(tmp_path / "out" / name), through_the_network(tmp_path / "in" / name))


def test_a_comparison_shows_before_and_after(weights, tmp_path):
    source = picture(tmp_path / "a.png")
    assert call(source, tmp_path / "out", weights, "--compare").exit_code == 0
    assert files(tmp_path / "out") == ["a.compare.png", "a.png"]
    shown = read_pixels(tmp_path / "out/a.compare.png")
    assert np.array_equal(shown, np.hstack([read_pixels(source), read_pixels(tmp_path / "out/a.png")]))


@pytest.mark.parametrize("bit_depth", [8, 16])
def test_a_video_frame_by_frame(weights, tmp_path, bit_depth):
    dark = [frame / 4 for frame in frames_of(film(tmp_path / "clip.mkv", frames=2))]
    write_video(tmp_path / "dark.mkv", dark, Fraction(30000, 1001), bit_depth=bit_depth)
    result = call(tmp_path / "dark.mkv", tmp_path / "out", weights, "--compare")
    assert result.exit_code == 0, result.exception
    info = probe(tmp_path / "out/dark.mkv")
    assert (info.width, info.height, info.bit_depth, info.stored_fps) == (128, 96, bit_depth, Fraction(30000, 1001))
    before, after, both = (frames_of(tmp_path / name) for name in ("dark.mkv", "out/dark.mkv", "out/dark.compare.mkv"))
    assert len(after) == len(both) == 2
    for dark_frame, frame, shown in zip(before, after, both, strict=True):
        expected = quantize(restore(dark_frame, narrow_lednet()), bit_depth)
        assert np.array_equal(quantize(frame, bit_depth), expected)
        assert torch.equal(shown, torch.cat([dark_frame, frame], 2))
    assert files(tmp_path / "out") == ["dark.compare.mkv", "dark.mkv"]


def test_at_a_varying_rate_every_frame_comes_out_once_at_its_own_time(weights, tmp_path):
    times = [Fraction(0), Fraction(1, 30), Fraction(2, 30), Fraction(5, 30), Fraction(8, 30)]
    write_video(tmp_path / "dark.mp4", [frame / 4 for frame in frames_of(film(tmp_path / "clip.mkv", frames=4))], times)
    result = call(tmp_path / "dark.mp4", tmp_path / "out", weights, "--compare")
    assert "dark.mp4: its 4 frames are 33.3 to 100 ms apart" in result.output
    source, *made = (
        scan_stored(probe(tmp_path / name)) for name in ("dark.mp4", "out/dark.mkv", "out/dark.compare.mkv")
    )
    for found in made:
        assert max(abs(made - given) for made, given in zip(found.shown, times[:-1], strict=False)) < Fraction(1, 10**6)
        assert found.frames == 4
    for dark, shown in zip(read_stored(source), read_stored(made[1]), strict=True):
        assert torch.equal(shown[..., : dark.shape[2]], dark)


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(64, 130), st.integers(0, 99))
def test_tiles_fit_together(height, width, tile, seed):
    """Every pixel is covered, no tile is larger than asked for, and what is equal in all tiles comes out unchanged."""
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    sizes = []

    def negative(part: Tensor) -> Tensor:
        sizes.append(part.shape[1:])
        return 1 - part

    assert torch.allclose(in_tiles(image, negative, tile), 1 - image, atol=1e-6)
    assert max(max(size) for size in sizes) <= tile
    assert len(sizes) == 1 or max(height, width) > tile


def test_seams_are_smooth():
    """Tiles that disagree fade into each other: no pixel jumps by more than a smooth step over the overlap does."""
    levels: Iterator[float] = iter([0.0, 1.0])
    image = torch.zeros(3, 8, 112)
    row = in_tiles(image, lambda part: torch.full_like(part, next(levels)), 64)[0, 0]
    assert (row[:48], row[64:]) == (pytest.approx(0), pytest.approx(1))
    steps = row.diff()
    assert steps.min() >= 0
    assert 1 / 16 < steps.max() < 2.2 / 16


def test_away_from_their_edges_tiles_are_as_the_whole():
    """But for the means over all that the network sees, which are taken out here."""
    net = narrow_lednet().double()
    for module in net.modules():
        if isinstance(module, PyramidPooling):
            for reduce in module.reduce:
                torch.nn.init.zeros_(reduce.weight)
    dark = torch.rand(3, 12, 900, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) / 4

    def run(part: Tensor) -> Tensor:
        return net(part[None])[0][0]

    with torch.no_grad():
        whole, tiled = run(dark), in_tiles(dark, run, 640)
    difference = (whole - tiled).abs().amax((0, 1))
    seams = [264, 640]  # the second tile begins at 264, the first ends at 640
    away = [at for at in range(900) if all(abs(at + 0.5 - seam) > 190 for seam in seams) or at >= 640 + 190]
    assert len(away) > 100
    assert difference[away].max() < 1e-9
    assert difference.max() > 1e-9


def test_tiles_of_a_network_differ_little(weights, tmp_path):
    source = picture(tmp_path / "a.png", size=(90, 150))
    assert call(source, tmp_path / "whole", weights).exit_code == 0
    assert call(source, tmp_path / "tiled", weights, "--tile", "64").exit_code == 0
    whole, tiled = (read_pixels(tmp_path / name / "a.png").astype(int) for name in ("whole", "tiled"))
    assert 0 < np.abs(whole - tiled).mean() < 0.1 * whole.std()
    assert call(source, tmp_path / "one", weights, "--tile", "150").exit_code == 0
    assert np.array_equal(read_pixels(tmp_path / "one/a.png"), whole)


def test_half_precision_is_close():
    """Where CUDA would compute in float16, a CPU does so too, slowly."""
    dark = torch.rand(3, 40, 48, generator=torch.Generator().manual_seed(0)) / 4
    net = narrow_lednet()
    half, full = restore(dark, net, half=True), restore(dark, net)
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().max() < 0.01


def test_values_that_are_not_finite_are_told(weights, tmp_path):
    net = narrow_lednet()
    net.tail.bias[0] = 1e6  # too much for float16
    with pytest.raises(SequenceError, match="not finite; try without half"):
        restore(torch.rand(3, 16, 16), net, half=True)
    with torch.no_grad():
        net.tail.bias.fill_(torch.finfo(torch.float32).max)
        net.tail.weight.mul_(1e38)
    save_weights(tmp_path / "huge.safetensors", net, {})
    result = call(picture(tmp_path / "a.png"), tmp_path / "out", tmp_path / "huge.safetensors")
    assert isinstance(result.exception, SequenceError)
    assert f"{tmp_path / 'a.png'}: the network gives values that are not finite" in message(result)
    assert files(tmp_path / "out") == []


def test_what_cannot_be_decoded_is_named_and_the_rest_goes_on(weights, tmp_path):
    for name in ("a", "b", "c", "d", "e"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{name}.png").write_bytes(b"no picture")
    picture(tmp_path / "in/good.png")
    whole = picture(tmp_path / "whole.png").read_bytes()
    (tmp_path / "in/b.png").write_bytes(whole[: len(whole) // 2])
    result = call(tmp_path / "in", tmp_path / "out", weights)
    assert isinstance(result.exception, SequenceError)
    told = message(result)
    assert told.startswith("5 not restored: ")
    assert told.endswith("; and 2 more")
    assert len(told.splitlines()) == 1
    assert "a.png: not a picture" in told
    assert files(tmp_path / "out") == ["good.png"]


def test_a_damaged_video_leaves_what_was_there(weights, tmp_path):
    clip = film(tmp_path / "clip.mkv", frames=8)
    (tmp_path / "half.mkv").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (tmp_path / "out").mkdir()
    (tmp_path / "out/half.mkv").write_text("a result of before")
    result = call(tmp_path / "half.mkv", tmp_path / "out", weights, "--overwrite")
    assert isinstance(result.exception, SequenceError)
    assert (tmp_path / "out/half.mkv").read_text() == "a result of before"
    assert files(tmp_path / "out") == ["half.mkv"]


def test_a_failure_on_the_way_leaves_nothing_half_written(weights, tmp_path, monkeypatch):
    clip = film(tmp_path / "clip.mkv", frames=5)

    def fail(*arguments) -> Iterator[Tensor]:
        yield from list(read_stored(*arguments))[:3]
        raise SequenceError("gone")

    monkeypatch.setattr(restoring, "read_stored", fail)
    result = call(clip, tmp_path / "out", weights, "--compare")
    assert isinstance(result.exception, SequenceError)
    assert f"1 not restored: {clip}: gone" in message(result)
    assert files(tmp_path / "out") == []


def test_existing_files_are_kept_unless_told(weights, tmp_path):
    source = picture(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    for name, options in (("a.png", []), ("a.compare.png", ["--compare"])):
        (tmp_path / "out" / name).write_text("a result of before")
        result = call(source, tmp_path / "out", weights, *options)
        assert isinstance(result.exception, UserError)
        assert f"{name} exists; name another folder, or --overwrite" in message(result)
        assert files(tmp_path / "out") == [name]
        assert (tmp_path / "out" / name).read_text() == "a result of before"
        (tmp_path / "out" / name).unlink()
    (tmp_path / "out/a.png").write_text("a result of before")
    assert call(source, tmp_path / "out", weights, "--overwrite").exit_code == 0
    assert np.array_equal(read_pixels(tmp_path / "out/a.png"), through_the_network(source))


@pytest.mark.parametrize(
    ("source", "out", "options", "told"),
    [
        ("none.png", "out", [], "none.png: there is no such file"),
        ("empty", "out", [], "no pictures in this folder or below"),
        ("in", "in", [], "lies in the input"),
        ("in", "in/below", [], "lies in the input"),
        ("in/a.png", "in", ["--overwrite"], "would replace the input"),
        ("in/a.png", "link", ["--overwrite"], "would replace the input"),
        ("in/a.png", "in/a.png", [], "is a file"),
        ("twice", "out", [], "several pictures would become"),
        ("compared", "out", ["--compare"], "several pictures would become"),
        ("in/a.png", "out", ["--tile", "63"], "--tile 63: give 64 pixels or more"),
        ("in/a.png", "out", ["--tile", "-8"], "--tile -8: give 64 pixels or more"),
        ("in/a.png", "out", ["--half", "--device", "cpu"], "--half: float16 is faster on CUDA only"),
        ("in/a.png", "out", ["--weights", "none.safetensors"], "cannot be read"),
        ("in/a.png", "out", ["--weights", "bad.pth"], "bad.pth: holds more than tensors"),
        ("in/a.png", "out", ["--weights", "ec_zero_dce"], "holds ec_zero_dce, not lednet"),
    ],
)
def test_requests_that_cannot_be_met(weights, tmp_path, monkeypatch, source, out, options, told):
    for name in ("in/a.png", "twice/a.png", "compared/a.png", "compared/a.compare.png"):
        picture(tmp_path / name)
    (tmp_path / "twice/a.bmp").write_bytes(b"also")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    monkeypatch.chdir(tmp_path)
    result = call(Path(source), Path(out), weights, *options)
    assert isinstance(result.exception, UserError | SystemExit)
    assert told in message(result)
    assert len(message(result).splitlines()) == 1
    assert before == {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    assert not (tmp_path / "out").exists()


def test_more_memory_than_there_is(monkeypatch):
    def fail(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(LEDNet, "forward", fail)
    for size, tile, advice in ((2000, None, "give tile 512"), (2000, 512, "give tile 256"), (24, None, "the CPU")):
        with pytest.raises(UserError, match=f"^this needs more memory than cpu has; .*{advice}$"):
            restore(torch.zeros(3, size, 3000), narrow_lednet(), tile=tile)
