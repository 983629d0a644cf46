"""Scene-linear frames: pictures of a world that moves, in OpenEXR or float TIFF."""

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import tifffile
from numpy.typing import NDArray

Light = NDArray[np.float32]


def write_exr(path: Path, channels: dict[str, NDArray[Any]], **header: Any) -> Path:
    """One part with the channels, which are copied: OpenEXR writes others than contiguous arrays wrong."""
    head = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage} | header
    OpenEXR.File(head, {name: np.ascontiguousarray(plane) for name, plane in channels.items()}).write(str(path))
    return path


def write_light(path: Path, light: Light, dtype: type = np.float32) -> Path:
    """Linear RGB (H, W, 3) as OpenEXR or TIFF, by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".exr":
        return write_exr(path, {"RGB": light.astype(dtype)})
    tifffile.imwrite(path, light.astype(dtype), photometric="rgb")
    return path


def night(number: float, size: tuple[int, int] = (96, 64), step: float = 2.0, lamp: float = 20.0) -> Light:
    """A textured world that moves `step` pixels a frame to the right, with a lamp of so many times white in it."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x = x - np.float32(step * number)
    rng = np.random.default_rng(0)
    waves = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-0.6, 0.6, (12, 3)) * (1, 1, 6)]
    ground = 0.25 + 0.02 * np.stack([sum(waves[start::3]) for start in range(3)], -1)
    disc = np.clip(4.5 - np.hypot(x - width / 4, y - height / 2), 0, 1)[..., None]
    return np.asarray(ground * (1 - disc) + lamp * disc, np.float32).clip(0)
