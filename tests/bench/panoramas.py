"""Scene-linear panoramas with real lamps and suns, seen by a moving camera: what is judged by has another source.

18 environment maps, CC0, of the npm package `@pmndrs/assets`, 512x256 each: they are fetched once, into a folder that
is kept. Light is scaled so that a share of it is brighter than white. They were compressed by DWAB, which has no
infinite samples and rings: the suns of two have no red and no green, and lamps have negative neighbours. Where a pixel
above white lacks a channel, it takes that of the brightest.
"""

import base64
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.scenes import Scene, shake
from lolblur_synth.video.exr import read_exr

PACKAGE = "@pmndrs/assets@1.7.0"
ABOVE_WHITE = 0.02  # of the pixels: about what is saturated of a night that is exposed for what is not a lamp


def panoramas(folder: Path) -> list[Path]:
    """The OpenEXR files, fetched by `npm pack` into `folder` if they are not there."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as place:
            subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=place, check=True, stdout=subprocess.DEVNULL)
            found = Path(place, "exr")
            found.mkdir()
            with tarfile.open(next(Path(place).glob("*.tgz"))) as archive:
                for member in archive:
                    if member.name.endswith(".exr.js"):
                        text = archive.extractfile(member).read().decode()
                        data = base64.b64decode(text.split("base64,")[1].rstrip("';\n\"`"))
                        found.joinpath(Path(member.name).stem).write_bytes(data)
            found.rename(folder)
    return sorted(folder.glob("*.exr"))


def panorama(path: Path, above_white: float = ABOVE_WHITE) -> Tensor:
    """A panorama as sRGB (3, H, W) whose curve goes on above 1, where this share of its pixels is."""
    light = torch.from_numpy(read_exr(path, lambda *_: None)).permute(2, 0, 1).clamp(min=0)  # some samples are negative
    brightest = light.max(0).values
    white = torch.quantile(brightest.flatten(), 1 - above_white)
    light = torch.where((brightest > white) & (light.min(0).values == 0), brightest, light)
    return linear_to_srgb(light / white)


def seen(picture: Tensor, number: int, speed: float, frames: float) -> Scene:
    """A panorama as a hand sees it that shakes by up to `speed` pixels in a source frame."""
    return Scene(picture, shake(np.random.default_rng(number), speed, frames))
