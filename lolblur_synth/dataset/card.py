"""The dataset card: what is in the folder, from what, made how; written from the records alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import shown
from lolblur_synth.core.files import write_text
from lolblur_synth.dataset.layout import FOLDERS, image_path
from lolblur_synth.dataset.manifest import MANIFEST
from lolblur_synth.dataset.records import SETTINGS, SequenceRecord
from lolblur_synth.dataset.statistics import Statistic
from lolblur_synth.video.contact_sheet import contact_sheet
from lolblur_synth.video.images import read_pixels, write_png

SHEET = "contact_sheet.png"
_SHEET_ROWS = 6
_MEANINGS = {
    "low_blur_noise": "dark, blurred, noisy: the input of a network",
    "low_blur": "the same without noise",
    "low_sharp": "the dark middle frame",
    "high_sharp_scaled": "the ground truth: the middle frame in normal light, slightly dimmed",
    "high_sharp_original": "the middle frame, denoised and resized, not dimmed",
}


def write(root: Path, records: dict[str, SequenceRecord]) -> None:
    """Write README.md and the contact sheet of a dataset."""
    if not records:
        return
    write_sheet(root, list(records.values()))
    write_text(root / "README.md", render(list(records.values())))


def write_sheet(root: Path, records: list[SequenceRecord]) -> None:
    """Show the middle pair of up to six sequences: sharp | dark sharp | dark blur | dark blur noise."""
    columns = ("high_sharp_scaled", "low_sharp", "low_blur", "low_blur_noise")
    step = max(1, len(records) // _SHEET_ROWS)
    rows = []
    for record in records[::step][:_SHEET_ROWS]:
        pair = record.pairs[len(record.pairs) // 2]
        paths = [root / image_path(record.split, folder, record.video, pair.number) for folder in columns]
        rows.append([read_pixels(path) for path in paths])
    write_png(root / SHEET, contact_sheet(rows))


def render(records: list[SequenceRecord]) -> str:
    """The card as Markdown."""
    first = records[0]
    pairs = Counter[str]()
    videos: dict[str, set[int]] = {"train": set(), "test": set()}
    for record in records:
        pairs[record.split] += len(record.pairs)
        videos[record.split].add(record.video)
    config = first.config
    return "\n".join(
        [
            "# A low-light blur dataset in the LOL-Blur layout",
            "",
            f"Made by lolblur-synth {_cell(first.versions['lolblur-synth'])} with seed {config.seed}. "
            f"{sum(pairs.values())} pairs from {len(videos['train'] | videos['test'])} videos, split by video:",
            "",
            "| split | videos | sequences | pairs |",
            "|---|---|---|---|",
            *(
                f"| {split} | {len(videos[split])} | {sum(r.split == split for r in records)} | {pairs[split]} |"
                for split in ("train", "test")
            ),
            "",
            f"![sharp, dark sharp, dark blur, dark blur noise]({SHEET})",
            "",
            "*Columns: high_sharp_scaled, low_sharp, low_blur, low_blur_noise; the middle pair of a sequence per row.*",
            "",
            "## Folders",
            "",
            "`{train,test}/<folder>/VVVV/FFFF.png`, "
            f"{config.dataset.bit_depth}-bit RGB; VVVV is the video, FFFF the pair:",
            "",
            *(f"- `{folder}`: {_MEANINGS[folder]}" for folder in FOLDERS),
            "",
            f"`{MANIFEST}` has one line per pair, `records/VVVV-S.json` everything about a sequence, `{SETTINGS}` the "
            "settings. `lolblur-synth verify DIR` decodes and hashes every picture again.",
            "",
            "## How it was made",
            "",
            *_steps(config, records),
            "",
            "## Sources",
            "",
            "| video | split | file | capture rate | pairs | windows dropped | content |",
            "|---|---|---|---|---|---|---|",
            *_sources(records),
            "",
            *_dropped(records),
            "## What the dark, blurred, noisy pictures measure",
            "",
            "| sequence | exposure | mean (of 255) | mean L* | p99 grey | saturated, % | noise sigma (of 255) |",
            "|---|---|---|---|---|---|---|",
            *(_statistics(record) for record in records),
            "",
            "Saturated: largest channel 250 or more. Noise sigma: Immerkaer's estimate on green.",
            "",
            "## Versions",
            "",
            ", ".join(_named(r.versions for r in records))
            + f"; device {_cell(', '.join(sorted({r.device for r in records})))}; weights "
            + ", ".join(_named({f"{name} sha256": digest for name, digest in r.weights.items()} for r in records)),
            "",
        ]
    )


def _each(values: Iterable[str]) -> str:
    return " and ".join(sorted(set(values)))


def _named(parts: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Every name with all that it stands for; not every record has every name."""
    found: dict[str, list[str]] = {}
    for name, value in (item for part in parts for item in part.items()):
        found.setdefault(name, []).append(value)
    return (_cell(f"{name} {_each(values)}") for name, values in found.items())


