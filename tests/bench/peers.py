"""Ours beside others that run on a processor: how true and how dear, on the same clips, in turn.

Denoising: the clips of `denoise`, white noise; mean PSNR in dB of all frames and of the middle one, CPU microseconds a
voxel of a channel. All are told the noise and get the same float frames, which are not clipped: bm3dcpu, dfttest2 and
Degrain in orthonormal opponent colours, in which they are best. What they have to be told besides is what was found
best on these clips: bm3dcpu 1.6 times the sigma, Degrain thresholds of scene changes that noise does not reach.

Blur: scenes of `interpolation`, the average of 33 sub-frames rebuilt from every eighth, in sRGB values, without a
border of 16 pixels; PSNR in dB of RGB / of its luma, CPU milliseconds a sub-frame with its share of the flow (33 to an
exposure). Ours takes the path of the pipeline, the integral over each gap, which includes the averaging; theirs is
stopped before it. `8 bits` is full-range Y, Cb, Cr of 8 bits, once for ours as well, as rounding alone costs the most
exact ones some dB. open-svpflow 0.1.1 makes 4:2:0, or 4:4:4 without chroma on the processor: its luma is compared.
FlowBlur smears two frames over two gaps each instead of making sub-frames.

The others live in an environment of their own, with a Python of 3.12 or newer, at pinned versions; some are under the
GPL. It is made in build/peers, or where `--env` says, from PyPI. `python -m tests.bench.peers [--part NAME ...]
[--rounds N] [--env FOLDER] [--python PROGRAM]`; a round takes about four minutes on two cores. CPU time is that of all
threads of a process, the median of the rounds.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import fmean, median

import numpy as np
import skimage.data
import torch
from torch import Tensor

from lolblur_synth.core.threads import ordered_map
from lolblur_synth.ops.denoise.denoise import denoise
from lolblur_synth.ops.denoise.noise_model import white_noise
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import Exposure, ignore, integrate_exposures
from lolblur_synth.ops.linearization import Linearization
from lolblur_synth.scenes import as_photo, render
from tests.bench import denoise as clips
from tests.bench import interpolation as scenes

WORKER = Path(__file__).with_name("peers_worker.py")
PINNED = (
    *("vapoursynth==79", "vapoursynth-bm3dcpu==2.17", "dfttest2==11.0.0", "vapoursynth-dfttest2-cpu==11.1.0"),
    *("vapoursynth-mvutensils==10", "open-svpflow==0.1.1", "imageio-ffmpeg==0.8.1", "numpy==2.5.5"),
)
DENOISERS = (
    *("bm3dcpu, radius 1, step 4", "bm3dcpu, radius 4, step 8", "bm3dcpu, radius 4, step 3", "bm3dcpu after Degrain"),
    *("mvutensils Degrain, radius 4", "dfttest2, 3 frames", "dfttest2, 7 frames"),
)
BLURS = (
    *("mvutensils FlowFPS, float", "mvutensils FlowFPS, 8 bits", "mvutensils FlowBlur, float"),
    *("open-svpflow, 8 bits, luma", "ffmpeg minterpolate, 8 bits"),
)
SCENES = ("shake 8 px", "rotation 0.5 deg", "object 8 px", "object 20 px", "wires 8 px")
SIZE = (640, 1120)
SUB_FRAMES = scenes.GAPS * scenes.FACTOR + 1
LUMA = torch.tensor([0.2126, 0.7152, 0.0722])  # BT.709, of sRGB values
TO_YUV = torch.stack([LUMA, torch.tensor([-0.114572, -0.385428, 0.5]), torch.tensor([0.5, -0.454153, -0.045847])])

Made = tuple[Tensor, float]  # and the CPU seconds that it took
Row = Callable[[Tensor], Made]


def find_python() -> str:
    """A Python of 3.12 or newer: this one, or one on the path or among those of pyenv."""
    found = [sys.executable] if sys.version_info >= (3, 12) else []
    found += [path for name in ("python3.12", "python3.13", "python3.14") if (path := shutil.which(name))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    found += map(str, sorted(pyenv.glob("3.1[234].*/bin/python")))
    for program in found:
        if not subprocess.run([program, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL).returncode:
            return program
    sys.exit("no Python of 3.12 or newer: name one by --python")


def environment(folder: Path, python: str | None) -> Path:
    """The Python of the others' environment, which is made where it is not there or has other versions."""
    program, mark = folder / "bin/python", folder / "pinned"
    if not mark.is_file() or mark.read_text() != "\n".join(PINNED):
        subprocess.run([python or find_python(), "-m", "venv", "--clear", folder], check=True)
        subprocess.run([program, "-m", "pip", "install", "--quiet", *PINNED], check=True)
        mark.write_text("\n".join(PINNED))
    return program


