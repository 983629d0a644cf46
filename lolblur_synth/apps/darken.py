"""The `darken` command: pictures, folders of pictures and videos through EC-Zero-DCE alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from pydantic import TypeAdapter

from lolblur_synth.apps.outputs import check_files, check_source
from lolblur_synth.apps.pictures import find_pictures
from lolblur_synth.apps.transcoding import NOBODY, Listener, losses, variable_rate
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import SequenceError, UserError, listed, setting, shown
from lolblur_synth.core.files import read_bounded, write_text
from lolblur_synth.core.rng import rng_for
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.darken import brightness_relation, darken, mean_lightness
from lolblur_synth.video.images import dequantize, is_picture, quantize, read_pixels, write_png
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_stored
from lolblur_synth.video.stored_scan import scan_stored
from lolblur_synth.video.writer import write_video

Range = tuple[float, float]
_DRAWS = "exposures.json"
_NOTES = TypeAdapter(dict[str, float])
_LARGEST = 4 << 20  # bytes of them


def parse_exposure(text: str) -> Range:
    """Read `0.15` or `0.05:0.3`; raises `UserError` for anything else."""
    try:
        low, _, high = text.partition(":")
        bounds = (float(low), float(high or low))
    except ValueError:
        raise UserError(
            "write a number such as 0.15, or a range such as 0.05:0.3", where=f"{setting('exposure')} {text}"
        ) from None
    if not 0 < bounds[0] <= bounds[1] <= 1:
        raise UserError("exposures lie above 0, up to 1, low end first", where=f"{setting('exposure')} {text}")
    return bounds


@dataclass(frozen=True)
class DarkenOptions:
    """Exposure, seed of its draws, network and device."""

    exposure: Range = (0.05, 0.3)  # lightness to darken to, [0, 1]; drawn once per picture or video
    seed: int = 0
    weights: str = "ec_zero_dce"
    device: str = "auto"


def darken_path(
    source: Path, out: Path, options: DarkenOptions, *, overwrite: bool = False, listener: Listener = NOBODY
) -> Iterator[tuple[Path, float]]:
    """Darken what `source` is, each picture or video by one draw; yields the files written and their exposures.

    Pictures become PNG of their own bit depth, a video becomes lossless FFV1 with every frame once, at its own time.
    `exposures.json` keeps the draws. What cannot be darkened is left out, and a `SequenceError` at the end.
    """
    check_source(source)
    inputs = find_pictures(source, recursive=False) if source.is_dir() else [source]
    targets = {path: out / f"{path.stem}{'.png' if is_picture(path) else '.mkv'}" for path in inputs}
    check_files(targets.items(), overwrite=overwrite)
    device = choose_device(options.device)
    net, _ = load_ec_zero_dce(options.weights, device)
    out.mkdir(parents=True, exist_ok=True)
    failures = []
    for path, target in targets.items():
        drawn = float(rng_for(options.seed, path.name, "exposure").uniform(*options.exposure))
        try:
            if is_picture(path):
                _darken_picture(path, target, drawn, net, device)
            else:
                _darken_video(path, target, drawn, net, device, listener)
        except SequenceError as error:
            failures.append(error.told(setting))
            continue
        _note(out / _DRAWS, target.name, drawn)
        yield target, drawn
    if failures:
        raise SequenceError(listed(failures), where=f"{len(failures)} not darkened")


def _note(path: Path, name: str, drawn: float) -> None:
    """Add a draw to those that are on record in the folder."""
    try:
        known = _NOTES.validate_json(read_bounded(path, _LARGEST)) if path.exists() else {}
    except (OSError, ValueError):
        raise UserError("not the list of exposures that darken writes", where=path, advice="move it away") from None
    write_text(path, json.dumps({**known, shown(name): drawn}, indent=1) + "\n")


@torch.inference_mode()
def _darken_picture(path: Path, target: Path, exposure: float, net: ECZeroDCE, device: torch.device) -> None:
    pixels = read_pixels(path)
    dark = darken(dequantize(pixels).to(device), exposure, net)
    write_png(target, quantize(dark, 8 if pixels.dtype.itemsize == 1 else 16))


@torch.inference_mode()
def _darken_video(
    path: Path, target: Path, exposure: float, net: ECZeroDCE, device: torch.device, listener: Listener
) -> None:
    scan = scan_stored(probe(path))
    for line in (*variable_rate(scan), *losses(scan, target)):
        listener.warn(line)
    relation = brightness_relation(exposure, fmean(scan.lightness), 0, 0)
    bright = (frame.to(device) for frame in read_stored(scan))
    dark = (darken(frame, min(1.0, relation * mean_lightness(frame)), net).cpu() for frame in bright)
    write_video(target, dark, scan.shown, bit_depth=scan.info.bits_to_write)
