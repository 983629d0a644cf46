"""Response curves: closed forms, tables that rise, and the camera's place for them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.noise.bayer import capture, develop, to_raw
from lolblur_synth.ops.noise.camera import Converter, Sensor, normalized
from lolblur_synth.ops.response import response_curve
from lolblur_synth.ops.response_table import check_table

LIGHT = torch.linspace(0, 1, 2001, dtype=torch.float64)


def test_srgb_is_no_step_at_all():
    frame = torch.rand(3, 4, 5)
    assert response_curve("srgb")(frame) is frame


def test_gamma_is_the_power_of_light():
    torch.testing.assert_close(response_curve("gamma2.2")(linear_to_srgb(LIGHT)), LIGHT ** (1 / 2.2))
    grey = response_curve("gamma2.2")(torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(grey, torch.tensor([0.0, 0.4962, 1.0]), atol=1e-4, rtol=0)


def test_a_table_is_linear_between_its_points():
    curve = response_curve(((0.0, 0.0), (0.25, 0.6), (1.0, 1.0)))
    expected = torch.where(LIGHT < 0.25, LIGHT * 2.4, 0.6 + (LIGHT - 0.25) * 0.4 / 0.75)
    torch.testing.assert_close(curve(linear_to_srgb(LIGHT)), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("response", ["gamma2.2", ((0.0, 0.0), (0.25, 0.6), (1.0, 1.0))])
def test_what_is_beyond_black_and_white_is_clipped(response):
    assert response_curve(response)(torch.tensor([-0.01, 1.01])).tolist() == [0, 1]


def test_a_table_of_srgb_is_srgb():
    light = torch.linspace(0, 1, 1024, dtype=torch.float64) ** 3
    table = tuple(zip(light.tolist(), linear_to_srgb(light).clamp(max=1).tolist(), strict=True))
    frame = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(response_curve(table)(frame), frame, atol=2e-6, rtol=0)


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[float, float], ...]:
    shares = st.floats(0, 1, exclude_min=True, exclude_max=True)
    count = draw(st.integers(0, 20))
    light, code = (sorted(draw(st.lists(shares, min_size=count, max_size=count, unique=True))) for _ in range(2))
    return ((0.0, 0.0), *zip(light, code, strict=True), (1.0, 1.0))


@given(tables())
def test_any_rising_table_keeps_order_black_and_white(table):
    check_table(table)
    curve = response_curve(table)
    codes = curve(linear_to_srgb(LIGHT))
    assert (codes.diff() >= -1e-15).all()
    assert (codes[0], codes[-1]) == (0, 1)
    assert ((codes >= 0) & (codes <= 1)).all()
    assert curve(torch.rand(3, 4, 5)).dtype == torch.float32


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (((0.0, 0.0),), "goes from"),
        (((0.0, 0.1), (1.0, 1.0)), "goes from"),
        (((0.0, 0.0), (1.0, 0.9)), "goes from"),
        (((0.0, 0.0), (0.5, 0.5), (0.5, 0.6), (1.0, 1.0)), r"point 3, \[0\.5, 0\.6\], comes after \[0\.5, 0\.5\]"),
        (((0.0, 0.0), (0.5, 0.5), (0.6, 0.5), (1.0, 1.0)), "point 3"),
        (((0.0, 0.0), (float("nan"), 0.5), (1.0, 1.0)), "point 2"),
    ],
)
def test_what_does_not_rise_is_refused(table, told):
    with pytest.raises(ValueError, match=told):
        check_table(table)


def test_it_is_the_curve_after_the_colour_matrix_of_a_sensor():
    """As if `develop` encoded by it: the sRGB between is undone, and white stays white."""
    color, (red, blue) = normalized(((0.664, -0.1847, -0.0503), (-0.5238, 1.301, 0.2474), (-0.0993, 0.1673, 0.6527)))
    sensor = Sensor("any", "RGGB", color, red, blue, 0.0, None, Converter(14, 512), "malvar")
    exposed = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))
    exposed[:, 8:24, 8:24] = 1.4  # a lamp
    raw = capture(to_raw(exposed, sensor), torch.Generator().manual_seed(1), 1e-3, 1e-6, sensor)
    developed = develop(raw, sensor)
    for name, encode in (("gamma2.2", lambda x: x ** (1 / 2.2)), (((0.0, 0.0), (0.1, 0.5), (1.0, 1.0)), None)):
        pictured = response_curve(name)(developed)
        light = srgb_to_linear(developed)
        expected = encode(light) if encode else torch.where(light < 0.1, 5 * light, 0.5 + (light - 0.1) / 1.8)
        torch.testing.assert_close(pictured, expected, atol=1e-6, rtol=0)
        assert (pictured[:, 12:20, 12:20] == 1).all()
