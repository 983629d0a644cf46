"""Photographs in memory, and batches of random crops as a pure function of seed and step."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.config.training import TrainECDCE
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.core.files import file_hash
from lolblur_synth.core.rng import rng_for
from lolblur_synth.video.images import SUFFIXES, dequantize, is_picture, quantize, read_pixels


@dataclass(frozen=True)
class Photograph:
    """One image of the folder, decoded."""

    name: str  # path below the folder
    sha256: str  # of the file
    pixels: NDArray[np.uint8]  # (H, W, 3) RGB


def read_photographs(folder: Path, crop: int, long_side: int) -> list[Photograph]:
    """Read every image below `folder`, in order of name, none with a long side above `long_side` pixels."""
    if not folder.is_dir():
        raise UserError("no such folder", where=folder, advice="give a folder of photographs")
    paths = sorted(path for path in folder.rglob("*") if is_picture(path) and path.is_file())
    if not paths:
        raise UserError("no images in it", where=folder, advice=f"{', '.join(sorted(SUFFIXES))} are read")
    return [_read(path, path.relative_to(folder).as_posix(), crop, long_side) for path in paths]


def _read(path: Path, name: str, crop: int, long_side: int) -> Photograph:
    try:
        pixels = read_pixels(path)
        digest = file_hash(path)
    except (SequenceError, OSError) as error:
        raise UserError(error, advice="remove it from the folder or repair it") from None
    height, width = pixels.shape[:2]
    if min(height, width) < crop:
        raise UserError(
            f"{width}x{height} is smaller than the crop of {crop}", where=path, advice="remove it or set a smaller crop"
        )
    if pixels.dtype == np.uint16:
        pixels = quantize(dequantize(pixels))
    factor = max(long_side / max(height, width), crop / min(height, width))
    size = (max(crop, round(width * factor)), max(crop, round(height * factor)))
    return Photograph(name, digest, _resize(pixels.astype(np.uint8), size if factor < 1 else (width, height)))


def _resize(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA), np.uint8)


def split(photographs: Sequence[Photograph], fraction: float, seed: int) -> tuple[list[Photograph], list[Photograph]]:
    """Whole photographs for training and for validation, of which there are `fraction`, rounded; never all of them."""
    order = rng_for(seed, "validation").permutation(len(photographs)).tolist()
    held_out = set(order[: min(round(fraction * len(order)), len(order) - 1)])
    training = [photograph for i, photograph in enumerate(photographs) if i not in held_out]
    return training, [photograph for i, photograph in enumerate(photographs) if i in held_out]


def batch(photographs: Sequence[Photograph], config: TrainECDCE, step: int) -> tuple[Tensor, Tensor]:
    """Batch of crops (N, 3, crop, crop), sRGB in [0, 1], and an exposure (N,) for each; the same for a seed and step.

    A crop is a square of any size from `crop` to the whole height, scaled, mirrored by chance, and lit by a factor
    drawn log-uniformly from `config.gain` in linear light, so that more and fewer lights clip than in the photograph.
    """
    crop, count, gain = config.crop, config.batch, config.gain
    rng = rng_for(config.seed, "batch", step)
    chosen = rng.integers(len(photographs), size=count)
    crops = np.stack([_crop(photographs[i].pixels, crop, rng) for i in chosen])
    frames = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    factors = torch.from_numpy(np.exp(rng.uniform(log(gain[0]), log(gain[1]), (count, 1, 1, 1)))).float()
    lit = linear_to_srgb((srgb_to_linear(frames) * factors).clamp(0, 1)).clamp(0, 1)
    return lit.contiguous(), torch.from_numpy(rng.uniform(*config.exposure, count)).float()


def _crop(pixels: NDArray[np.uint8], crop: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    side = round(exp(rng.uniform(log(crop), log(min(height, width)))))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = pixels[top : top + side, left : left + side]
    return _resize(square[:, ::-1] if rng.random() < 0.5 else square, (crop, crop))


def whole(photograph: Photograph, crop: int) -> Tensor:
    """Central crop: the middle square of a photograph at the size of a crop, (3, crop, crop), sRGB in [0, 1]."""
    height, width = photograph.pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return dequantize(_resize(photograph.pixels[top : top + side, left : left + side], (crop, crop)))
