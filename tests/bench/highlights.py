"""What lights brighter than white leave behind, from clipped frames and from footage that holds them, against truth.

Panoramas of scene-linear light under the shake of a hand; the truth is the average of all sub-frames at 2000 fps,
clipped at white after it. Every eighth frame is kept as a camera at 250 fps writes it: clipped to 8 bits; in HLG of 10
bits, BT.2020 and 4:2:0, which ends at 3.77 times white; or as OpenEXR holds it. Sub-frames between are made by flow,
and brightened where they are clipped by reverse clipping, with the paper's boosts or the best single one; what footage
holds beyond white goes on without. PSNR in dB of sRGB: where something was brighter than white during the exposure and
8 pixels around it, and of the whole picture.
`python tests/bench/highlights.py [--speed PIXELS ...] [--above-white SHARE ...]`
"""

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.ops.exposure import average
from lolblur_synth.ops.highlights import add_highlights, clip_highlights, highlights
from lolblur_synth.ops.interpolation.backends import open_interpolator
from lolblur_synth.ops.interpolation.interpolate import Interpolator, interpolate
from lolblur_synth.ops.unclip import unclip
from lolblur_synth.scenes import Scene, render
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.bench.panoramas import panorama, panoramas, seen
from tests.support.hdr import film

GAPS, FACTOR, SIZE, BORDER, AROUND = 6, 8, (192, 384), 16, 8
BOOSTS = (20, 40, 60, 80, 100, 200, 400)  # of 255; LEDNet's are 20 to 100
HLG, HELD = "held by HLG of 10 bits", "held by the footage"


def exposures(scene: Scene, interpolator: Interpolator, each: Map) -> dict[str, Tensor]:
    """The exposed light of each way in sRGB, clipped at white; and its truth."""
    truth = list(each(lambda k: render(scene, k / FACTOR, SIZE), range(GAPS * FACTOR + 1)))
    bright = truth[::FACTOR]
    filmed = [(clip_highlights(frame) * 255).round() / 255 for frame in bright]
    sub_frames = list(interpolate(filmed, filmed, FACTOR, interpolator, each))

    def exposed(frames: Sequence[Tensor], boost: float = 0) -> Tensor:
        light = (srgb_to_linear(unclip(frame, boost / 255) if boost else frame) for frame in frames)
        return linear_to_srgb(average(light)).clamp(0, 1)

    clipped = [clip_highlights(frame) for frame in bright]
    held = list(map(add_highlights, clipped, map(highlights, bright)))
    read = filmed_in_hlg(bright)
    read_clipped = [clip_highlights(frame) for frame in read]
    return {
        "truth": exposed(truth),
        "no reverse clipping": exposed(sub_frames),
        **{f"reverse clipping by {boost}": exposed(sub_frames, boost) for boost in BOOSTS},
        HLG: exposed(list(interpolate(read, read_clipped, FACTOR, interpolator, each))),
        HELD: exposed(list(interpolate(held, clipped, FACTOR, interpolator, each))),
        "saturated": torch.stack([frame.max(0).values for frame in truth]).max(0).values,
    }


def filmed_in_hlg(bright: Sequence[Tensor]) -> list[Tensor]:
    """What is read of a clip of these frames."""
    with TemporaryDirectory() as folder:
        lights = (srgb_to_linear(frame).permute(1, 2, 0).numpy() for frame in bright)
        clip = film(Path(folder, "a.mkv"), lights, "hlg", pixel_format="yuv420p10le")
        return list(read_frames(scan(probe(clip, 250, white=1.0)), 0, len(bright)))


def scores(ways: dict[str, Tensor]) -> dict[str, tuple[float, float]]:
    """PSNR of each way around what was saturated, and of the whole picture."""
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    saturated = (ways.pop("saturated") > 1).float()[None, None]
    near = F.max_pool2d(saturated, 2 * AROUND + 1, 1, AROUND)[0, 0][inside] > 0
    truth = ways.pop("truth")
    errors = {name: (way - truth).square().mean(0)[inside] for name, way in ways.items()}
    return {name: (decibels(error[near]), decibels(error)) for name, error in errors.items()}


def decibels(error: Tensor) -> float:
    """PSNR of squared errors for a peak of 1."""
    return float(-10 * error.double().mean().clamp(min=1e-10).log10())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", type=float, nargs="+", default=[3, 8])
    parser.add_argument("--above-white", type=float, nargs="+", default=[0.005, 0.02], help="share of a panorama")
    parser.add_argument("--panoramas", type=Path, default=Path("build/panoramas"))
    arguments = parser.parse_args()
    files = panoramas(arguments.panoramas)
    cpu = torch.device("cpu")
    with ordered_map(2) as each, open_interpolator("flow", "", cpu, 2, print, vulkan=False) as (interpolator, _):
        for share, speed in product(arguments.above_white, arguments.speed):
            rows = [
                scores(exposures(seen(panorama(path, share), number, speed, GAPS), interpolator, each))
                for number, path in enumerate(files)
            ]
            print(f"\n{share:.1%} above white, up to {speed:g} pixels a source frame, {len(rows)} panoramas")
            print(f"{'PSNR in dB':26} around lights, whole picture")
            for name in rows[0]:
                near, whole = np.nanmean([row[name] for row in rows], 0)  # some show no light here
                print(f"{name:26} {near:6.2f} {whole:6.2f}", flush=True)


if __name__ == "__main__":
    main()
