"""Scale, crop, mirror and turn of stored frames."""

from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.video.metadata import VideoInfo

Size = tuple[int, int] | Literal["source"]


def sensor_rows(size: Size, info: VideoInfo) -> Tensor:
    """Where on the sensor, from 0 at its first row to 1 at its last, the pixels of a fitted frame lie: (H, W)."""
    columns, rows = (info.height, info.width) if info.rotation % 180 == 90 else (info.width, info.height)
    ramp = (np.arange(rows, dtype=np.float32) + 0.5) / np.float32(rows)
    return fit(np.ascontiguousarray(np.broadcast_to(ramp[:, None, None], (rows, columns, 3))), size, info)[0]


def fit(rgb: NDArray[np.float32], size: Size, info: VideoInfo) -> Tensor:
    """Scale a stored frame (H, W, 3) to cover `size`, crop the middle, turn it as shown, square pixels: (3, H, W)."""
    turned = info.rotation % 180 == 90
    shown = (info.height, info.width) if turned else (info.width, info.height)
    width, height = shown if size == "source" else size[::-1] if turned else size
    rows, columns = rgb.shape[:2]
    scale = max(width / shown[0], height / shown[1])
    crop_w = min(columns, round(width / scale * columns / shown[0]))
    crop_h = min(rows, round(height / scale * rows / shown[1]))
    x, y = (columns - crop_w) // 2, (rows - crop_h) // 2
    rgb = rgb[y : y + crop_h, x : x + crop_w]
    if (crop_w, crop_h) != (width, height):
        enlarging = cv2.INTER_LINEAR if info.holds_light else cv2.INTER_CUBIC  # whose lobes ring black around lamps
        method = cv2.INTER_AREA if width <= crop_w and height <= crop_h else enlarging
        rgb = np.clip(cv2.resize(rgb, (width, height), interpolation=method), 0, None if info.holds_light else 1)
    seen = rgb[:, ::-1] if info.mirrored else rgb
    return torch.from_numpy(np.ascontiguousarray(np.rot90(seen, info.rotation // 90).transpose(2, 0, 1)))
