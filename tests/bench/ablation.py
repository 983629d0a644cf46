"""What each step of the synthesis is worth: one switch changed at a time, a network trained on each, three seeds.

`python tests/bench/ablation.py OUT [--variant NAME ...] [--seeds N] [--set KEY=VALUE ...]`: clips as `learning.py` has
them; a dataset of the same clips for each variant; `train_lednet_small` on each, two at a time; and scores on pairs
that another simulation made: panoramas of scene-linear light with true motion at 2000 fps, exposed by physical light,
a sensor of other noise, pattern and demosaicing, nothing of it by this package's chain. Each step is done only if its
result is not there, so that it goes on where it was stopped. It takes hours.

PSNR and SSIM in RGB are of what the network makes, and after the best gain of each picture, which a network has to
guess; `blotches` is what it leaves on surfaces without detail that is larger than grain (RMS of errors between 2 and 16
pixels, of 255, without their mean). Means over pairs, and the standard deviation of these means over seeds.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness, lightness_to_luminance, linear_to_srgb, luminance, srgb_to_linear
from lolblur_synth.dataset.layout import image_path
from lolblur_synth.dataset.pairs import INPUT, TARGET, find_pairs
from lolblur_synth.metrics.psnr_ssim import psnr, ssim
from lolblur_synth.mosaic.demosaic import demosaic
from lolblur_synth.mosaic.pattern import sites
from lolblur_synth.nets.weights.load import load_lednet
from lolblur_synth.scenes import render
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import quantize, read_image, write_png
from tests.bench.learning import SETTINGS, TRAINED, best_gain, fetch
from tests.bench.panoramas import panorama, panoramas, seen

CAMERA = ["noise.model=bayer", "noise.camera=rsblur"]
# White noise of the same levels: RSBlur's shot noise times 0.5 to 1.5, its read noise of any shot noise.
WHITE = ["noise.model=linear", "noise.shot=[5e-5,1.5e-4]", "noise.read_slope=0", "noise.read_offset=-13.99"]
VARIANTS = {  # settings beside those of the first
    "camera": [],
    "faint white noise, the paper's": ["noise.model=linear"],
    "white noise of the camera's strength": [*WHITE, "noise.read_spread=0.6"],
    "a phone's noise": ["noise.camera=phone"],
    "no noise": ["noise.model=none"],
    "averaged in sRGB": ["average.space=srgb"],
    "no reverse clipping": ["unclip.strength=0"],
    "no interpolation": ["interpolate.fps=60"],
    "rolling shutter": ["camera.rolling_ms=[5,15]"],
    "JPEG": ["isp.jpeg_quality=[60,95]"],
}
JUDGED, OF_EACH, SIZE, FPS = "judged", 3, (192, 384), 2000
SUB_FRAMES = {24: 49, 32: 65}  # by shutter time
PATTERN, GAINS = "GBRG", (2.1, 1.0, 1.7)


class Score(NamedTuple):
    """Of one picture."""

    psnr: float
    ssim: float
    gained_psnr: float
    gained_ssim: float
    blotches: float


def film(out: Path, maps: Path) -> None:
    """Pairs of the other simulation, as LOL-Blur folders."""
    for video, path in enumerate(panoramas(maps)):
        for number in range(1, OF_EACH + 1):
            rng = np.random.default_rng((video, number))
            blurred, sharp = expose(metered(panorama(path), float(rng.uniform(0.4, 0.55))), rng)
            for folder, image in ((INPUT, blurred), (TARGET, sharp)):
                at = out / image_path("test", folder, video, number)
                at.parent.mkdir(parents=True, exist_ok=True)
                write_png(at, quantize(image))


def metered(picture: Tensor, wanted: float) -> Tensor:
    """A picture in normal light: scaled so that its mean CIE L*/100, clipped at white, is `wanted`."""
    light = srgb_to_linear(picture)
    low, high = -12.0, 12.0
    for _ in range(20):
        middle = (low + high) / 2
        darker = float(lightness(linear_to_srgb((light * 2**middle).clamp(0, 1))).mean()) < wanted
        low, high = (middle, high) if darker else (low, middle)
    return linear_to_srgb(light * 2**middle)


def expose(picture: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """One exposure in the dark, and the sharp middle in normal light, both sRGB."""
    count = SUB_FRAMES[int(rng.choice(list(SUB_FRAMES)))]
    gaps = count * 250 / FPS
    scene = seen(picture, int(rng.integers(2**31)), float(rng.uniform(1, 9)), gaps)
    frames = (srgb_to_linear(render(scene, k * 250 / FPS, SIZE)).clamp(min=0) for k in range(count))
    exposed, middle = torch.zeros(3, *SIZE), torch.zeros(3, *SIZE)
    for k, frame in enumerate(frames):
        exposed += frame / count
        if k == count // 2:
            middle = frame.clamp(max=1)
    gain = lightness_to_luminance(rng.uniform(0.05, 0.3)) / float(luminance(middle).mean())
    return sensor(exposed.double() * gain, rng), linear_to_srgb(middle * float(rng.uniform(0.8, 1)))


def sensor(light: Tensor, rng: np.random.Generator) -> Tensor:
    """A picture of linear light by a sensor: electrons, read noise, 12 bits, Malvar's demosaicing, sRGB."""
    raw, gain = torch.empty(SIZE, dtype=torch.float64), torch.empty(SIZE, dtype=torch.float64)
    for channel, place in sites(PATTERN):
        raw[place], gain[place] = light[(channel, *place)] / GAINS[channel], GAINS[channel]
    well = 10 ** rng.uniform(3.3, 4.3)  # electrons at white
    electrons = rng.poisson(raw.numpy() * well) + rng.normal(0, rng.uniform(2, 6), SIZE)
    levels = np.round(electrons / well * 3839).clip(-256, 3839) / 3839
    balanced = (torch.from_numpy(levels) * gain).clamp(max=1)
    return linear_to_srgb(demosaic(balanced.float(), PATTERN, "malvar").clamp(0, 1))


