"""The folder of a training run: made once, found again by the same settings and data, never another's."""

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from lolblur_synth.config.loading import load, to_yaml
from lolblur_synth.config.section import Section
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import read_bounded, write_text

CHECKPOINT, CONFIG, DATA, METRICS, BOARD = "last.pt", "config.yaml", "data.json", "metrics.json", "tensorboard"
_LARGEST = 256 << 20  # bytes of what is said of the data, a line per photograph
_LISTED = CHECKPOINT, CONFIG, DATA, METRICS


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its checkpoint, its weights, and what it was made from."""

    path: Path
    weights: Sequence[str]  # the names of its files of weights
    data: str  # what it trains on, for messages
    free: Collection[str] = ("device",)  # settings that may change when it goes on, for they decide no result

    def prepare(self, config: Section, data: Any, *, resume: bool = True, overwrite: bool = False) -> bool:
        """Make the folder, or find that it holds this run already; returns whether it does.

        `data` are JSON values that tell what is trained on. Raises `UserError` for a folder of anything else, and for
        a run of other settings or data.
        """
        if (self.path / CHECKPOINT).is_file() and not overwrite:
            self._check_same(config, data)
            if not resume:
                raise UserError(
                    "holds a run with these settings already", where=self.path, advice="resume it, or overwrite it"
                )
            return True
        if self.path.exists() and (not self.path.is_dir() or any(map(self._is_foreign, self.path.iterdir()))):
            raise UserError("not an empty folder and not a training run", where=self.path, advice="choose another")
        self._remove_run()
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / DATA, json.dumps(data, indent=1) + "\n")
        write_text(self.path / CONFIG, to_yaml(config))
        return False

    def _is_foreign(self, path: Path) -> bool:
        """Whether a file is not of a run, nor a part of one that was being written."""
        if path.name == BOARD and (self.path / CONFIG).is_file():
            return False
        return path.name.removeprefix(".").removesuffix(".partial") not in (*_LISTED, *self.weights)

    def _check_same(self, config: Section, data: Any) -> None:
        before, now = load(type(config), [str(self.path / CONFIG)]).model_dump(), config.model_dump()
        changed = [key for key in now if key not in self.free and now[key] != before[key]]
        if changed:
            difference = "; ".join(f"{key} was {before[key]}, is {now[key]}" for key in changed)
            raise UserError(
                f"holds a run with other settings ({difference})",
                where=self.path,
                advice="choose another folder, or overwrite",
            )
        try:
            before = from_json(read_bounded(self.path / DATA, _LARGEST))
        except (OSError, ValueError):
            raise UserError("damaged", where=self.path / DATA, advice="choose another folder, or overwrite") from None
        if before != data:
            raise UserError(
                f"holds a run on other {self.data} (see {DATA})",
                where=self.path,
                advice="choose another folder, or overwrite",
            )

    def _remove_run(self) -> None:
        if (self.path / CONFIG).is_file():
            for name in (*_LISTED, *self.weights):
                (self.path / name).unlink(missing_ok=True)
            shutil.rmtree(self.path / BOARD, ignore_errors=True)
