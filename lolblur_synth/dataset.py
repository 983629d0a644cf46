"""The LOL-Blur layout: `{train,test}/<folder>/VVVV/FFFF.png`, five folders, numbers that pair up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.ops.color import lightness
from lolblur_synth.video.images import Pixels

Split = Literal["train", "test"]
Folder = Literal["low_blur_noise", "low_blur", "low_sharp", "high_sharp_scaled", "high_sharp_original"]
Statistic = Literal["mean", "lightness", "p99_grey", "saturated", "noise_sigma"]
FOLDERS: tuple[Folder, ...] = ("low_blur_noise", "low_blur", "low_sharp", "high_sharp_scaled", "high_sharp_original")


def image_path(split: Split, folder: str, video: int, number: int) -> Path:
    """Where an image lies, relative to the dataset."""
    return Path(split, folder, f"{video:04d}", f"{number:04d}.png")


def pair_paths(root: Path, split: Split) -> Iterator[dict[str, Path]]:
    """The pictures of each pair of a split by folder name, in order; also of the released LOL-Blur."""
    for path in sorted((root / split / FOLDERS[0]).glob("*/*.png")):
        tail = path.relative_to(root / split / FOLDERS[0])
        yield {folder: root / split / folder / tail for folder in FOLDERS}


def measure(image: Tensor) -> dict[Statistic, float]:
    """What tells a night picture, of sRGB (3, H, W) in [0, 1].

    `mean` and `p99_grey` on the scale of 255, `lightness` as mean CIE L*, `saturated` as per cent of pixels whose
    largest channel is 250 or more, `noise_sigma` of the green channel on the scale of 255 by Immerkaer (CVIU 1996).
    """
    grey = (image * image.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    return {
        "mean": 255 * image.mean().item(),
        "lightness": 100 * lightness(image).mean().item(),
        "p99_grey": 255 * torch.quantile(grey.flatten()[:: 1 + grey.numel() // 2**20], 0.99).item(),
        "saturated": 100 * (image.amax(0) >= 250 / 255).float().mean().item(),
        "noise_sigma": 255 * _immerkaer(image[1]),
    }


def _immerkaer(channel: Tensor) -> float:
    kernel = channel.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = torch.nn.functional.conv2d(channel[None, None], kernel[None, None])
    return float(response.abs().mean().item() * (np.pi / 2) ** 0.5 / 6)


def contact_sheet(rows: list[list[Pixels]], width: int = 480, gap: int = 6) -> NDArray[np.uint8]:
    """Pictures of one size in rows and columns on a grey ground, each `width` pixels wide, as 8-bit RGB."""
    import cv2

    height = round(rows[0][0].shape[0] * width / rows[0][0].shape[1])
    sheet = np.full((gap + len(rows) * (height + gap), gap + len(rows[0]) * (width + gap), 3), 48, np.uint8)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            eight_bit = (
                pixels if pixels.dtype == np.uint8 else (pixels.astype(np.float32) / 257).round().astype(np.uint8)
            )
            top, left = gap + row * (height + gap), gap + column * (width + gap)
            resized = cv2.resize(eight_bit, (width, height), interpolation=cv2.INTER_AREA)
            sheet[top : top + height, left : left + width] = resized
    return sheet
