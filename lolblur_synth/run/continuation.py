"""What is in the folder of a dataset already: what of it a run continues, and what it must not change unasked."""

from collections.abc import Iterable
from pathlib import Path

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.settings import has_settings
from lolblur_synth.run.plan import VideoPlan
from lolblur_synth.synthesis.pipeline import VERSION


def is_alike(record: SequenceRecord, config: Config, weights: dict[str, str]) -> bool:
    """Whether a sequence was made as this run makes them, whatever its video."""
    return (
        has_settings(record, config) and record.weights == weights and record.versions.get("pipeline") == str(VERSION)
    )


def refuse_changes(out: Path, planned: Iterable[VideoPlan], others: Iterable[str]) -> None:
    """Raise `UserError` where sequences that are there, `others` among them, would have to be made anew."""
    remade = (sequence.id for video in planned for sequence in video.sequences if sequence.status == "remake")
    changed = sorted({*remade, *others})
    if changed:
        raise UserError(
            (
                f"{len(changed)} sequences there ({', '.join(changed[:4])}...) come from other settings, "
                "weights, capture rate, device or version"
            ),
            where=f"{setting('out')} {out}",
            advice=f"name another {setting('out')}, or {setting('overwrite')} to make them anew",
        )
