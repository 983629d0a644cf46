"""What pictures scored: their means, as a file, and as a table for people."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lolblur_synth.core.errors import shown
from lolblur_synth.metrics.difficulty import BOUNDS, TIERS, Tier
from lolblur_synth.metrics.psnr_ssim import Convention, describe
from lolblur_synth.nets.lpips import Backbone

UNKNOWN = "unknown"  # tier


@dataclass(frozen=True)
class Score:
    """Of one picture, or the mean of several; `name` is its path without suffix, such as 0012/0034."""

    name: str
    psnr: float  # dB
    ssim: float
    lpips: float | None = None

    @property
    def sequence(self) -> str:
        """The folder that the picture lies in; a full stop where there are none."""
        return str(Path(self.name).parent)


@dataclass(frozen=True)
class Evaluation:
    """The scores of all pictures, and by which convention."""

    convention: Convention
    backbone: Backbone | None  # of LPIPS
    compared: dict[str, str]  # what with what
    scores: list[Score]
    tiers: Mapping[str, Tier] = field(default_factory=dict)  # of pictures by name, as far as a dataset tells
    untold: str = ""  # why a dataset that should tell does not

    def by_tier(self) -> dict[str, list[Score]]:
        """Pictures by how hard they are, and those of which it is not known; nothing where it is known of none."""
        tiers: dict[str, list[Score]] = {tier: [] for tier in (*TIERS, UNKNOWN)}
        for score in self.scores:
            tiers[self.tiers.get(score.name, UNKNOWN)].append(score)
        return {tier: scores for tier, scores in tiers.items() if scores} if self.tiers else {}

    def sequences(self) -> dict[str, list[Score]]:
        """Pictures by folder, in order."""
        folders: dict[str, list[Score]] = {}
        for score in self.scores:
            folders.setdefault(score.sequence, []).append(score)
        return folders

    def what(self) -> str:
        """What the numbers are, in a line."""
        lpips = f"; LPIPS 0.1 by {self.backbone}" if self.backbone else ""
        return f"convention {self.convention}: {describe(self.convention)}{lpips}; means over pictures"


def mean(name: str, scores: Iterable[Score]) -> Score:
    """The mean of each metric over pictures; infinite where a picture's is.

    >>> mean("all", [Score("0001/0001", 30.0, 0.9), Score("0001/0002", 32.0, 0.7)])
    Score(name='all', psnr=31.0, ssim=0.8, lpips=None)
    """
    each = list(scores)
    distances = [score.lpips for score in each if score.lpips is not None]
    return Score(
        name,
        fmean(score.psnr for score in each),
        fmean(score.ssim for score in each),
        fmean(distances) if distances else None,
    )


def as_text(evaluation: Evaluation, suffix: str) -> str:
    """A line per picture as `.csv`, or everything as `.json`, where an infinite PSNR is null."""
    if suffix == ".csv":
        return _as_csv(evaluation)
    sequences = {shown(name): _values(mean(name, scores)) for name, scores in evaluation.sequences().items()}
    content = {
        "convention": evaluation.convention,
        "what": evaluation.what(),
        **{name: shown(value) for name, value in evaluation.compared.items()},
        "pictures": {shown(score.name): _values(score) for score in evaluation.scores},
        "sequences": sequences,
        **_tiers(evaluation),
        "total": _values(mean("total", evaluation.scores)),
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def _tiers(evaluation: Evaluation) -> dict[str, object]:
    tiers = evaluation.by_tier().items()
    counted = {tier: {"pictures": len(scores), **_values(mean(tier, scores))} for tier, scores in tiers}
    return {"tiers": counted} if counted else {}


def _as_csv(evaluation: Evaluation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["psnr", "ssim"] + ["lpips"] * (evaluation.backbone is not None)
    tiers = evaluation.tiers
    writer.writerow(["picture", *columns, *["tier"] * bool(tiers)])
    for score in evaluation.scores:
        tier = [tiers.get(score.name, UNKNOWN)] if tiers else []
        writer.writerow([shown(score.name), *(f"{getattr(score, column):.6f}" for column in columns), *tier])
    return text.getvalue()


def _values(score: Score) -> dict[str, float | None]:
    values = {"psnr": score.psnr, "ssim": score.ssim, "lpips": score.lpips}
    measured = {name: value for name, value in values.items() if value is not None}
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in measured.items()}


def show(console: Console, evaluation: Evaluation) -> None:
    """Print the mean of each sequence and of all pictures, and what the numbers are."""
    table = Table()
    table.add_column("sequence")
    for column in ("pictures", "PSNR / dB", "SSIM", *["LPIPS"] * (evaluation.backbone is not None)):
        table.add_column(column, justify="right")
    for name, scores in evaluation.sequences().items():
        table.add_row(escape(shown(name)), *_cells(mean(name, scores), len(scores)))
    table.add_section()
    for tier, scores in evaluation.by_tier().items():
        table.add_row(tier, *_cells(mean(tier, scores), len(scores)))
    table.add_row("all", *_cells(mean("all", evaluation.scores), len(evaluation.scores)))
    console.print(table)
    console.print(evaluation.what(), highlight=False, markup=False, soft_wrap=True)
    if evaluation.tiers:
        console.print(BOUNDS, highlight=False, markup=False, soft_wrap=True)
    if evaluation.untold:
        console.print(evaluation.untold, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _cells(score: Score, count: int) -> list[str]:
    distance = [] if score.lpips is None else [f"{score.lpips:.4f}"]
    return [str(count), f"{score.psnr:.2f}", f"{score.ssim:.4f}", *distance]
