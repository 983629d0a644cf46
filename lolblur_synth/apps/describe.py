"""The `describe` command: what only its maker knows of a dataset goes into its card and croissant.json."""

from collections.abc import Sequence
from pathlib import Path

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import SequenceError, UserError, refused
from lolblur_synth.dataset.about import about_layers, write_about
from lolblur_synth.dataset.croissant import untold
from lolblur_synth.dataset.derived import write_derived
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.locks import locked


def describe(root: Path, sources: Sequence[str], assignments: Sequence[str]) -> list[str]:
    """Write the settings `about.*` of a dataset, over those that it has, and all files that tell of it anew.

    Returns the names of what croissant.json still requires; it is written when there are none. Raises `UserError` for
    a folder that is no dataset, and for other settings or faults in them.
    """
    if not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    about = load(Config, [*about_layers(root), *sources], assignments).about
    with locked(root), refused(root, "cannot be written", "make room and run the same command again"):
        try:
            summary = write_derived(root, about)
        except SequenceError as error:
            raise UserError(error, advice=f"`lolblur-synth verify {root}` tells all that is damaged") from None
        if summary is None:
            raise UserError("a dataset without a sequence", where=root, advice="run again to finish it")
        write_about(root, about)
    return untold(about)
