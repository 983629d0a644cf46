"""Transfer functions against the numbers of their standards, and against these, computed in double precision."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.video.transfer import decode, decode_hlg, decode_pq
from tests.support.hdr import ENCODERS

CURVES = sorted(ENCODERS)


def decoded(signal: list[float] | np.ndarray, transfer: str, color_range: str = "limited") -> np.ndarray:
    return decode(torch.from_numpy(np.asarray(signal, np.float32)), transfer, color_range).numpy()


def test_hlg_is_scene_light_of_which_75_percent_is_white():
    """BT.2100, table 5, and BT.2408: half of the signal is a twelfth of the peak."""
    peak = decode_hlg(torch.tensor([1.0], dtype=torch.float64))
    light = decode_hlg(torch.tensor([0.0, 0.5, 0.75, 1.0], dtype=torch.float64)) / peak
    assert light.tolist() == pytest.approx([0, 1 / 12, 0.26496, 1], abs=1e-5)
    assert peak.item() == pytest.approx(3.774, abs=1e-3)


def test_pq_is_display_light_of_which_203_nits_are_white():
    """SMPTE ST 2084: 100 nits are 50.81 % of the signal, 1000 nits 75.18 %; BT.2408: 203 nits are 58 %."""
    signal = torch.tensor([0.0, 0.5080784, 0.5806889, 0.7518271, 1.0], dtype=torch.float64)
    assert (decode_pq(signal) * 203).tolist() == pytest.approx([0, 100, 203, 1000, 10000], rel=1e-5)


@pytest.mark.parametrize(
    ("transfer", "codes", "light"),
    [
        ("s-log3", [95, 420, 598], [0, 0.18, 0.9]),  # Sony's table
        ("v-log", [128, 433, 602], [0, 0.18, 0.9]),  # Panasonic's
        ("apple-log", [64 + 876 * 0.150476, 64 + 876 * 0.488272], [0, 0.18]),
    ],
)
def test_logs_give_the_reflectances_of_their_makers_tables(transfer, codes, light):
    limited = decoded((np.array(codes) - 64) / 876, transfer)
    assert limited == pytest.approx(light, abs=4e-3)


def test_a_log_of_codes_is_the_same_light_whichever_range_is_declared():
    codes = np.linspace(64, 940, 20)
    full = decoded(codes / 1023, "s-log3", "full")
    np.testing.assert_allclose(decoded((codes - 64) / 876, "s-log3"), full, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("transfer", CURVES)
@given(light=st.lists(st.floats(0, 3.7), min_size=1, max_size=20))
def test_decoding_inverts_encoding(transfer, light):
    signal = torch.from_numpy(ENCODERS[transfer](np.array(light)))
    np.testing.assert_allclose(decode(signal, transfer, "limited"), light, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("transfer", CURVES)
def test_single_precision_is_the_rounding_of_double(transfer):
    signal = torch.linspace(-0.07, 1.09, 10_001)
    exact = decode(signal.double(), transfer, "limited")
    torch.testing.assert_close(decode(signal, transfer, "limited").double(), exact, rtol=3e-6, atol=3e-7)
    assert torch.isfinite(exact).all()
    assert (exact.diff() >= 0).all()


def test_superwhite_goes_on_but_in_pq():
    assert decoded([1.09], "hlg")[0] > decoded([1.0], "hlg")[0] * 1.5
    assert decoded([1.09], "pq")[0] == decoded([1.0], "pq")[0]


def test_below_black_is_no_light_in_hlg_and_pq():
    for transfer in ("hlg", "pq"):
        assert decoded([-0.07, 0], transfer).tolist() == [0, 0]


FFMPEG = shutil.which("ffmpeg")
has_zscale = FFMPEG and b"zscale" in subprocess.run([FFMPEG, "-hide_banner", "-filters"], capture_output=True).stdout


@pytest.mark.skipif(not has_zscale, reason="no ffmpeg with zscale here")
def test_pq_is_what_zimg_makes_of_it():
    signal = np.linspace(0, 1, 256, dtype=np.float32)
    asked = "zscale=tin=smpte2084:pin=bt2020:min=gbr:rin=full:npl=203:t=linear:p=bt2020:m=gbr:r=full,format=gbrpf32le"
    raw = ["-f", "rawvideo", "-pix_fmt", "gbrpf32le", "-s", "256x1"]
    line = [str(FFMPEG), "-v", "error", *raw, "-i", "-", "-vf", asked, *raw, "-"]
    made = subprocess.run(line, input=np.stack([signal] * 3).tobytes(), capture_output=True, check=True).stdout
    np.testing.assert_allclose(decoded(signal, "pq"), np.frombuffer(made, np.float32)[:256], rtol=2e-3, atol=2e-5)
