"""The `evaluate` command: results against their ground truth, from files, or from a network and a split of a dataset.

Scores are decided on pictures of 8 bits, as files hold them, so that both ways agree to the last digit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lolblur_synth.apps.restore import COMPARISON, Manner, check, find_pictures, restore
from lolblur_synth.core.devices import choose_device, cores
from lolblur_synth.core.errors import SequenceError, UserError, listed, setting
from lolblur_synth.core.files import write_text
from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.pairs import INPUT, TARGET, PairFiles, find_pairs
from lolblur_synth.metrics.psnr_ssim import WINDOW, Convention, eight_bit, psnr, ssim
from lolblur_synth.metrics.scores import Evaluation, Score, as_text
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.lpips import SMALLEST, Backbone
from lolblur_synth.nets.weights.load import load_lednet, load_lpips
from lolblur_synth.video.images import Pixels, dequantize, quantize, read_pixels, write_png

Distance = Callable[[Pixels, Pixels], float]
Notify = Callable[[int, int], None]


@dataclass(frozen=True)
class Scale:
    """By what to score."""

    convention: Convention = "rgb"
    lpips: Backbone | None = None


@dataclass(frozen=True)
class Data:
    """Which pairs of a dataset to restore and score."""

    root: Path
    split: Split = "test"
    dark: str = INPUT
    sharp: str = TARGET


@dataclass(frozen=True)
class _Files:
    """A result and its truth, and the place that they share."""

    name: str
    result: Path
    truth: Path


def evaluate_files(result: Path, truth: Path, scale: Scale, device: str, notify: Notify) -> Evaluation:
    """Score pictures that have the same place in two folders; their suffixes may differ.

    Raises `UserError`, naming files, when a folder has none, when one has no partner, when two differ in size, and when
    one cannot be decoded. What `restore` wrote to compare is passed over.
    """
    pairs = _partners(result, truth)
    distance = _distance(scale, device)
    scores: list[Score] = []
    faults: list[str] = []
    with ThreadPoolExecutor(cores()) as pool:
        for done, found in enumerate(pool.map(lambda pair: _score_files(pair, scale), pairs), 1):
            if isinstance(found, Score):
                scores.append(found)
            else:
                faults.append(found)
            notify(0 if distance else done, len(pairs))
    _refuse(faults)
    if distance:
        for done, pair in enumerate(pairs):
            lpips = distance(read_pixels(pair.result), read_pixels(pair.truth))
            scores[done] = replace(scores[done], lpips=lpips)
            notify(done + 1, len(pairs))
    return Evaluation(scale.convention, scale.lpips, {"result": str(result), "truth": str(truth)}, scores)


def evaluate_network(
    weights: str,
    data: Data,
    scale: Scale,
    manner: Manner,
    device: str,
    save: Path | None,
    overwrite: bool,
    notify: Notify,
) -> Evaluation:
    """Restore the dark pictures of a split and score them; `save` keeps what is restored, as PNG of the input's depth.

    Raises `UserError` as `evaluate_files` does, for most of its reasons before anything is restored.
    """
    pairs = find_pairs(data.root, data.split, data.dark, data.sharp)
    _refuse([fault for pair in pairs if (fault := _too_small(pair.input.path, pair.input.shape, scale))])
    targets = _targets(pairs, data, save, overwrite)
    chosen = choose_device(device)
    check(manner, chosen)
    net, sha256 = load_lednet(weights, chosen)
    distance = _distance(scale, device)
    pending, distances = [], []
    with ThreadPoolExecutor(cores()) as pool:  # it measures while the next picture is restored
        for done, (pair, target) in enumerate(zip(pairs, targets, strict=True)):
            notify(done, len(pairs))
            restored, sharp = _restored(pair, net, manner, chosen)
            pending.append(pool.submit(_measure, pair.name, restored, sharp, scale))
            distances.append(distance(restored, sharp) if distance else None)
            if target:
                target.parent.mkdir(parents=True, exist_ok=True)
                write_png(target, restored)
    scores = [replace(one.result(), lpips=lpips) for one, lpips in zip(pending, distances, strict=True)]
    notify(len(pairs), len(pairs))
    folder = data.root / data.split
    compared = {"weights": sha256, "dark": str(folder / data.dark), "truth": str(folder / data.sharp)}
    return Evaluation(scale.convention, scale.lpips, compared, scores)


def check_outputs(paths: Sequence[Path], overwrite: bool) -> None:
    """Raise `UserError` where scores cannot be written."""
    for path in paths:
        if path.suffix not in {".csv", ".json"}:
            raise UserError("name a file that ends in .csv or .json", where=f"{setting('out')} {path}")
        if not path.parent.is_dir():
            raise UserError(
                f"the folder {path.parent} does not exist", where=f"{setting('out')} {path}", advice="make it first"
            )
        if path.is_dir():
            raise UserError("is a folder", where=f"{setting('out')} {path}", advice="name a file")
        if path.exists() and not overwrite:
            raise UserError(
                "exists", where=f"{setting('out')} {path}", advice=f"name another file, or {setting('overwrite')}"
            )


def write_scores(evaluation: Evaluation, paths: Sequence[Path]) -> None:
    """Write scores, each file in the form that its suffix says, and whole."""
    for path in paths:
        write_text(path, as_text(evaluation, path.suffix))


def _partners(result: Path, truth: Path) -> list[_Files]:
    one, other = (_by_place(folder, parameter) for folder, parameter in ((result, "result"), (truth, "gt")))
    faults = [f"{truth / name}: missing, its partner {one[name]} is there" for name in sorted(one.keys() - other)]
    faults += [f"{result / name}: missing, its partner {other[name]} is there" for name in sorted(other.keys() - one)]
    _refuse(faults)
    return [_Files(name, one[name], other[name]) for name in sorted(one)]


def _by_place(folder: Path, parameter: str) -> dict[str, Path]:
    """Pictures by their path below a folder, without suffix."""
    if not folder.is_dir():
        raise UserError(
            f"{'is no' if folder.exists() else 'there is no such'} folder", where=f"{setting(parameter)} {folder}"
        )
    found: dict[str, Path] = {}
    for path in find_pictures(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name.endswith(COMPARISON):
            continue
        if name in found:
            raise UserError(
                f"{found[name]} and {path} have one name", where=setting(parameter), advice="keep one of them"
            )
        found[name] = path
    if not found:
        raise UserError(
            "no pictures in this folder or below",
            where=f"{setting(parameter)} {folder}",
            advice="give one that has some",
        )
    return found


def _score_files(pair: _Files, scale: Scale) -> Score | str:
    try:
        result, truth = read_pixels(pair.result), read_pixels(pair.truth)
    except SequenceError as error:
        return str(error)
    if result.shape != truth.shape:
        return f"{pair.result}: {_size(result.shape)}, its partner {pair.truth} {_size(truth.shape)}"
    return _too_small(pair.result, result.shape, scale) or _measure(pair.name, result, truth, scale)


def _measure(name: str, result: Pixels, truth: Pixels, scale: Scale) -> Score:
    return Score(name, psnr(result, truth, scale.convention), ssim(result, truth, scale.convention))


def _targets(pairs: list[PairFiles], data: Data, save: Path | None, overwrite: bool) -> list[Path | None]:
    """Where to keep each result, if anywhere."""
    if save and save.resolve().is_relative_to(data.root.resolve()):
        raise UserError("lies in the dataset", where=f"{setting('save')} {save}", advice="name another folder")
    targets = [save / f"{pair.name}.png" if save else None for pair in pairs]
    there = [path for path in targets if path and path.exists()]
    if there and not overwrite:
        raise UserError(
            f"{there[0]} exists", where=setting("save"), advice=f"name another folder, or {setting('overwrite')}"
        )
    return targets


def _too_small(path: Path, shape: tuple[int, ...], scale: Scale) -> str | None:
    needed = max(WINDOW, SMALLEST[scale.lpips] if scale.lpips else 0)
    small = min(shape[:2]) < needed
    return f"{path}: {_size(shape)}, and the metrics need {needed} pixels each way" if small else None


def _restored(pair: PairFiles, net: LEDNet, manner: Manner, device: torch.device) -> tuple[Pixels, Pixels]:
    """The result of a pair, of the input's depth, and its truth."""
    try:
        dark, sharp = read_pixels(pair.input.path), read_pixels(pair.target.path)
        _refuse([f"{pair.input.path}: changed meanwhile, or turned by a tag"] * (dark.shape != sharp.shape))
        restored = restore(dequantize(dark).to(device), net, manner)
    except SequenceError as error:
        told = str(error)
        raise UserError(told if pair.name in told else f"{pair.input.path}: {told}") from None
    return quantize(restored, 8 if dark.dtype == np.uint8 else 16), sharp


def _distance(scale: Scale, device: str) -> Distance | None:
    """LPIPS of two pictures, if asked for; `paper` exchanges red and blue."""
    if scale.lpips is None:
        return None
    chosen = choose_device(device)
    net = load_lpips(scale.lpips, chosen)
    order = slice(None, None, -1 if scale.convention == "paper" else 1)

    @torch.inference_mode()
    def distance(result: Pixels, truth: Pixels) -> float:
        one, other = (dequantize(eight_bit(pixels)[..., order])[None].to(chosen) for pixels in (result, truth))
        return float(net(one, other).item())

    return distance


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise UserError(listed(faults), advice="make the folders whole, or leave such pictures out")
