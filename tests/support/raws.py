"""RAW frames: DNG of a Bayer sensor whose noise is known, written by tifffile."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray

from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.mosaic.color import normalized
from lolblur_synth.ops.noise.bayer import read_field, to_raw
from lolblur_synth.ops.noise.camera import Sensor

SONY = ((0.664, -0.1847, -0.0503), (-0.5238, 1.301, 0.2474), (-0.0993, 0.1673, 0.6527))  # XYZ (D65) -> camera RGB
Tag = tuple[int, str, int, Any, bool]


def write_dng(
    path: Path,
    samples: NDArray[Any],
    pattern: str = "RGGB",
    black: float | tuple[float, ...] = 512,
    white: int = 16383,
    *,
    matrix: tuple[tuple[float, ...], ...] | None = SONY,
    illuminant: int = 21,
    neutral: tuple[float, float, float] | None = (0.5, 1.0, 0.625),
    bits: int = 16,
    tags: tuple[Tag, ...] = (),
    **options: Any,
) -> Path:
    """A mosaic (H, W) as DNG; `bits` below 16 are packed as cameras do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = black if isinstance(black, tuple) else (black,) * 4
    found: list[Tag] = [
        (33421, "H", 2, (2, 2), True),  # CFARepeatPatternDim
        (33422, "B", 4, bytes("RGB".index(letter) for letter in pattern), True),
        (50706, "B", 4, bytes((1, 4, 0, 0)), True),  # DNGVersion
        (50708, "s", 0, "Test Camera", True),
        (50713, "H", 2, (2, 2), True),  # BlackLevelRepeatDim
        (50714, "2I", 4, [part for level in levels for part in (round(level * 1000), 1000)], True),
        (50717, "I", 1, white, True),
        *tags,
    ]
    if matrix:
        rationals = [part for row in matrix for value in row for part in (round(value * 10000), 10000)]
        found += [(50721, "2i", 9, rationals, True), (50778, "H", 1, illuminant, True)]
    if neutral:
        found.append((50728, "2I", 3, [part for value in neutral for part in (round(value * 10000), 10000)], True))
    if bits < 16:
        options |= {"shape": samples.shape, "dtype": np.uint16, "bitspersample": bits, "rowsperstrip": len(samples)}
        samples = iter([packed(samples, bits)])  # type: ignore[assignment]
    found.sort(key=lambda tag: tag[0])
    tifffile.imwrite(path, samples, **({"photometric": "CFA"} | options), extratags=found)
    return path


def packed(samples: NDArray[np.uint16], bits: int) -> bytes:
    """Rows of samples of so many bits without gaps, the highest bit first."""
    digits = samples[..., None] >> np.arange(bits - 1, -1, -1, dtype=np.uint16) & 1
    return np.packbits(digits.astype(np.uint8).reshape(len(samples), -1), axis=1).tobytes()


def mosaic_of(light: NDArray[np.float32], pattern: str = "RGGB") -> NDArray[np.float32]:
    """What a sensor of the Sony's colours sees of linear light (H, W, 3), without an end; 1 is where it saturates."""
    sensor = Sensor("", pattern, normalized(SONY)[0], 2.0, 1.6, 0.0, None, None, "menon")  # type: ignore[arg-type]
    return np.asarray(to_raw(linear_to_srgb(torch.from_numpy(np.ascontiguousarray(light.transpose(2, 0, 1)))), sensor))


def write_mosaic(path: Path, light: NDArray[np.float64], pattern: str = "RGGB", **options: Any) -> Path:
    """Linear light as DNG of 14 bits, whose levels differ by site and whose white balance is that of `mosaic_of`."""
    raw, black, white = mosaic_of(light.astype(np.float32), pattern), (500.0, 510.0, 520.0, 530.0), 16383
    levels = np.tile(np.array(black).reshape(2, 2), (raw.shape[0] // 2, raw.shape[1] // 2))
    codes = np.clip(np.rint(levels + raw * (white - levels)), 0, white).astype(np.uint16)
    return write_dng(path, codes, pattern, black, white, neutral=(0.5, 1.0, 0.625), **options)


class NoisySensor:
    """A sensor with fixed pattern, and noise in digital numbers."""

    def __init__(self, size: tuple[int, int], *, gain: float, read: float, row: float = 0.0, seed: int = 0):
        self.size, self.gain, self.read, self.row = size, gain, read, row
        self.rng = np.random.default_rng(seed)
        self.tukey_lambda: float | None = None
        self.black: float | tuple[float, ...] = 512.0
        self.white = 16383
        self.pattern = "RGGB"
        self.offsets = self.rng.normal(0, 2, size)  # of pixels, as dark frames repeat them
        self.response = 1 + self.rng.normal(0, 0.01, size)

    def levels(self) -> NDArray[np.float64]:
        """Black level of each pixel, by site."""
        black = self.black if isinstance(self.black, tuple) else (self.black,) * 4
        return np.tile(np.array(black).reshape(2, 2), (self.size[0] // 2, self.size[1] // 2))

    def frame(self, light: float | NDArray[np.float64] = 0.0) -> NDArray[np.uint16]:
        """A frame of light in digital numbers above black."""
        electrons = np.broadcast_to(light, self.size) * self.response / self.gain
        normal = torch.from_numpy(self.rng.standard_normal(self.size))
        noise = self.read * read_field(normal, self.tukey_lambda).numpy()
        rows = self.row * self.rng.standard_normal((self.size[0], 1))
        level = self.rng.poisson(electrons) * self.gain + noise + rows + self.levels() + self.offsets
        return np.clip(np.rint(level), 0, self.white).astype(np.uint16)

    def shading(self) -> NDArray[np.float64]:
        """Of a lens: darker by 40 % in the corners, beside a slope, of 1 in the middle."""
        y, x = (np.linspace(-1, 1, side) for side in self.size)
        return np.asarray(1 - 0.2 * (y[:, None] ** 2 + x**2) + 0.1 * x)

    def write(self, path: Path, light: float | NDArray[np.float64] = 0.0, **options: Any) -> Path:
        """A frame as DNG."""
        return write_dng(path, self.frame(light), self.pattern, self.black, self.white, **options)

    def write_series(self, folder: Path, lights: tuple[float, ...], frames: int = 2, **options: Any) -> Path:
        """So many frames of each exposure, with shading."""
        for number, light in enumerate(light for light in lights for _ in range(frames)):
            self.write(folder / f"{number:04d}.dng", light * self.shading() if light else 0.0, **options)
        return folder
