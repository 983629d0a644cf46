"""What demosaicing and the noise of a sensor do to photographs: `python tests/bench/noise.py [FOLDER]`, half a minute.

`quality`: PSNR over all three channels, without noise, with the colours of a Sony A7R III, of pictures as they are and
dimmed to a fifth of their light, in linear light and after gamma; 8 pixels at the borders do not count. `noise`: what
is left of them after a preset's noise, against the same without noise and without a mosaic. `levels`: standard
deviation of green, of 255, of flat grey by each camera. `time`: milliseconds for 1120x640. Without a folder: the two
bundled photographs and those of scikit-image that it has without a download.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import skimage.data
import torch
from torch import Tensor

import lolblur_synth
from lolblur_synth.config.cameras import cameras
from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.mosaic.demosaic import demosaic
from lolblur_synth.ops.noise.bayer import add_bayer_noise, capture, develop, to_raw
from lolblur_synth.ops.noise.camera import Sensor
from lolblur_synth.synthesis.draws import draw
from lolblur_synth.video.images import dequantize, is_picture, read_pixels

PHOTOS = Path(lolblur_synth.__file__).parent / "apps" / "photos"
METHODS = ("bilinear", "malvar", "menon")
DIMMED = 0.2
EDGE = 8


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--part", choices=["quality", "noise", "levels", "time"], action="append")
    parser.add_argument("--threads", type=int, default=1, help="of torch; a worker of a run has one")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    parts = options.part or ["quality", "noise", "levels", "time"]
    pictures = list(photographs(options.folder)) if {"quality", "noise"} & {*parts} else []
    if "quality" in parts:
        quality(pictures)
    if "noise" in parts:
        noisy(pictures)
    if "levels" in parts:
        levels()
    if "time" in parts:
        times()


def photographs(folder: Path | None) -> Iterator[tuple[str, Tensor]]:
    """Pictures of a folder, or bundled ones, (3, H, W)."""
    for path in sorted(filter(is_picture, (folder or PHOTOS).iterdir())):
        yield path.stem, dequantize(read_pixels(path))
    if folder is None:
        for name in ("astronaut", "chelsea", "coffee", "rocket"):
            yield name, dequantize(getattr(skimage.data, name)())


def sensor(camera: str) -> tuple[float, float, Sensor]:
    """Shot and read noise and the sensor that a sequence drew."""
    drawn = draw(load(Config, [], ["noise.model=bayer", f"noise.camera={camera}", "noise.pattern=RGGB"]), "bench")
    assert drawn.sensor is not None
    return drawn.shot, drawn.read, drawn.sensor


def psnr(one: Tensor, other: Tensor) -> float:
    """PSNR in dB over all channels, without the borders."""
    inner = (slice(None), slice(EDGE, -EDGE), slice(EDGE, -EDGE))
    return float(-10 * torch.log10(((one - other)[inner] ** 2).mean()))


def variants(picture: Tensor) -> Iterator[tuple[str, Tensor]]:
    """As it is, and as dark as an input of a night."""
    yield "as it is", picture
    yield "dimmed", linear_to_srgb(srgb_to_linear(picture) * DIMMED)


def quality(pictures: list[tuple[str, Tensor]]) -> None:
    """The way through the mosaic without noise."""
    print(f"{'PSNR, dB':14} {'':9}" + "".join(f"{f'{m} linear':>16} {'gamma':>6}" for m in METHODS))
    _, _, drawn = sensor("sony-a7r3")
    gains: dict[str, list[float]] = {method: [] for method in METHODS}
    for name, picture in pictures:
        for light, exposed in variants(picture):
            row = f"{name:14} {light:9}"
            for method in METHODS:
                whole = develop(to_raw(exposed, drawn), replace(drawn, demosaic=method))
                encoded = psnr(whole, exposed)
                gains[method].append(encoded)
                row += f"{psnr(srgb_to_linear(whole), srgb_to_linear(exposed)):16.2f} {encoded:6.2f}"
            print(row)
    print(f"{'mean':24}" + "".join(f"{'':16} {np.mean(gains[method]):6.2f}" for method in METHODS))


def noisy(pictures: list[tuple[str, Tensor]]) -> None:
    """The same with noise, dimmed, after gamma."""
    print(f"\n{'PSNR after gamma of dimmed pictures, dB':40}" + "".join(f"{method:>10}" for method in METHODS))
    for camera in ("sony-a7r3", "rsblur", "phone"):
        shot, read, drawn = sensor(camera)
        scores = np.zeros((len(pictures), len(METHODS)))
        for at, (_, picture) in enumerate(pictures):
            exposed = dict(variants(picture))["dimmed"]
            raw = capture(to_raw(exposed, drawn), torch.Generator().manual_seed(0), shot, read, drawn)
            scores[at] = [psnr(develop(raw, replace(drawn, demosaic=method)), exposed) for method in METHODS]
        print(f"{camera:40}" + "".join(f"{score:10.2f}" for score in scores.mean(0)))


def levels() -> None:
    """Standard deviation of flat grey."""
    print(f"\n{'sigma of green, of 255, at linear':34}" + "".join(f"{light:>8}" for light in (0.005, 0.02, 0.1)))
    for camera in cameras():
        shot, read, drawn = sensor(camera)
        row = f"{camera:34}"
        for light in (0.005, 0.02, 0.1):
            exposed = linear_to_srgb(torch.full((3, 256, 256), light))
            picture = add_bayer_noise(exposed, torch.Generator().manual_seed(0), shot, read, drawn)
            row += f"{255 * picture[1, EDGE:-EDGE, EDGE:-EDGE].std():8.2f}"
        print(f"{row}   shot {shot:.2e} read std {read**0.5:.2e}")


def times() -> None:
    """Milliseconds for 1120x640, the best of five."""
    shot, read, drawn = sensor("sony-a7r3")
    exposed = linear_to_srgb(torch.rand(3, 640, 1120) * DIMMED)
    raw = to_raw(exposed, drawn)
    print(f"\n1120x640, milliseconds, {torch.get_num_threads()} threads")
    for method in METHODS:
        chosen = replace(drawn, demosaic=method)
        whole = best(lambda: add_bayer_noise(exposed, torch.Generator().manual_seed(0), shot, read, chosen))  # noqa: B023
        print(f"{method:10} demosaicing {best(lambda: demosaic(raw, 'RGGB', method)):6.0f}, in all {whole:6.0f}")  # noqa: B023


def best(function: Callable[[], Tensor]) -> float:
    """Milliseconds of the fastest of five calls, after one that compiles."""
    function()
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        function()
        taken.append(time.perf_counter() - begun)
    return 1000 * min(taken)


if __name__ == "__main__":
    main()
