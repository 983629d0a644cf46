"""HDR clips from known light; transfer functions and matrices are computed here from the standards, on their own."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.support.clips import as_planes, encode, frame_of

Floats = NDArray[np.float64]
D65 = (0.3127, 0.3290)
XY = {  # red, green, blue, white
    "bt709": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    "p3-d65": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
    "s-gamut3": ((0.730, 0.280), (0.140, 0.855), (0.100, -0.050), D65),
    "s-gamut3.cine": ((0.766, 0.275), (0.225, 0.800), (0.089, -0.087), D65),
    "v-gamut": ((0.730, 0.280), (0.165, 0.840), (0.100, -0.030), D65),
    "apple-wide-gamut": ((0.725, 0.301), (0.221, 0.814), (0.068, -0.076), D65),
}
CODES = {"hlg": 18, "pq": 16, "linear": 8, "sdr": 1}
PRIMARIES = {"bt709": 1, "bt2020": 9, "p3-dci": 11, "p3-d65": 12}


def to_xyz(primaries: str) -> Floats:
    """SMPTE RP 177: columns are the primaries, scaled so that they add up to white."""
    columns = [np.array([x / y, 1, (1 - x - y) / y]) for x, y in XY[primaries]]
    red_green_blue = np.stack(columns[:3], 1)
    return red_green_blue * (np.linalg.inv(red_green_blue) @ columns[3])


def converted(light: NDArray[Any], source: str, target: str) -> Floats:
    return np.asarray(light @ (np.linalg.inv(to_xyz(target)) @ to_xyz(source)).T, np.float64)


def hlg(light: NDArray[Any]) -> Floats:
    """The OETF of BT.2100, of scene light whose diffuse white, 1, is 75 % of the signal."""
    e = np.asarray(light, np.float64).clip(0) * 0.26496256042100724
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(e <= 1 / 12, np.sqrt(3 * e), a * np.log(np.maximum(12 * e - b, 1e-9)) + c)


def pq(light: NDArray[Any]) -> Floats:
    """The inverse EOTF of BT.2100, of light whose diffuse white, 1, is displayed at 203 cd/m2."""
    y = (np.asarray(light, np.float64).clip(0) * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def s_log3(light: NDArray[Any]) -> Floats:
    """Codes over 1023 of a reflectance, as signals of limited range."""
    line = light * (171.2102946929 - 95) / 0.01125 + 95
    codes = np.where(light >= 0.01125, 420 + np.log10(np.maximum(light + 0.01, 1e-9) / 0.19) * 261.5, line)
    return np.asarray((codes - 64) / 876, np.float64)


def v_log(light: NDArray[Any]) -> Floats:
    codes = np.where(
        light < 0.01, 5.6 * light + 0.125, 0.241514 * np.log10(np.maximum(light + 0.00873, 1e-9)) + 0.598206
    )
    return np.asarray((codes * 1023 - 64) / 876, np.float64)


def apple_log(light: NDArray[Any]) -> Floats:
    root = 47.28711236 * (np.maximum(light, -0.05641088) + 0.05641088) ** 2
    return np.where(light >= 0.01, 0.08550479 * np.log2(np.maximum(light + 0.00964052, 1e-9)) + 0.69336945, root)


ENCODERS: dict[str, Callable[[NDArray[Any]], Floats]] = {
    "hlg": hlg,
    "pq": pq,
    "linear": np.asarray,
    "s-log3": s_log3,
    "v-log": v_log,
    "apple-log": apple_log,
}


def frame(
    light: NDArray[Any], transfer: str, primaries: str, pixel_format: str, matrix: str = "bt2020"
) -> av.VideoFrame:
    """Light (H, W, 3) of BT.709's primaries as a frame: of limited range, but for RGB."""
    signal = ENCODERS[transfer](converted(light, "bt709", primaries))
    if pixel_format.startswith("gbrp"):
        most = 2 ** av.VideoFormat(pixel_format, 16, 16).components[0].bits - 1
        planes = [np.round(signal[..., channel].clip(0, 1) * most).astype("<u2") for channel in (1, 2, 0)]
    else:
        planes = as_planes(signal, pixel_format, matrix, False)
    return frame_of(planes, light.shape[1::-1], pixel_format)


def film(
    path: Path,
    lights: Iterable[NDArray[Any]],
    transfer: str = "hlg",
    codec: str = "ffv1",
    pixel_format: str = "yuv444p10le",
    **more: Any,
) -> Path:
    """A tagged clip of BT.2020 from light of BT.709's primaries."""
    options = {"x265-params": "lossless=1:log-level=none"} if codec == "libx265" else {}
    color = {"colorspace": 9, "color_primaries": 9, "color_trc": CODES[transfer], "color_range": 1}
    frames = (frame(light, transfer, "bt2020", pixel_format) for light in lights)
    return encode(path, frames, codec, pixel_format, **{"options": options, "color": color} | more)
