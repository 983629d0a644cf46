"""Noise of a sensor: closed forms on flat patches, lamps, and the way through the mosaic without noise."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, tukeylambda
from torch import Tensor

import lolblur_synth
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.mosaic.color import normalized
from lolblur_synth.mosaic.pattern import PATTERNS, sites
from lolblur_synth.ops.noise.bayer import add_bayer_noise, capture, develop, read_field, to_raw
from lolblur_synth.ops.noise.camera import Converter, Sensor
from lolblur_synth.video.images import dequantize, read_pixels
from tests.support.pictures import grey

A7R3 = ((6640.0, -1847.0, -503.0), (-5238.0, 13010.0, 2474.0), (-993.0, 1673.0, 6527.0))
COLOR, (RED, BLUE) = normalized(A7R3)
SENSOR = Sensor("sony-a7r3", "RGGB", COLOR, RED, BLUE, 0.0, None, Converter(14, 512), "menon")
PHOTOS = Path(lolblur_synth.__file__).parent / "apps" / "photos"
SHOT, READ = 2e-3, 4e-6
LEVELS = (0.0, 0.004, 0.02, 0.1, 0.3, 0.6)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def captured(level: float, sensor: Sensor = SENSOR, shot: float = SHOT, read: float = READ, size: int = 512) -> Tensor:
    return capture(torch.full((size, size), level), generator(int(level * 1e6)), shot, read, sensor).double()


def line(means: list[float], variances: list[float]) -> tuple[float, float]:
    """Slope and intercept, each point as certain as its variance is small."""
    slope, intercept = np.polyfit(means, variances, 1, w=1 / np.array(variances))
    return float(slope), float(intercept)


@pytest.mark.parametrize("tails", [None, -0.1, 0.0])
def test_variance_over_mean_is_the_line_that_was_drawn(tails):
    patches = [captured(level, replace(SENSOR, tukey_lambda=tails), size=512) for level in LEVELS]
    slope, intercept = line([p.mean().item() for p in patches], [p.var().item() for p in patches])
    assert slope == pytest.approx(SHOT, rel=0.03)
    assert intercept == pytest.approx(READ, rel=0.03)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_white_balance_scales_the_line_of_its_colour(pattern):
    """A flat grey at white-balanced light x: a colour of gain g has variance g shot x + g^2 read."""
    sensor = replace(SENSOR, pattern=pattern, converter=None)
    gains = RED, 1.0, BLUE
    means, variances = ([[], [], []] for _ in range(2))
    for level in LEVELS:
        exposed = linear_to_srgb(torch.full((3, 512, 512), level))
        raw = capture(to_raw(exposed, sensor), generator(int(level * 1e6)), SHOT, READ, sensor).double()
        for channel, place in sites(pattern):
            balanced = raw[place] * gains[channel]
            means[channel].append(balanced.mean().item())
            variances[channel].append(balanced.var().item())
    for gain, mean, variance in zip(gains, means, variances, strict=True):
        slope, intercept = line(mean, variance)
        assert slope == pytest.approx(gain * SHOT, rel=0.03)
        assert intercept == pytest.approx(gain**2 * READ, rel=0.03)


def test_low_light_comes_in_whole_electrons():
    raw = capture(torch.full((64, 64), 0.005), generator(), SHOT, 0.0, replace(SENSOR, converter=None))
    electrons = raw / SHOT
    torch.testing.assert_close(electrons, electrons.round(), atol=1e-4, rtol=0)
    assert 0 <= electrons.min() < electrons.max() < 15


def test_a_lamp_stays_white_and_its_surroundings_are_noisy():
    """Light above saturation has noise too, and saturates the converter all the same."""
    exposed = grey(0.2, 64)
    exposed[:, 16:48, 16:48] = linear_to_srgb(torch.tensor(1.5)).item()
    for method in ("bilinear", "malvar", "menon"):
        noisy = add_bayer_noise(exposed, generator(), 1e-3, 1e-5, replace(SENSOR, demosaic=method))
        pixels = (noisy * 255).round()
        assert (pixels[:, 22:42, 22:42] == 255).all()
        assert pixels[:, :8].std() > 1


@pytest.mark.parametrize("well", [1.1, 1.5])
def test_a_full_well_beyond_white_changes_nothing_but_one_at_white_would(well):
    """It clips before the noise what the converter clips after it: light must not end at white until then."""
    raw = torch.rand(64, 64, generator=generator(3)) ** 4 * 8
    whole = capture(raw, generator(1), SHOT / 10, READ, SENSOR)
    assert torch.equal(capture(raw.clamp(max=well), generator(1), SHOT / 10, READ, SENSOR), whole)
    lamps = raw > well
    assert (whole[lamps] == 1).all()
    clipped = capture(raw.clamp(max=1), generator(1), SHOT / 10, READ, SENSOR)
    assert 0.4 < (clipped[lamps] < 1).float().mean() < 0.6  # half of its noise falls below white


def test_a_coloured_lamp_above_saturation_is_not_magenta():
    exposed = linear_to_srgb(torch.tensor([40.0, 30.0, 25.0]))[:, None, None].expand(3, 32, 32)
    assert add_bayer_noise(exposed, generator(), 1e-4, 1e-6, SENSOR).min() > 1 - 1e-6


def psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * torch.log10(((one - other) ** 2).mean()))


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """Part of a bundled photograph, in the detail that a mosaic resolves."""
    pixels = dequantize(read_pixels(PHOTOS / "room.jpg"))[:, :480, :640].permute(1, 2, 0).numpy()
    return torch.from_numpy(cv2.GaussianBlur(pixels, (0, 0), 2)).permute(2, 0, 1)


@pytest.mark.parametrize("method", ["bilinear", "malvar", "menon"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_noise_the_way_there_and_back_keeps_photographs(photograph, pattern, method):
    sensor = replace(SENSOR, pattern=pattern, demosaic=method, converter=None)
    whole = develop(to_raw(photograph, sensor), sensor)
    assert psnr(whole[:, 8:-8, 8:-8], photograph[:, 8:-8, 8:-8]) >= 50


@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.sampled_from(PATTERNS),
    st.sampled_from(["bilinear", "malvar", "menon"]),
    st.floats(1, 4),
)
def test_without_noise_a_flat_colour_is_exact(color, pattern, method, gain):
    sensor = replace(SENSOR, pattern=pattern, demosaic=method, red_gain=gain, converter=None)
    exposed = torch.tensor(color)[:, None, None].expand(3, 16, 18)
    raw = to_raw(exposed, sensor)
    whole = srgb_to_linear(develop(raw, sensor))
    if float(raw.max()) <= 1:
        torch.testing.assert_close(whole, srgb_to_linear(exposed), atol=2e-6, rtol=2e-6)


def test_read_noise_has_the_tails_of_its_distribution():
    field = torch.randn(100_000, generator=generator()).double()
    for shape in (-0.1, -0.026, 0.0, 0.1):
        unit = read_field(field, shape).numpy()
        assert unit.std() == pytest.approx(1, rel=0.02)
        assert kstest(unit * float(tukeylambda.std(shape)), tukeylambda(shape).cdf).pvalue > 0.01
    assert torch.equal(read_field(field, None), field)


def test_a_row_shares_its_offset():
    sensor = replace(SENSOR, row=1e-4, converter=None)
    raw = captured(0.2, sensor, shot=0.0, read=1e-6)
    assert raw.mean(1).var().item() == pytest.approx(1e-4, rel=0.15)
    assert raw.var(1).mean().item() == pytest.approx(1e-6, rel=0.03)
    assert raw.mean(0).var().item() < 1e-7


@pytest.mark.parametrize(("bits", "black"), [(10, 64), (12, 240), (14, 512)])
def test_the_converter_has_its_levels_and_keeps_noise_below_black(bits, black):
    converter = Converter(bits, black)
    raw = captured(0.0, replace(SENSOR, converter=converter), shot=1e-9, read=1e-4)
    levels = raw * converter.span + black
    numbers = levels.round()
    torch.testing.assert_close(levels, numbers, atol=2e-3, rtol=0)
    assert 0 <= numbers.min() < black < numbers.max() <= 2**bits - 1
    assert raw.mean().item() == pytest.approx(0, abs=1e-4)
    assert captured(2.0, replace(SENSOR, converter=converter)).eq(1).all()


def test_neighbours_share_noise_after_demosaicing_and_channels_do():
    """Not so in the linear model: what a network has to learn of real noise."""
    noisy = add_bayer_noise(grey(0.4, 256), generator(), 1e-3, 1e-5, replace(SENSOR, demosaic="bilinear"))
    red, green = (plane - plane.mean() for plane in noisy[:2, 8:-8, 8:-8])
    beside = (red[:, 1:] * red[:, :-1]).mean() / (red**2).mean()
    assert beside > 0.3
    assert abs((red * green).mean()) > 0.05 * (red.std() * green.std())
    assert red.std() > 1.3 * green.std()


def test_noise_follows_the_generator_alone():
    exposed = torch.rand(3, 24, 32, generator=generator(5))
    before = exposed.clone()
    first = add_bayer_noise(exposed, generator(1), SHOT, READ, SENSOR)
    assert torch.equal(first, add_bayer_noise(exposed, generator(1), SHOT, READ, SENSOR))
    assert not torch.equal(first, add_bayer_noise(exposed, generator(2), SHOT, READ, SENSOR))
    assert torch.equal(exposed, before)


def test_compiled_and_torch_forms_give_the_same_noise(monkeypatch):
    exposed = torch.rand(3, 64, 64, generator=generator(5)) * 0.5
    compiled = add_bayer_noise(exposed, generator(1), SHOT, READ, SENSOR)
    monkeypatch.setenv("LOLBLUR_KERNELS", "torch")
    plain = add_bayer_noise(exposed, generator(1), SHOT, READ, SENSOR)
    assert ((compiled - plain).abs() > 1e-3).float().mean() < 1e-3  # an electron here and there
