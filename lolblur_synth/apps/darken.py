"""The `darken` command: pictures, folders of pictures and videos through EC-Zero-DCE alone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean

import torch
from pydantic import TypeAdapter

from lolblur_synth.apps.conversion import shortcomings, times_kept
from lolblur_synth.apps.outputs import check_source, check_targets
from lolblur_synth.core.devices import choose_device
from lolblur_synth.core.errors import SequenceError, UserError, setting, shown
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


def darken_path(
    source: Path,
    out: Path,
    exposure: Range,
    seed: int,
    weights: str,
    device: str,
    overwrite: bool,
    warn: Callable[[str], None],
) -> Iterator[tuple[Path, float]]:
    """Darken what `source` is, each picture or video by one draw; yields the files written and their exposures.

    Pictures become PNG of their own bit depth, a video becomes lossless FFV1 with every frame once, at its own time.
    `exposures.json` keeps the draws. `warn` is told of what is lost.
    """
    check_source(source)
    inputs = sorted(path for path in source.iterdir() if is_picture(path)) if source.is_dir() else [source]
    if not inputs:
        raise UserError("no pictures in this folder", where=f"{setting('input')} {source}")
    targets = {path: out / f"{path.stem}{'.png' if is_picture(path) else '.mkv'}" for path in inputs}
    check_targets(targets.items(), overwrite)
    chosen = choose_device(device)
    net, _ = load_ec_zero_dce(weights, chosen)
    out.mkdir(parents=True, exist_ok=True)
    failures = []
    for path, target in targets.items():
        drawn = float(rng_for(seed, path.name, "exposure").uniform(*exposure))
        try:
            if is_picture(path):
                _darken_picture(path, target, drawn, net, chosen)
            else:
                _darken_video(path, target, drawn, net, chosen, warn)
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
    path: Path, target: Path, exposure: float, net: ECZeroDCE, device: torch.device, warn: Callable[[str], None]
) -> None:
    found = scan_stored(probe(path))
    for line in (*times_kept(found), *shortcomings(found, target)):
        warn(line)
    relation = brightness_relation(exposure, fmean(found.lightness), 0, 0)
    bright = (frame.to(device) for frame in read_stored(found))
    dark = (darken(frame, min(1.0, relation * mean_lightness(frame)), net).cpu() for frame in bright)
    write_video(target, dark, found.shown, bit_depth=found.info.bits_to_write)