def _cell(text: str) -> str:
    """Text from a file as Markdown shows it, also in a table."""
    return shown(text).replace("|", "\\|").replace("<", "&lt;")


def _span(values: Iterable[float], unit: str = "") -> str:
    numbers = list(values)
    low, high = f"{min(numbers):.4g}", f"{max(numbers):.4g}"
    return (low if low == high else f"{low} to {high}") + unit


def _steps(config: Config, records: list[SequenceRecord]) -> list[str]:
    windows = sorted({(r.shutter.frames, r.shutter.sub_frames) for r in records})
    rates = _span((r.shutter.sub_frame_fps for r in records), " fps")
    blurred = [record.draws.defocus for record in records if record.draws.defocus]
    return [
        f"1. Denoise: {_denoising(records)}.",
        f"2. Dim to the ground truth by {_span(r.draws.dim for r in records)}, darken by EC-Zero-DCE to exposure "
        f"{_span(r.draws.exposure for r in records)}; lights above L* 97 keep theirs.",
        f"3. Interpolate ({config.interpolate.backend}) to {rates}: "
        + ", ".join(f"{frames} source frames -> {sub_frames} sub-frames" for frames, sub_frames in windows)
        + f".{_trust(config, records)}",
        f"4. Reverse clipping: + {_span(255 * r.draws.streak for r in records)} of 255 where L* > "
        f"{config.unclip.threshold:g}.",
        f"5. Average in {'linear light' if config.average.space == 'linear' else 'sRGB values'}: exposures of "
        f"{_span(r.shutter.milliseconds for r in records)} ms, one pair every 1/{config.sequences.fps:g} s.",
        f"6. Defocus: {len(blurred)} of {len(records)} sequences"
        + (f", sigma {_span(s for d in blurred for s in d[:2])} pixels." if blurred else "."),
        f"7. Noise: shot {_span(r.draws.shot for r in records)}, read {_span(r.draws.read for r in records)} "
        "(variance = shot x + read at linear light x).",
    ]


def _trust(config: Config, records: list[SequenceRecord]) -> str:
    shares = [pair.untrusted for record in records for pair in record.pairs if pair.untrusted is not None]
    if not shares:
        return ""
    most = config.interpolate.untrusted
    return (
        f" Motion between two frames is inconsistent on at most {max(shares):.1%} of the picture; on more than "
        f"{most:.0%} in {sum(share > most for share in shares)} of {len(shares)} pairs."
    )


def _denoising(records: list[SequenceRecord]) -> str:
    noisy = [record.noise for record in records if record.noise.backend != "none"]
    found = [record.noise.level.sigma for record in records if record.noise.level]
    if not noisy:
        return f"the footage is clean, sigma {_span(found)} of 255, and left as it is" if found else "off"
    ways = _each(f"{n.backend} {n.preset}" if n.backend == "vbm4d" else n.backend for n in noisy)
    told = f"; noise of sigma {_span(found)} of 255" if found else ""
    return f"{len(noisy)} of {len(records)} sequences by {ways}{told}"


def _sources(records: list[SequenceRecord]) -> list[str]:
    rejects, rows = _rejects(records), dict[int, tuple[SequenceRecord, int]]()
    for record in records:
        rows[record.video] = (record, rows.get(record.video, (record, 0))[1] + len(record.pairs))
    return [
        f"| {video:04d} | {record.split} | {_cell(record.source.name)} | {record.source.capture_fps} fps "
        f"({_cell(record.source.capture_source)}) | {pairs} | {len(rejects[video])} | {record.source.content[:16]} |"
        for video, (record, pairs) in sorted(rows.items())
    ]


def _rejects(records: list[SequenceRecord]) -> dict[int, dict[int, str]]:
    """By video and slot, why a window gave no pair: known of the video, or found when one of its sequences was made."""
    found: dict[int, dict[int, str]] = {}
    for record in records:
        found.setdefault(record.video, {}).update({reject.slot: reject.reason for reject in record.rejects})
    return found


def _dropped(records: list[SequenceRecord]) -> list[str]:
    reasons = Counter(reason.split(" at frame")[0] for found in _rejects(records).values() for reason in found.values())
    if not reasons:
        return []
    told = "; ".join(f"{count} for: {_cell(reason)}" for reason, count in reasons.most_common())
    return [f"Windows dropped: {told}. Each is listed in the records.", ""]


def _statistics(record: SequenceRecord) -> str:
    def mean_of(name: Statistic) -> float:
        return fmean(pair.statistics[name] for pair in record.pairs)

    return (
        f"| {record.id} | {record.draws.exposure:.3f} | {mean_of('mean'):.1f} | {mean_of('lightness'):.1f} "
        f"| {mean_of('p99_grey'):.0f} | {mean_of('saturated'):.2f} | {mean_of('noise_sigma'):.2f} |"
    )
