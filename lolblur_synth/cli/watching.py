"""Commands and options by which a run is watched."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lolblur_synth.cli.options import FOLDER, console_for, option
from lolblur_synth.core.errors import SequenceError

if TYPE_CHECKING:
    from lolblur_synth.run.event_log import EventLog

STDOUT = Path("-")


@contextmanager
def json_log(path: Path | None) -> Iterator["EventLog | None"]:
    """What writes the events of a run as lines of JSON; raises `SequenceError` at the end where some were refused."""
    from lolblur_synth.run.event_log import EventLog, open_log

    if path is None:
        yield None
    elif path == STDOUT:
        yield EventLog(sys.stdout.buffer, option, is_stdout=True)
    else:
        with open_log(path) as file:
            log = EventLog(file, option)
            yield log
        if log.lost:
            raise SequenceError(f"lacks {log.lost} lines, which the disk has refused", where=path, advice="make room")


@click.command()
@click.argument("dataset", type=FOLDER)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, for programs.")
def status(dataset: Path, as_json: bool) -> None:
    """Tell how far the runs of a dataset are, on whatever machine they are."""
    from lolblur_synth.apps.status import status as look
    from lolblur_synth.cli.status_table import show_status

    found = look(dataset)
    if as_json:
        click.echo(json.dumps(asdict(found), default=lambda part: part.model_dump(), indent=1))
    else:
        show_status(console_for(), dataset, found)
    if found.faults:
        raise SequenceError(found.faults[0], *found.faults[1:])
