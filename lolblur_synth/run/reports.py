"""What is told of a dataset as a whole: failures, manifest, metadata, card and croissant.json, from its records."""

from collections.abc import Sequence
from pathlib import Path

from lolblur_synth.core.errors import SequenceError, UserError, refused, setting
from lolblur_synth.dataset.about import read_about
from lolblur_synth.dataset.derived import write_derived
from lolblur_synth.dataset.publish import check_present
from lolblur_synth.dataset.summary_types import Summary
from lolblur_synth.run.failures import Failure, write_failures


def write_reports(out: Path, failures: Sequence[Failure]) -> Summary | None:
    """Write them all anew, and return the summary of the records, None where there are none; raises `UserError`."""
    check_present(out)
    advice = "the sequences are kept; make room and run the same command again"
    with refused(f"{setting('out')} {out}", "the manifest and the card cannot be written", advice):
        write_failures(out, failures)
        try:
            return write_derived(out, read_about(out))
        except SequenceError as error:  # a picture that was made before
            advice = f"`lolblur-synth verify {out}` tells all that is damaged, and what to do"
            raise UserError(error, advice=advice) from None
