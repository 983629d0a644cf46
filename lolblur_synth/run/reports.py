"""What is told of a dataset as a whole: failures, manifest, metadata, card and croissant.json, from its records."""

from collections.abc import Sequence
from pathlib import Path

from lolblur_synth.core.errors import SequenceError, UserError, refused, setting
from lolblur_synth.dataset import card
from lolblur_synth.dataset.about import read_about
from lolblur_synth.dataset.croissant import write_croissant
from lolblur_synth.dataset.hugging_face import write_metadata
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.publish import check_present
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.run.failures import Failure, write_failures


def write_reports(out: Path, failures: Sequence[Failure]) -> dict[str, SequenceRecord]:
    """Write them all anew, and return the records that they follow from; raises `UserError`."""
    check_present(out)
    advice = "the sequences are kept; make room and run the same command again"
    with refused(f"{setting('out')} {out}", "the manifest and the card cannot be written", advice):
        write_failures(out, failures)
        records = read_records(out)
        write_manifest(out, records)
        write_metadata(out, records)
        about = read_about(out)
        try:
            card.write(out, records, about)
        except SequenceError as error:  # a picture that was made before
            advice = f"`lolblur-synth verify {out}` tells all that is damaged, and what to do"
            raise UserError(error, advice=advice) from None
        write_croissant(out, records, about)
    return records
