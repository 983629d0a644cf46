"""The page of a report: its template, filled with facts, plots and pictures, in one file that asks for no other."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lolblur_synth.apps.report.dropped import DroppedPicture
from lolblur_synth.apps.report.facts import Facts, ReportPair
from lolblur_synth.apps.report.pictures import PairPictures
from lolblur_synth.apps.report.plots import histograms, rose
from lolblur_synth.core.errors import shown
from lolblur_synth.core.version import __version__
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.recipe import FOLDER_MEANINGS, recipe, shutter_in_words
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.statistics import MEANINGS, NIGHTS, Statistics, outside
from lolblur_synth.dataset.summary import summarize_statistics
from lolblur_synth.metrics.difficulty import BOUNDS, TIERS

_PAGE = Path(__file__).parent / "page"
_TIMES = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


@dataclass(frozen=True)
class Pictures:
    """The pictures of a page."""

    shown: Mapping[int, PairPictures]  # by number of the pair
    dropped: Sequence[DroppedPicture]
    footage: bool  # whether it was looked for


def render(facts: Facts, pictures: Pictures) -> str:
    """The page as HTML."""
    statistics = dict(_statistics(facts, pictures.shown))
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"shown": shown, "code": _code, "duration": duration, "base64": _base64}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    summary = facts.summary
    return environment.get_template("report.html").render(
        facts=facts,
        summary=summary,
        pictures=pictures,
        name=shown(facts.root.resolve().name),
        version=__version__,
        data=_data(facts, pictures.shown, statistics),
        statistics=summarize_statistics([*statistics.values()]) if statistics else {},
        histograms=list(histograms(facts, [*statistics.values()])),
        rose=rose(summary.blur) if summary and summary.blur else None,
        recipe=recipe(summary) if summary else [],
        counts=_counts(facts),
        shutter=shutter_in_words,
        folders=FOLDERS,
        meanings=FOLDER_MEANINGS,
        measures=MEANINGS,
        nights=NIGHTS,
        bounds=BOUNDS,
        style=style,
        script=script,
        policy={"style": _digest(style), "script": _digest(script)},
    )


def _digest(text: str) -> str:
    """What a content security policy allows to run, and nothing that a name could smuggle in."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def _code(text: str) -> str:
    """Text as HTML, whose words in backticks are code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(shown(text)))


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(0.25), duration(90), duration(7200)
    ('0.25 s', '1.5 min', '2 h')
    """
    length, unit = next((entry for entry in _TIMES if seconds >= entry[0]), _TIMES[-1])
    return f"{seconds / length:.3g} {unit}"


def _counts(facts: Facts) -> list[tuple[str, int, int, int]]:
    """Of each split: videos, sequences and pairs; of pairs without records their folders are the videos."""
    if facts.summary:
        return [(name, part.videos, part.sequences, part.pairs) for name, part in facts.summary.splits.items()]
    splits = dict.fromkeys(pair.split for pair in facts.pairs)
    groups = {(pair.split, pair.group) for pair in facts.pairs}
    return [
        (split, sum(group[0] == split for group in groups), 0, sum(pair.split == split for pair in facts.pairs))
        for split in splits
    ]


def _statistics(facts: Facts, shown_pairs: Mapping[int, PairPictures]) -> Iterator[tuple[int, Statistics]]:
    """Image statistics by number of the pair: recorded, or measured where no record tells."""
    for number, pair in enumerate(facts.pairs):
        pictures = shown_pairs.get(number)
        found = pair.record.statistics if pair.record else pictures.measured if pictures else None
        if found:
            yield number, found


def _data(
    facts: Facts, shown_pairs: Mapping[int, PairPictures], statistics: Mapping[int, Statistics]
) -> Mapping[str, Any]:
    """What the script works with: groups and a row for each pair."""
    keys = list(dict.fromkeys((pair.split, pair.group) for pair in facts.pairs))
    places = {key: place for place, key in enumerate(keys)}
    width, height = next((each.size for each in shown_pairs.values() if each.size), (16, 9))
    return {
        "folders": [{"name": folder, "meaning": FOLDER_MEANINGS[folder]} for folder in FOLDERS],
        "measures": [
            {"name": name, "label": meaning.label, "digits": meaning.digits, "band": meaning.night}
            for name, meaning in MEANINGS.items()
        ],
        "tiers": TIERS,
        "ratio": round(width / height, 4),
        "groups": [_group(split, group, facts.records.get(group)) for split, group in keys],
        "pairs": [
            {
                "name": shown(pair.name),
                "group": places[pair.split, pair.group],
                **_row(pair, statistics.get(number)),
                "untrusted": pair.untrusted,
                **_shown_row(shown_pairs.get(number)),
            }
            for number, pair in enumerate(facts.pairs)
        ],
    }


def _group(split: str, name: str, record: SequenceRecord | None) -> Mapping[str, Any]:
    told = []
    if record:
        draws = record.draws
        told = [
            f"exposure {draws.exposure:.3f}",
            f"dimmed by {draws.dim:.2f}",
            f"shutter {record.shutter.milliseconds:.3g} ms",
            f"noise shot {draws.shot:.2g}, read {draws.read:.2g}",
            f"defocus {draws.defocus.sigma_along:.2g} x {draws.defocus.sigma_across:.2g} px" if draws.defocus else "",
        ]
    return {
        "id": shown(name),
        "split": split,
        "source": shown(record.source.name) if record else "",
        "draws": ", ".join(filter(None, told)),
    }


def _row(pair: ReportPair, statistics: Statistics | None) -> Mapping[str, Any]:
    """Rounded, as thousands of digits would take more than their pictures."""
    row: dict[str, Any] = {}
    if statistics:
        row["measured"] = [round(statistics[name], meaning.digits + 1) for name, meaning in MEANINGS.items()]
        row["outside"] = len(outside(statistics))
    record = pair.record
    if record is None:
        return row
    if record.blur:
        blur = record.blur
        row |= {"path": round(blur.mean, 2), "straightness": round(blur.straightness, 2)}
        row["direction"] = None if blur.direction is None else round(blur.direction)
        row["concentration"] = round(blur.concentration, 2)
    if record.psnr_in_light is not None:
        row |= {"psnr": round(record.psnr_in_light, 2), "tier": record.tier}
    if record.untrusted is not None:
        row["inconsistent"] = round(100 * record.untrusted, 2)
    return row


def _shown_row(pictures: PairPictures | None) -> Mapping[str, Any]:
    if pictures is None:
        return {}
    gone = {FOLDERS.index(folder): shown(fault) for folder, fault in pictures.faults.items()}
    return {"pictures": True} | ({"gone": gone} if gone else {})
