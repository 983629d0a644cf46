"""The `stats` command: the pictures of any folder, or of a dataset, against the bands of real nights."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lolblur_synth.apps.outputs import check_apart, check_file
from lolblur_synth.apps.pictures import find_pictures
from lolblur_synth.core.devices import cores
from lolblur_synth.core.errors import SequenceError, UserError, listed, setting, shown
from lolblur_synth.core.files import write_text
from lolblur_synth.core.threads import torch_threads
from lolblur_synth.dataset.layout import SETTINGS, SPLITS
from lolblur_synth.dataset.pairs import INPUT
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.statistics import MEANINGS, NIGHTS, Statistic, Statistics, mean_statistics, measure
from lolblur_synth.dataset.statistics_plot import plot_statistics
from lolblur_synth.dataset.summary import summarize_statistics
from lolblur_synth.dataset.summary_types import StatisticSummary
from lolblur_synth.video.images import dequantize, read_pixels, write_png

Progress = Callable[[int, int], None]
_SMALLEST = 3  # pixels, of Immerkaer's kernel


@dataclass(frozen=True)
class Measurements:
    """Image statistics of pictures, and those that could not be measured."""

    source: Path
    groups: Mapping[str, Mapping[str, Statistics]]  # of pictures by name, by sequence of a dataset, or by folder
    faults: Mapping[str, str]  # by name of a picture, why it cannot be measured

    @property
    def pictures(self) -> dict[str, Statistics]:
        """Of all pictures by name."""
        return {name: values for group in self.groups.values() for name, values in group.items()}

    @property
    def means(self) -> dict[str, dict[Statistic, float]]:
        """Of each group the means over its pictures."""
        return {name: mean_statistics([*group.values()]) for name, group in self.groups.items()}

    @property
    def outside(self) -> dict[Statistic, float]:
        """Of each statistic the share of pictures that leave the band of real nights, [0, 1]."""
        return {name: summary.outside for name, summary in self._summary.items()}

    @property
    def mean(self) -> dict[Statistic, float]:
        """The mean of each statistic over all pictures."""
        return {name: summary.mean for name, summary in self._summary.items()}

    @property
    def _summary(self) -> dict[Statistic, StatisticSummary]:
        return summarize_statistics([*self.pictures.values()])


def measure_path(path: Path, progress: Progress) -> Measurements:
    """Measure a picture, or all in a folder and below it; of a dataset its inputs, as their records have them.

    A dataset in LOL-Blur's layout without our records is measured by its inputs, too. Raises `UserError` where there
    are no pictures, or none of them can be measured.
    """
    if (path / SETTINGS).is_file():
        records = read_records(path)
        if not records:
            raise UserError("a dataset without a sequence", where=path, advice="run again to finish it")
        groups = {
            sequence: {f"{record.video:04d}/{pair.number:04d}": pair.statistics for pair in record.pairs}
            for sequence, record in records.items()
        }
        return Measurements(path, groups, {})
    return _measure_files(path, _pictures(path), progress)


def check_outputs(source: Path, outs: Sequence[Path], plot: Path | None, *, overwrite: bool) -> None:
    """Raise `UserError` where what is measured cannot be written; a plot among the pictures would be one of them."""
    for out in outs:
        check_file(out, (".csv", ".json"), overwrite=overwrite)
    if plot:
        check_file(plot, (".png",), source=None if source.is_dir() else source, overwrite=overwrite, parameter="plot")
        if source.is_dir() and not (source / SETTINGS).is_file():
            check_apart(plot, source, "lies among the pictures that are measured", parameter="plot")


def write_measurements(measured: Measurements, outs: Sequence[Path], plot: Path | None) -> None:
    """Write statistics, each file in the form that its suffix says, and whole; and their plot."""
    for out in outs:
        write_text(out, _as_csv(measured) if out.suffix == ".csv" else _as_json(measured))
    if plot:
        write_png(plot, plot_statistics([*measured.pictures.values()]))


def _pictures(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError("there is no such file or folder", where=path)
    inputs = [path / split / INPUT for split in SPLITS if (path / split / INPUT).is_dir()]
    return [picture for folder in inputs or [path] for picture in find_pictures(folder, recursive=True, parameter=None)]


def _measure_files(path: Path, pictures: Sequence[Path], progress: Progress) -> Measurements:
    groups: dict[str, dict[str, Statistics]] = {}
    faults: dict[str, str] = {}
    with torch_threads(1), ThreadPoolExecutor(cores()) as pool:
        for done, (picture, found) in enumerate(zip(pictures, pool.map(_measure_file, pictures), strict=True), 1):
            place = picture.relative_to(path if path.is_dir() else path.parent)
            name, group = shown(place.as_posix()), shown(place.parent.as_posix())
            if isinstance(found, str):
                faults[name] = found
            else:
                groups.setdefault(group, {})[name] = found
            progress(done, len(pictures))
    if not groups:
        raise UserError(
            f"none of {len(pictures)} pictures can be measured: "
            + listed([f"{name}: {why}" for name, why in faults.items()]),
            where=path,
        )
    return Measurements(path, groups, faults)


def _measure_file(picture: Path) -> Statistics | str:
    try:
        pixels = read_pixels(picture)
    except SequenceError as error:
        return error.told(setting, where=False)
    height, width, _ = pixels.shape
    if min(height, width) < _SMALLEST:
        return f"{width}x{height}: noise is measured on {_SMALLEST} pixels each way"
    return {name: round(value, 4) for name, value in measure(dequantize(pixels)).items()}


def _as_csv(measured: Measurements) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "picture", *MEANINGS])
    for group, pictures in measured.groups.items():
        for name, values in pictures.items():
            writer.writerow([group, name, *(values[statistic] for statistic in MEANINGS)])
    return text.getvalue()


def _as_json(measured: Measurements) -> str:
    pictures = measured.pictures
    content = {
        "source": shown(measured.source),
        "real_nights": {
            "what": NIGHTS,
            "bands": {name: {"what": meaning.label, **meaning.night._asdict()} for name, meaning in MEANINGS.items()},
        },
        "mean": _rounded(measured.mean),
        "outside": _rounded(measured.outside),
        "groups": {name: _rounded(means) for name, means in measured.means.items()},
        "pictures": {name: dict(values) for name, values in pictures.items()},
        "unreadable": {name: shown(why) for name, why in measured.faults.items()},
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _rounded(values: Statistics) -> dict[Statistic, float]:
    return {name: round(value, 4) for name, value in values.items()}
