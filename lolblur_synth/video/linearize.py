"""From decoded RGB signals of HDR, camera logs and wide gamut to light, or to sRGB."""

import numpy as np
import torch
from numpy.typing import NDArray

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.video.gamut import in_bt709
from lolblur_synth.video.metadata import VideoInfo
from lolblur_synth.video.transfer import decode


def rendered(signal: NDArray[np.float32], info: VideoInfo) -> NDArray[np.float32]:
    """RGB (H, W, 3) as the pipeline takes it, of signals whose black is 0 and whose white 1.

    Where the footage holds light it is that, from 0 upwards, of BT.709's primaries, 1 being diffuse white; else sRGB
    in [0, 1], into whose gamut wider ones are clipped.
    """
    if info.holds_light:
        light = decode(torch.from_numpy(signal), info.transfer, info.color_range).numpy()
        return in_bt709(light, info.primaries)
    signal = signal.clip(0, 1, out=signal)
    if info.primaries == "bt709":
        return signal
    linear = in_bt709(srgb_to_linear(torch.from_numpy(signal)).numpy(), info.primaries)
    return linear_to_srgb(torch.from_numpy(linear)).clamp_(max=1).numpy()
