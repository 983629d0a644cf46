"""Transfer functions: from the samples of HDR video and camera logs to linear light, of which 1 is diffuse white.

Diffuse white is what reflects all light of the scene, as Recommendation ITU-R BT.2408 has it: 75 % of an HLG signal,
203 cd/m2 (58 %) in PQ, a reflectance of 1 in the logs of cameras.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from lolblur_synth.video.metadata import ColorRange, Transfer

HLG_WHITE = 0.75  # of the signal (BT.2408, table 1)
PQ_WHITE = 203.0  # cd/m2 (BT.2408, table 1)


def decode(rgb: Tensor, transfer: Transfer, color_range: ColorRange) -> Tensor:
    """Linear light of signals of any shape, which `color_range` has scaled so that black is 0 and white 1.

    Values above 1, which limited range has room for, are decoded on the same curve, but for PQ's, which ends at 1.
    """
    return _DECODERS[transfer](_as_codes(rgb, color_range) if transfer in _BY_CODES else rgb)


def _as_codes(rgb: Tensor, color_range: ColorRange) -> Tensor:
    """Codes of 10 bits over 1023, whichever range they are declared to be of."""
    return rgb if color_range == "full" else (rgb * 876 + 64) / 1023


def decode_hlg(signal: Tensor) -> Tensor:
    """Scene light of HLG by the inverse of its OETF, without OOTF (BT.2100, table 5); black from 0 downwards.

    >>> [round(value, 3) for value in decode_hlg(torch.tensor([0.0, 0.5, 0.75, 1.0])).tolist()]
    [0.0, 0.315, 1.0, 3.774]
    """
    return _hlg(signal) / _hlg(torch.tensor(HLG_WHITE, dtype=torch.float64)).item()


def _hlg(signal: Tensor) -> Tensor:
    """Of HLG's peak."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * math.log(4 * a)
    signal = signal.clamp(min=0)
    return torch.where(signal <= 0.5, signal**2 / 3, (((signal - c) / a).exp() + b) / 12)


def decode_pq(signal: Tensor) -> Tensor:
    """Display light of PQ by its EOTF (BT.2100, table 4), clipped at 0 and at 10,000 cd/m2.

    With q = 1 - E^(1/m2), whose digits floats keep, the fraction is (1 - c1 - q) / (1 - c1 + c3 q): c1 = c3 - c2 + 1.

    >>> [round(value, 3) for value in decode_pq(torch.tensor([0.0, 0.5, 0.5807, 1.0])).tolist()]
    [0.0, 0.454, 1.0, 49.261]
    """
    m1, m2, c1, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2392 / 4096 * 32
    q = -torch.expm1(signal.clamp(0, 1).log() / m2)
    return ((1 - c1 - q).clamp(min=0) / (1 - c1 + c3 * q)) ** (1 / m1) * (10_000 / PQ_WHITE)


def decode_s_log3(code: Tensor) -> Tensor:
    """Reflectance of S-Log3, from codes of 10 bits over 1023 (Sony, Technical Summary for S-Gamut3 and S-Log3).

    >>> [round(value, 3) for value in decode_s_log3(torch.tensor([95.0, 420.0, 598.0]) / 1023).tolist()]
    [0.0, 0.18, 0.901]
    """
    code = code * 1023
    line = (code - 95) * (0.01125 / (171.2102946929 - 95))
    return torch.where(code >= 171.2102946929, 0.19 * (math.log(10) / 261.5 * (code - 420)).exp() - 0.01, line)


def decode_v_log(code: Tensor) -> Tensor:
    """Reflectance of V-Log, from codes of 10 bits over 1023 (Panasonic, V-Log/V-Gamut Reference Manual).

    >>> [round(value, 3) for value in decode_v_log(torch.tensor([128.0, 433.0, 602.0]) / 1023).tolist()]
    [0.0, 0.18, 0.903]
    """
    b, c, d = 0.00873, 0.241514, 0.598206
    return torch.where(code < 0.181, (code - 0.125) / 5.6, (math.log(10) / c * (code - d)).exp() - b)


def decode_apple_log(signal: Tensor) -> Tensor:
    """Reflectance of Apple Log, and of Apple Log 2 (Apple, Apple Log Profile White Paper).

    >>> [round(value, 3) for value in decode_apple_log(torch.tensor([0.1505, 0.4883, 0.6946])).tolist()]
    [0.0, 0.18, 1.0]
    """
    darkest, knee, c, beta, gamma, delta = -0.05641088, 0.01, 47.28711236, 0.00964052, 0.08550479, 0.69336945
    root = (signal.clamp(min=0) / c).sqrt() + darkest
    return torch.where(signal >= c * (knee - darkest) ** 2, (math.log(2) / gamma * (signal - delta)).exp() - beta, root)


_BY_CODES = {"s-log3", "v-log"}  # defined on codes, where others are on what lies between black and white
_DECODERS: Mapping[Transfer, Callable[[Tensor], Tensor]] = {
    "hlg": decode_hlg,
    "pq": decode_pq,
    "linear": lambda light: light,
    "s-log3": decode_s_log3,
    "v-log": decode_v_log,
    "apple-log": decode_apple_log,
}
