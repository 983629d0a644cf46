"""The `darken` command: pictures, folders of pictures and videos through EC-Zero-DCE alone."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import torch

from lolblur_synth.devices import choose_device
from lolblur_synth.draws import rng_for
from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.weights import load_ec_zero_dce
from lolblur_synth.ops.darken import brightness_relation, darken, mean_lightness
from lolblur_synth.records import write_text
from lolblur_synth.video.images import dequantize, is_picture, quantize, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from lolblur_synth.video.writer import write_video

Range = tuple[float, float]
_DRAWS = "exposures.json"


def parse_exposure(text: str) -> Range:
    """Read `0.15` or `0.05:0.3`; raises `UserError` for anything else."""
    try:
        low, _, high = text.partition(":")
        bounds = (float(low), float(high or low))
    except ValueError:
        raise UserError(f"--exposure {text}: write a number such as 0.15, or a range such as 0.05:0.3") from None
    if not 0 < bounds[0] <= bounds[1] <= 1:
        raise UserError(f"--exposure {text}: exposures lie above 0, up to 1, low end first")
    return bounds


def darken_path(
    source: Path, out: Path, exposure: Range, seed: int, weights: str, device: str, overwrite: bool
) -> Iterator[tuple[Path, float]]:
    """Darken what `source` is, each picture or video by one draw; yields the files written and their exposures.

    Pictures become PNG of their own bit depth, a video becomes lossless FFV1. `exposures.json` keeps the draws.
    """
    if not source.exists():
        raise UserError(f"--input {source}: there is no such file or folder")
    inputs = sorted(path for path in source.iterdir() if is_picture(path)) if source.is_dir() else [source]
    if not inputs:
        raise UserError(f"--input {source}: no pictures in this folder")
    targets = {path: out / f"{path.stem}{'.png' if is_picture(path) else '.mkv'}" for path in inputs}
    _refuse_clashes(targets, overwrite)
    chosen = choose_device(device)
    net, _ = load_ec_zero_dce(weights, chosen)
    out.mkdir(parents=True, exist_ok=True)
    failures = []
    for path, target in targets.items():
        drawn = float(rng_for(seed, path.name, "exposure").uniform(*exposure))
        convert = _darken_picture if is_picture(path) else _darken_video
        try:
            convert(path, target, drawn, net, chosen)
        except SequenceError as error:
            failures.append(str(error))
            continue
        _note(out / _DRAWS, target.name, drawn)
        yield target, drawn
    if failures:
        raise SequenceError(f"{len(failures)} not darkened: " + "; ".join(failures))


def _note(path: Path, name: str, drawn: float) -> None:
    """Add a draw to those that are on record in the folder."""
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise UserError(f"{path}: not the list of exposures that darken writes; move it away") from None
    write_text(path, json.dumps({**known, name: drawn}, indent=1) + "\n")


def _refuse_clashes(targets: dict[Path, Path], overwrite: bool) -> None:
    names = list(targets.values())
    twice = sorted({target.name for target in names if names.count(target) > 1})
    if twice:
        raise UserError(f"--input: several pictures would become {', '.join(twice)}; rename them or darken them apart")
    itself = [path for path, target in targets.items() if target.exists() and target.samefile(path)]
    if itself:
        raise UserError(f"--out: {itself[0]} would replace itself; name another folder")
    there = [target for target in names if target.exists()]
    if there and not overwrite:
        raise UserError(f"--out: {there[0]} exists; name another folder, or --overwrite")


@torch.inference_mode()
def _darken_picture(path: Path, target: Path, exposure: float, net: ECZeroDCE, device: torch.device) -> None:
    pixels = read_pixels(path)
    dark = darken(dequantize(pixels).to(device), exposure, net)
    write_png(target, quantize(dark, 8 if pixels.dtype.itemsize == 1 else 16))


@torch.inference_mode()
def _darken_video(path: Path, target: Path, exposure: float, net: ECZeroDCE, device: torch.device) -> None:
    found = scan(probe(path))
    frames = read_frames(found, 0, found.frames, "source")
    relation = brightness_relation(exposure, fmean(found.lightness), 0, 0)
    bright = (frame.to(device) for frame in frames)
    dark = (darken(frame, min(1.0, relation * mean_lightness(frame)), net).cpu() for frame in bright)
    write_video(target, dark, Fraction(found.info.stored_fps), bit_depth=found.info.bits_to_write)