def theirs(frames: Tensor, peer: str, program: Path, threads: int, sigma: float = 0) -> Made:
    """What a peer makes of frames (T, 3, H, W), sRGB."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/frames.npy", frames.numpy())
        command = [program, WORKER, peer, folder, "--threads", str(threads), "--sigma", str(sigma)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{peer}: {done.stderr}")
        return torch.from_numpy(np.load(f"{folder}/made.npy")), float(done.stdout)


def denoised(frames: Tensor, preset: str, threads: int, sigma: float) -> Made:
    with ordered_map(threads) as each, torch.inference_mode():
        start = time.process_time()
        made = torch.stack(list(denoise(list(frames), white_noise(sigma), "vbm4d", preset, each=each)))
        return made, time.process_time() - start


def exposed(frames: Tensor, threads: int, *, rounded: bool = False) -> Made:
    """The exposure as the pipeline makes it, in sRGB values, of all frames but the first and the last."""
    source = in_bytes(frames) if rounded else frames
    window = list(source[1:-1])
    with ordered_map(threads) as each, torch.inference_mode():
        start = time.process_time()
        exposures = [Exposure(window, Linearization(0, 98, "srgb"))]
        (light,) = integrate_exposures(exposures, window, scenes.FACTOR, by_flow, each, ignore)
        return light, time.process_time() - start


def in_bytes(frames: Tensor) -> Tensor:
    """Frames (T, 3, H, W) by way of full-range Y, Cb, Cr of 8 bits."""
    rounded = torch.einsum("ij,tjhw->tihw", TO_YUV, frames).mul(255).round().clamp(-128, 255) / 255
    return torch.einsum("ij,tjhw->tihw", torch.linalg.inv(TO_YUV), rounded).clamp(0, 1)


def in_turn(rows: dict[str, Row], frames: Tensor, rounds: int) -> Iterable[tuple[str, Tensor, float]]:
    """Each row's result and its median CPU seconds."""
    runs = [{name: row(frames) for name, row in rows.items()} for _ in range(rounds)]
    for name in rows:
        yield name, runs[0][name][0], median(run[name][1] for run in runs)


def compare_denoisers(peers: dict[str, Row], threads: int, rounds: int, sigma: float) -> None:
    ours = {f"ours, {p}": partial(denoised, preset=p, threads=threads, sigma=sigma) for p in ("fast", "best")}
    rows: dict[str, Row] = {**ours, **peers}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in rows}
    clips.warm_up()
    for clip, clean in clips.clips().items():
        print(clip, file=sys.stderr)
        noisy, middle = clips.with_noise(clean, sigma), len(clean) // 2
        for name, made, seconds in in_turn(rows, noisy, rounds):
            scores = clips.psnr(made, clean), clips.psnr(made[middle], clean[middle])
            found[name].append((*scores, 1e6 * seconds / clean.numel()))
    print(f"\n{f'sigma {sigma:g}, means of {len(clips.clips())} clips':34}{'all dB':>8}{'middle':>8}{'CPU us':>8}")
    for name, values in found.items():
        every, middle_one, cost = map(fmean, zip(*values, strict=True))
        print(f"{name:34}{every:8.2f}{middle_one:8.2f}{cost:8.3f}", flush=True)


def film(name: str) -> tuple[Tensor, Tensor]:
    """The source frames of a scene, with one more at each end, and the true blur."""
    scene = scenes.cases(as_photo(skimage.data.stereo_motorcycle()[0]))[name]().scene
    first = scenes.MIDDLE - scenes.GAPS / 2
    frames = torch.stack([render(scene, first + number, SIZE) for number in range(-1, scenes.GAPS + 2)])
    total = torch.zeros_like(frames[0], dtype=torch.float64)
    for number in range(SUB_FRAMES):
        total += render(scene, first + number / scenes.FACTOR, SIZE)
    return frames, (total / SUB_FRAMES).float()


def luma(picture: Tensor) -> Tensor:
    return picture if len(picture) == 1 else torch.einsum("c,chw->hw", LUMA, picture)[None]


def score(made: Tensor, true: Tensor) -> str:
    colour = f"{scenes.psnr(made, true):.1f}" if len(made) == 3 else "-"
    return f"{colour} / {scenes.psnr(luma(made), luma(true)):.1f}"


def compare_blurs(peers: dict[str, Row], threads: int, rounds: int) -> None:
    ours = {"ours": partial(exposed, threads=threads), "ours, 8 bits": partial(exposed, threads=threads, rounded=True)}
    rows: dict[str, Row] = {**ours, **peers}
    found: dict[str, list[str]] = {name: [] for name in rows}
    costs: dict[str, list[float]] = {name: [] for name in rows}
    exposed(torch.rand(4, 3, 64, 64), threads)
    for scene in SCENES:
        print(scene, file=sys.stderr)
        frames, true = film(scene)
        for name, made, seconds in in_turn(rows, frames, rounds):
            found[name].append(score(made, true))
            costs[name].append(1000 * seconds / SUB_FRAMES)
    head = "".join(f"{scene:>18}" for scene in SCENES)
    print(f"\n{'blur of 33 sub-frames, RGB / luma dB':36}{head}{'CPU ms':>8} (range)")
    for name, scores in found.items():
        cost = f"{fmean(costs[name]):8.1f} ({min(costs[name]):.1f} to {max(costs[name]):.1f})"
        print(f"{name:36}" + "".join(f"{cell:>18}" for cell in scores) + cost, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=("denoise", "blur"), default=("denoise", "blur"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sigma", type=float, default=10, help="of the noise that is removed, of 255")
    parser.add_argument("--env", type=Path, default=Path("build/peers"), help="the others' environment")
    parser.add_argument("--python", help="what makes it: 3.12 or newer")
    arguments = parser.parse_args()
    run = partial(theirs, program=environment(arguments.env.absolute(), arguments.python), threads=arguments.threads)
    if "denoise" in arguments.part:
        peers: dict[str, Row] = {name: partial(run, peer=name, sigma=arguments.sigma) for name in DENOISERS}
        compare_denoisers(peers, arguments.threads, arguments.rounds, arguments.sigma)
    if "blur" in arguments.part:
        compare_blurs({name: partial(run, peer=name) for name in BLURS}, arguments.threads, arguments.rounds)


if __name__ == "__main__":
    main()
