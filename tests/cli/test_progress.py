"""The bars of a run: what a sequence that is made again had counted is taken back."""

import io

from rich.console import Console

from lolblur_synth.cli.progress import RunProgress
from lolblur_synth.core.events import Event


def test_a_sequence_that_begins_again_counts_its_pairs_once():
    told = io.StringIO()
    with RunProgress(Console(file=told, width=200), 4, verbose=True) as progress:
        for kind, sequence in (
            ("start", "0000-0"), ("pair", "0000-0"), ("start", "0001-0"), ("pair", "0001-0"),
            ("warned", "0000-0"), ("start", "0000-0"), ("pair", "0000-0"), ("pair", "0000-0"), ("made", "0000-0"),
            ("pair", "0001-0"), ("made", "0001-0"), ("warned", ""),
        ):  # fmt: skip
            progress(Event(kind, sequence, "its worker ended", total=2))
        (whole,) = progress._bars.tasks
        assert (whole.completed, whole.total) == (4, 4)
    lines = told.getvalue().splitlines()
    assert lines[2:4] == ["0000-0: its worker ended", "0000-0: 2 pairs"]
    assert lines[-1] == "its worker ended"
