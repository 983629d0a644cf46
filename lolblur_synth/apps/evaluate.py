"""The `evaluate` command: results against their targets, from files, or from a network and a split of a dataset."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lolblur_synth.apps.outputs import check_apart, check_file, check_files
from lolblur_synth.apps.pictures import find_pictures
from lolblur_synth.apps.restore import COMPARISON, Restorer, located
from lolblur_synth.core.devices import choose_device, cores
from lolblur_synth.core.errors import SequenceError, UserError, listed, setting, shown
from lolblur_synth.core.files import write_text
from lolblur_synth.dataset.layout import SETTINGS, Split
from lolblur_synth.dataset.pairs import INPUT, TARGET, PairFiles, find_pairs, read_pair
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.metrics.difficulty import Tier
from lolblur_synth.metrics.scores import Evaluation, Score, as_text
from lolblur_synth.metrics.scoring import Distance, Metrics, Result, lpips_distance, score, score_all
from lolblur_synth.nets.weights.load import load_lpips
from lolblur_synth.video.images import dequantize, quantize, read_pixels, write_png

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class PairFolders:
    """Which pairs of a dataset: a split, and the folders of input and target in it."""

    root: Path
    split: Split = "test"
    input: str = INPUT
    target: str = TARGET


@dataclass(frozen=True)
class _Files:
    """A result and its target, and the place that they share."""

    name: str
    result: Path
    target: Path


def evaluate_files(result: Path, target: Path, metrics: Metrics, device: str, progress: Progress) -> Evaluation:
    """Score pictures that have the same place in two folders; their suffixes may differ.

    Raises `UserError`, naming files, when a folder has none, when one has no partner, when two differ in size, and when
    one cannot be decoded. What `restore` wrote to compare is passed over.
    """
    pairs = _partners(result, target)
    distance = _distance(metrics, device)
    scores: list[Score] = []
    faults: list[str] = []
    with ThreadPoolExecutor(cores()) as pool:
        for done, scored in enumerate(pool.map(lambda pair: _score_files(pair, metrics), pairs), 1):
            if isinstance(scored, Score):
                scores.append(scored)
            else:
                faults.append(scored)
            progress(0 if distance else done, len(pairs))
    _refuse(faults)
    if distance:
        for done, pair in enumerate(pairs):
            lpips = distance(read_pixels(pair.result), read_pixels(pair.target))
            scores[done] = replace(scores[done], lpips=lpips)
            progress(done + 1, len(pairs))
    compared, split = {"result": str(result), "truth": str(target)}, target.resolve().parent
    return Evaluation(metrics.convention, metrics.lpips, compared, scores, *_tiers(split.parent, split.name))


def evaluate_network(
    restorer: Restorer,
    folders: PairFolders,
    metrics: Metrics,
    *,
    save: Path | None = None,
    overwrite: bool = False,
    progress: Progress,
) -> Evaluation:
    """Restore the inputs of a split and score them; `save` keeps what is restored, as PNG of the input's depth.

    Raises `UserError` as `evaluate_files` does, for most of its reasons before anything is restored.
    """
    pairs = find_pairs(folders.root, folders.split, folders.input, folders.target)
    _refuse([fault for pair in pairs if (fault := _too_small(pair.input.path, pair.input.shape, metrics))])
    if save:
        check_apart(save, folders.root, "lies in the dataset", parameter="save")
        targets = ((pair.input.path, _kept(save, pair)) for pair in pairs)
        check_files(targets, overwrite=overwrite, parameter="save")
    distance = _distance(metrics, restorer.device.type)

    def results() -> Iterator[Result]:
        for done, pair in enumerate(pairs):
            progress(done, len(pairs))
            result = _restored(pair, restorer)
            if save:
                _kept(save, pair).parent.mkdir(parents=True, exist_ok=True)
                write_png(_kept(save, pair), result.pixels)
            yield result

    scores = score_all(results(), metrics.convention, distance)
    progress(len(pairs), len(pairs))
    split = folders.root / folders.split
    compared = {
        "weights": restorer.sha256,
        "dark": str(split / folders.input),
        "truth": str(split / folders.target),
    }
    tiers = _tiers(folders.root, folders.split)
    return Evaluation(metrics.convention, metrics.lpips, compared, scores, *tiers)


def _tiers(root: Path, split: str) -> tuple[dict[str, Tier], str]:
    """How hard the pairs of a split are, where a dataset is ours and tells, and why it does not."""
    if not (root / SETTINGS).is_file():
        return {}, ""
    try:
        records = [record for record in read_records(root).values() if record.split == split]
    except UserError as error:
        return {}, f"no scores by tier: {error.told(setting)}"
    pairs = [(f"{record.video:04d}/{pair.number:04d}", pair.tier) for record in records for pair in record.pairs]
    tiers = {name: tier for name, tier in pairs if tier is not None}
    return tiers, "" if tiers else f"no scores by tier: the records of {shown(root)} are from before there were tiers"


def check_outputs(paths: Sequence[Path], *, overwrite: bool) -> None:
    """Raise `UserError` where scores cannot be written."""
    for path in paths:
        check_file(path, (".csv", ".json"), overwrite=overwrite)


def write_scores(evaluation: Evaluation, paths: Sequence[Path]) -> None:
    """Write scores, each file in the form that its suffix says, and whole."""
    for path in paths:
        write_text(path, as_text(evaluation, path.suffix))


def _partners(result: Path, target: Path) -> list[_Files]:
    results, targets = _by_place(result, "result"), _by_place(target, "gt")
    lost, extra = sorted(results.keys() - targets), sorted(targets.keys() - results)
    _refuse(
        [f"{target / name}: missing, its partner {results[name]} is there" for name in lost]
        + [f"{result / name}: missing, its partner {targets[name]} is there" for name in extra]
    )
    return [_Files(name, results[name], targets[name]) for name in sorted(results)]


def _by_place(folder: Path, parameter: str) -> dict[str, Path]:
    """Pictures by their path below a folder, without suffix."""
    if not folder.is_dir():
        raise UserError(
            f"{'is no' if folder.exists() else 'there is no such'} folder", where=f"{setting(parameter)} {folder}"
        )
    pictures: dict[str, Path] = {}
    for path in find_pictures(folder, recursive=True, parameter=parameter):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in pictures:
            raise UserError(
                f"{pictures[name]} and {path} have one name", where=setting(parameter), advice="keep one of them"
            )
        if not name.endswith(COMPARISON):
            pictures[name] = path
    return pictures


def _score_files(pair: _Files, metrics: Metrics) -> Score | str:
    try:
        result = Result(pair.name, read_pixels(pair.result), read_pixels(pair.target))
    except SequenceError as error:
        return error.told(setting)
    shape, wanted = result.pixels.shape, result.target.shape
    if shape != wanted:
        return f"{pair.result}: {_size(shape)}, its partner {pair.target} {_size(wanted)}"
    return _too_small(pair.result, shape, metrics) or score(result, metrics.convention)


def _kept(save: Path, pair: PairFiles) -> Path:
    return save / f"{pair.name}.png"


def _too_small(path: Path, shape: tuple[int, ...], metrics: Metrics) -> str | None:
    small = min(shape[:2]) < metrics.smallest
    return f"{path}: {_size(shape)}, and the metrics need {metrics.smallest} pixels each way" if small else None


def _restored(pair: PairFiles, restorer: Restorer) -> Result:
    """The result of a pair, of the input's depth, and its target."""
    source, target = read_pair(pair)
    try:
        restored = restorer(dequantize(source))
    except SequenceError as error:
        raise UserError(located(error, pair.input.path)) from None
    return Result(pair.name, quantize(restored, 8 if source.dtype == np.uint8 else 16), target)


def _distance(metrics: Metrics, device: str) -> Distance | None:
    """LPIPS, if asked for."""
    if metrics.lpips is None:
        return None
    chosen = choose_device(device)
    return lpips_distance(load_lpips(metrics.lpips, chosen), chosen, metrics.convention)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise UserError(listed(faults), advice="make the folders whole, or leave such pictures out")
