"""Videos as tests read them, and folders of pictures."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch

from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.support.clips import textured

LOSSLESS = {"qp": "0", "preset": "ultrafast"}
BLOCKS = np.kron(np.random.default_rng(3).random((4, 6, 3)), np.ones((16, 16, 1)))


def opened(path: Path, capture_fps: Fraction | None = None) -> VideoScan:
    return scan(probe(path, capture_fps))


def pixels(path: Path, capture_fps: Fraction | None = None) -> torch.Tensor:
    found = opened(path, capture_fps)
    return torch.stack(list(read_frames(found, 0, found.frames)))


def as_tensor(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2) / np.float32(np.iinfo(pictures[0].dtype).max))


def picture_series(folder: Path, numbers: list[int], name: str = "{}.png", **kinds) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        cv2.imwrite(str(folder / name.format(number)), textured(number, **kinds)[..., ::-1])
    return folder


def deep(number: int) -> np.ndarray:
    return textured(number).astype(np.uint16) * 257 - np.uint16(number * 3)
