"""A sequence is metered as one: what is bright in its ground truth is as much brighter in its inputs."""

import itertools
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.cli.main import cli
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.colorimetry import lightness, linear_to_srgb, srgb_to_linear
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.darken import mean_lightness
from lolblur_synth.ops.interpolation.interpolate import Interpolator, by_blending
from lolblur_synth.run.planning import make_plan
from lolblur_synth.scenes import shrink
from lolblur_synth.synthesis.clip import Frame
from lolblur_synth.synthesis.draws import draw
from lolblur_synth.synthesis.pipeline import Pair, Tools, synthesize
from lolblur_synth.synthesis.sequences import Metering, Recipe, Shutter, Slot
from lolblur_synth.video.images import read_image
from lolblur_synth.video.writer import write_video

SHUTTER = Shutter(2, 2, 8.0)


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    return shrink(read_image(PHOTOS / "window.jpg"), 6)[:, :96, :128]


def film(photograph: Tensor, light: Callable[[int], float], frames: int) -> list[Tensor]:
    linear = srgb_to_linear(photograph)
    return [linear_to_srgb(linear * light(n)).clamp(0, 1) for n in range(frames)]


def made(frames: list[Tensor], slots: list[Slot], exposure: float) -> list[Pair]:
    config = load(Config, [], ["denoise.backend=none", "defocus.probability=0", f"darken.exposure={exposure}"])
    seen = [mean_lightness(frame) for frame in frames]
    first = fmean(seen[at] for at in SHUTTER.window(slots[0].center))
    metering = Metering(fmean(seen[slot.center] for slot in slots), first)
    recipe = Recipe("a", tuple(slots), SHUTTER, draw(config, "a"), metering)
    return list(synthesize(itertools.starmap(Frame, enumerate(frames)), recipe, config, tools()))


def tools(interpolator: Interpolator = by_blending) -> Tools:
    return Tools(load_ec_zero_dce("ec_zero_dce")[0], interpolator, OperatorTimer(torch.device("cpu")))


def spread(values: list[float]) -> float:
    return (max(values) - min(values)) / fmean(values)


def mean_of(image: Tensor) -> float:
    return lightness(image).mean().item()


@pytest.mark.parametrize(
    "light",
    [lambda n: 0.55 + 0.45 * (n % 5 > 1), lambda n: 0.05 * 1.12**n, lambda n: 0.9 * 0.9**n],
    ids=["flicker", "brighter", "darker"],
)
def test_dark_frames_keep_one_relation_to_bright_ones(photograph, light):
    frames = film(photograph, light, 27)
    slots = [Slot(n, 1 + 3 * n) for n in range(9)]
    pairs = made(frames, slots, 0.1)
    truth, dark = ([mean_of(getattr(pair, name)) for pair in pairs] for name in ("high_sharp_scaled", "low_sharp"))
    assert spread(truth) > 0.25
    assert spread([low / high for low, high in zip(dark, truth, strict=True)]) < 0.08
    assert fmean(dark) == pytest.approx(0.1, rel=0.1)


def test_where_nothing_changes_each_frame_has_the_exposure(photograph):
    pairs = made(film(photograph, lambda n: 1.0, 9), [Slot(0, 1), Slot(1, 4), Slot(2, 7)], 0.1)
    assert [mean_lightness(pair.low_sharp) for pair in pairs] == pytest.approx([0.1] * 3, rel=0.05)


def flickering(path: Path, photograph: Tensor) -> None:
    """240 frames a second under lamps on 50 Hz, twice as light at their peaks as between."""
    lamps = torch.cos(2 * torch.pi * 100 * torch.arange(120) / 240 + 0.3)
    path.parent.mkdir()
    frames = film(photograph, lambda n: float(0.75 + 0.25 * lamps[n]), 120)
    write_video(path, (frame + torch.rand(frame.shape) / 64 for frame in frames), Fraction(240))


@pytest.mark.parametrize(("treatment", "most"), [("tell", 0.5), ("remove", 0.04)])
def test_flicker_is_told_recorded_and_taken_out(tmp_path, photograph, treatment, most):
    torch.manual_seed(0)
    flickering(tmp_path / "v" / "a.mkv", photograph)
    options = ["video.size=[128,96]", "sequences.min_pairs=2", "denoise.backend=none", "defocus.probability=0"]
    options += ["interpolate.backend=linear", "interpolate.fps=240", "noise.shot=0", f"video.flicker={treatment}"]
    (video,) = make_plan(tmp_path / "v", tmp_path / "d", load(Config, [], options), {}).videos
    (warning,) = video.warnings
    assert re.match(r"light flickers at 100 Hz by 3[123][.\d]* % in frames 0 to 119: ", warning)
    arguments = ["--videos", str(tmp_path / "v"), *(word for option in options for word in ("--set", option))]
    result = CliRunner().invoke(cli, ["run", *arguments, "--out", str(tmp_path / "d")])
    assert result.exit_code == 0, result.output
    (record,) = read_records(tmp_path / "d").values()
    assert record.flicker
    assert (record.flicker.hertz, len(record.flicker.gains) > 0) == (100, treatment == "remove")
    ratios = []
    for pair in record.pairs:
        images = [path for path, _ in record.images() if path.stem == f"{pair.number:04d}"]
        means = {path.parts[1]: mean_of(read_image(tmp_path / "d" / path)) for path in images}
        ratios.append(means["low_blur"] / means["high_sharp_scaled"])
    assert most / 10 < spread(ratios) < most


def test_flicker_can_leave_windows_out(tmp_path, photograph):
    torch.manual_seed(0)
    flickering(tmp_path / "v" / "a.mkv", photograph)
    config = load(Config, [], ["video.size=[128,96]", "video.flicker=drop"])
    (video,) = make_plan(tmp_path / "v", tmp_path / "d", config, {}).videos
    assert video.fault
    assert "dropped for mains flicker" in video.fault
