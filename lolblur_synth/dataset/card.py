"""The dataset card (README.md): what is in the folder, from what, made how; a view of its summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lolblur_synth.config.about import UNTOLD, About
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import shown
from lolblur_synth.core.files import write_text
from lolblur_synth.dataset.card_head import head, licensing
from lolblur_synth.dataset.hugging_face import METADATA
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, image_path, record_path
from lolblur_synth.dataset.manifest import MANIFEST
from lolblur_synth.dataset.recipe import FOLDER_MEANINGS, recipe, shutter_in_words, written
from lolblur_synth.dataset.record_reader import read_record
from lolblur_synth.dataset.statistics import MEANINGS, NIGHTS
from lolblur_synth.dataset.summary_types import (
    AimSummary,
    BlurSummary,
    DifficultySummary,
    SequenceSummary,
    Summary,
    VideoSummary,
)
from lolblur_synth.metrics.difficulty import EASY, HARD
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import read_pixels, write_png

SHEET = "contact_sheet.png"
_SHEET_ROWS = 6


def write(root: Path, summary: Summary, about: About = UNTOLD) -> None:
    """Write README.md and the contact sheet of a dataset."""
    write_sheet(root, [sequence.id for sequence in summary.sequences])
    write_text(root / "README.md", render(summary, about))


def write_sheet(root: Path, sequences: Sequence[str]) -> None:
    """Show the middle pair of up to six sequences: sharp | dark sharp | dark blur | dark blur noise."""
    columns = ("high_sharp_scaled", "low_sharp", "low_blur", "low_blur_noise")
    step = max(1, len(sequences) // _SHEET_ROWS)
    rows = []
    for name in sequences[::step][:_SHEET_ROWS]:
        record = read_record(record_path(root, name), name)
        pair = record.pairs[len(record.pairs) // 2]
        paths = [root / image_path(record.split, folder, record.video, pair.number) for folder in columns]
        rows.append([read_pixels(path) for path in paths])
    write_png(root / SHEET, contact_sheet(rows))


def render(summary: Summary, about: About = UNTOLD) -> str:
    """The card as Markdown."""
    blocks = [*_head(summary, about), *_contents(summary, about), *_folders(summary.config), *licensing(about)]
    blocks += [*_recipe(summary), *_sources(summary)]
    return "\n".join([*blocks, *_blurs(summary), *_measurements(summary), *_versions(summary)])


def _head(summary: Summary, about: About) -> list[str]:
    pattern = "**" if summary.config.dataset.bit_depth == 8 else METADATA
    files = [(split, f"{split}/{pattern}") for split, part in summary.splits.items() if part.pairs]
    return head(about, summary.pairs, files)


def _contents(summary: Summary, about: About) -> list[str]:
    config = summary.config
    return [
        f"# {_cell(about.name or 'A low-light blur dataset in the LOL-Blur layout')}",
        "",
        *([*about.description.splitlines(), ""] if about.description else []),
        f"Made by lolblur-synth {_cell(summary.made_by)} with seed {config.seed}. "
        f"{summary.pairs} pairs from {len(summary.videos)} videos, split by video:",
        "",
        "| split | videos | sequences | pairs |",
        "|---|---|---|---|",
        *(f"| {name} | {part.videos} | {part.sequences} | {part.pairs} |" for name, part in summary.splits.items()),
        "",
        f"![sharp, dark sharp, dark blur, dark blur noise]({SHEET})",
        "",
        "*Columns: high_sharp_scaled, low_sharp, low_blur, low_blur_noise; the middle pair of a sequence per row.*",
        "",
    ]


def _folders(config: Config) -> list[str]:
    return [
        "## Folders",
        "",
        "`{train,test}/<folder>/VVVV/FFFF.png`, "
        f"{config.dataset.bit_depth}-bit RGB; VVVV is the video, FFFF the pair:",
        "",
        *(f"- `{folder}`: {FOLDER_MEANINGS[folder]}" for folder in FOLDERS),
        "",
        f"`{MANIFEST}` has one line per pair, `records/VVVV-S.json` everything about a sequence, `{SETTINGS}` the "
        "settings. `lolblur-synth verify DIR` decodes and hashes every picture again.",
        "",
        *_loading(config),
        "",
    ]


def _loading(config: Config) -> list[str]:
    """How Hugging Face's `datasets` reads it."""
    if config.dataset.bit_depth == 8:
        return [
            f'`datasets.load_dataset("imagefolder", data_dir="DIR")` gives a row per pair, by {{split}}/{METADATA}.'
        ]
    return [
        "`imagefolder` of Hugging Face's `datasets` would cut 16 bits to 8 and refuses this folder. "
        f"{{split}}/{METADATA} has a row per pair with the paths of its pictures; `lolblur-synth pack DIR --to parquet "
        "--out OUT` puts the pictures in, which `datasets` then gives as the bytes of their files."
    ]


def _recipe(summary: Summary) -> list[str]:
    steps = (f"{number}. {_cell(step)}." for number, step in enumerate(recipe(summary), 1))
    return ["## How it was made", "", *steps, ""]