def blotches(out: Tensor, truth: Tensor) -> float:
    """RMS of errors between 2 and 16 pixels in size, of 255, where the truth has no detail."""

    def smooth(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)

    error, true = ((picture.permute(1, 2, 0).numpy() * 255).astype(np.float32) for picture in (out - truth, truth))
    flat = smooth(np.square(true - smooth(true, 8)).mean(2), 8) < 9  # within 3 levels
    band = smooth(error, 2) - smooth(error, 16)
    return float(np.sqrt(np.square(band)[flat].mean())) if flat.sum() > 500 else float("nan")


def judge(pairs: Path, weights: Path) -> tuple[Score, list[Tensor]]:
    """Mean scores of a network, and what it makes of each tenth pair."""
    net, _ = load_lednet(str(weights))
    scores, shown = [], []
    for number, pair in enumerate(find_pairs(pairs, "test")):
        dark, truth = read_image(pair.input.path), read_image(pair.target.path)
        with torch.inference_mode():
            out = net(dark[None])[0][0].clamp(0, 1)
        gained, true = best_gain(out, truth), quantize(truth)
        made, brought = quantize(out), quantize(gained)
        scores.append(
            Score(psnr(made, true), ssim(made, true), psnr(brought, true), ssim(brought, true), blotches(gained, truth))
        )
        if number % 10 == 0:
            shown.append(out)
    return Score(*map(float, np.nanmean(scores, 0))), shown


def synthesize(out: Path, variant: str, settings: list[str]) -> Path:
    """The dataset of a variant; denoised frames are those of all."""
    data = out / variant.replace(" ", "_").replace(",", "").replace("'", "")
    overrides = [word for each in (*CAMERA, *settings) for word in ("--set", each)]
    cache = ("--cache-denoised", out / "denoised")
    words = ["run", "--videos", out / "clips" / TRAINED, "--out", data / "pairs", *SETTINGS, *overrides, *cache]
    ended = subprocess.run([sys.executable, "-m", "lolblur_synth", *map(str, words)], check=False)
    if ended.returncode > 1:  # 1: some clips are too short for the windows of this variant
        sys.exit(f"{variant}: no dataset")
    return data


def train(job: tuple[Path, int, list[str]]) -> None:
    """One training, in a process of its own, on one thread; its log is beside it."""
    data, seed, settings = job
    out = data / f"seed_{seed}"
    words = ["train-lednet", "--config", "train_lednet_small", "--data", data / "pairs", "--out", out]
    words += ["--set", f"seed={seed}", "--cache", data / "decoded", *settings]
    with (data / f"seed_{seed}.log").open("a") as log:
        subprocess.run([sys.executable, "-m", "lolblur_synth", *map(str, words)], check=True, stdout=log, stderr=log)


def rows(out: Path, variants: list[str], seeds: int) -> Iterator[list[Tensor]]:
    """Print a line for each variant; pictures of its first seed."""
    print(f"\n{'means over pairs, deviation over seeds':38} PSNR            SSIM   after the best gain    blotches")
    for variant in variants:
        data = out / variant.replace(" ", "_").replace(",", "").replace("'", "")
        judged = [judge(out / JUDGED, data / f"seed_{seed}" / "last.safetensors") for seed in range(seeds)]
        mean = Score(*np.mean([score for score, _ in judged], 0))
        spread = Score(*np.std([score for score, _ in judged], 0))
        print(
            f"{variant:38} {mean.psnr:5.2f} +- {spread.psnr:4.2f}   {mean.ssim:.3f}   {mean.gained_psnr:5.2f} +- "
            f"{spread.gained_psnr:4.2f} {mean.gained_ssim:.3f}   {mean.blotches:5.2f} +- {spread.blotches:4.2f}",
            flush=True,
        )
        yield judged[0][1]


def main() -> None:
    """All steps whose results are not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--variant", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings of the training")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    for name, make in (("clips", fetch), (JUDGED, lambda folder: film(folder, out / "panoramas"))):
        if not (out / name).is_dir():
            with tempfile.TemporaryDirectory(dir=out) as folder:
                make(Path(folder, name))
                Path(folder, name).rename(out / name)
    made = [synthesize(out, variant, VARIANTS[variant]) for variant in arguments.variant]
    settings = [word for each in arguments.set for word in ("--set", each)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, [(data, seed, settings) for seed in range(arguments.seeds) for data in made]))
    pairs = list(find_pairs(out / JUDGED, "test"))[::10]
    shown = [[read_image(pair.input.path) for pair in pairs]]
    shown += rows(out, arguments.variant, arguments.seeds)
    shown.append([read_image(pair.target.path) for pair in pairs])
    sheet = contact_sheet([[quantize(picture) for picture in row] for row in zip(*shown, strict=True)], 320)
    write_png(out / "pictures.png", sheet)
    print(f"pictures of the input, {', '.join(arguments.variant)} and the truth: {out / 'pictures.png'}")


if __name__ == "__main__":
    main()