def _sources(summary: Summary) -> list[str]:
    return [
        "## Sources",
        "",
        "| video | split | file | capture rate | exposure ratio | pairs | windows dropped | content |",
        "|---|---|---|---|---|---|---|---|",
        *map(_source, summary.videos),
        "",
        "Exposure ratio: the source's shutter to the time from frame to frame; at 1 each frame is blurred by all "
        f"motion, near 0 what is between frames was not filmed. {_ratio_range(summary)}",
        "",
        *_dropped(summary.rejects),
    ]


def _source(video: VideoSummary) -> str:
    source = video.source
    return (
        f"| {video.number:04d} | {video.split} | {_cell(source.name)} | {source.capture_fps} fps "
        f"({_cell(source.capture_source)}) | {_cell(shutter_in_words(source.shutter))} | {video.pairs} | "
        f"{video.rejects} | {source.content[:16]} |"
    )


def _ratio_range(summary: Summary) -> str:
    span, unknown, count = summary.exposure_ratio, summary.unknown_shutters, len(summary.videos)
    if span is None:
        return "It is unknown of all videos."
    return f"It is {written(span)}" + (f", and unknown of {unknown} of {count} videos." if unknown else ".")


def _dropped(rejects: Mapping[str, int]) -> list[str]:
    if not rejects:
        return []
    causes = "; ".join(f"{count} for: {_cell(cause)}" for cause, count in rejects.items())
    return [f"Windows dropped: {causes}. Each is listed in the records.", ""]


def _blurs(summary: Summary) -> list[str]:
    blur, difficulty = summary.blur, summary.difficulty
    if difficulty is None:
        return []
    rows = [("PSNR, dB", difficulty.psnr), ("PSNR in light, dB", difficulty.in_light)]
    if blur:
        moving = [("path, mean, pixels", blur.mean), ("path, 95 %, pixels", blur.p95)]
        rows = [*moving, ("straightness", blur.straightness), ("concentration", blur.concentration), *rows]
    return [
        "## How the pictures are blurred",
        "",
        _row("of a pair", "least", "5 %", "median", "95 %", "most"),
        "|---|---|---|---|---|---|",
        *(_row(label, *(f"{value:.4g}" for value in spread)) for label, spread in rows),
        "",
        *_aims(summary.aim),
        *_directions(blur),
        *_tiers(difficulty),
    ]


def _aims(aim: AimSummary | None) -> list[str]:
    if aim is None:
        return []
    reached = f", reached {written(aim.reached)}" if aim.reached else ""
    return [
        f"Shutters were chosen for mean paths of {written(aim.wanted)} pixels{reached}; the nearest that there is was "
        f"taken in {aim.too_slow} sequences whose motion is too slow, and in {aim.too_fast} where it is too fast.",
        "",
    ]


def _directions(blur: BlurSummary | None) -> list[str]:
    if blur is None:
        return ["Paths are not measured, as sub-frames were made without flow.", ""]
    return [
        _row("direction", *(f"{axis}°" for axis in blur.directions), "spread"),
        f"|{'---|' * (len(blur.directions) + 2)}",
        _row("pairs", *map(str, blur.directions.values()), str(blur.undirected)),
        "",
        f"Path: how far things go while the shutter is open, over the picture, by the flow that made the sub-frames of "
        f"{blur.pairs} pairs. Straightness: chord over path. Directions are axes, counter-clockwise from the "
        "horizontal, by the nearest; concentration: 1 where all of a picture is one, 0 where they are spread evenly.",
        "",
    ]


def _tiers(difficulty: DifficultySummary) -> list[str]:
    low, high = difficulty.thirds
    return [
        _row("tier", *difficulty.tiers),
        f"|{'---|' * (len(difficulty.tiers) + 1)}",
        _row("pairs", *map(str, difficulty.tiers.values())),
        "",
        f"PSNR of low_blur against low_sharp; in light: both by the tone curve that takes low_sharp to the ground "
        f"truth. Tiers by that: easy from {EASY:g} dB, hard below {HARD:g}; {low:.1f} and {high:.1f} dB part "
        f"{difficulty.pairs} pairs into thirds.",
        "",
    ]


def _measurements(summary: Summary) -> list[str]:
    return [
        "## What the dark, blurred, noisy pictures measure",
        "",
        _row("sequence", "exposure", *(meaning.label for meaning in MEANINGS.values())),
        "|---|---|---|---|---|---|---|",
        *map(_measured, summary.sequences),
        _row("real nights", "", *(meaning.band for meaning in MEANINGS.values())),
        "",
        "Saturated: largest channel 250 or more. Noise sigma: Immerkaer's estimate on green. "
        f"Real nights: the smallest and the largest value of {NIGHTS}.",
        "",
    ]


def _measured(sequence: SequenceSummary) -> str:
    means = (meaning.written(sequence.means[name]) for name, meaning in MEANINGS.items())
    return _row(sequence.id, f"{sequence.exposure:.3f}", *means)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _versions(summary: Summary) -> list[str]:
    packages = ", ".join(_cell(f"{name} {' and '.join(values)}") for name, values in summary.versions.items())
    weights = ", ".join(_cell(f"{name} sha256 {' and '.join(values)}") for name, values in summary.weights.items())
    return ["## Versions", "", f"{packages}; device {_cell(', '.join(summary.devices))}; weights {weights}", ""]


def _cell(text: str) -> str:
    """Text from a file as Markdown shows it, also in a table."""
    return shown(text).replace("|", "\\|").replace("<", "&lt;")
