"""Failures of a run: videos and sequences that were not made, told in `failed/`."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lolblur_synth.core.errors import shown
from lolblur_synth.core.files import read_bounded, write_text
from lolblur_synth.dataset.record_reader import fault_in

_LONGEST = 200  # bytes of a name, to which more is added; file systems take 255
_LARGEST = 1 << 20  # bytes of a file, which may hold a traceback


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class Failure:
    """A video or sequence that was not made."""

    name: str
    message: str
    detail: str = ""
    kind: Literal["video", "sequence"] = "sequence"


def write_failures(out: Path, failures: Sequence[Failure]) -> None:
    """Replace the folder `failed/` by what failed this time; there is none when all went well."""
    folder = out / "failed"
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    for number, failure in enumerate(sorted(failures, key=lambda failure: failure.kind), 1):  # sequences first
        folder.mkdir(exist_ok=True)
        content = asdict(failure) | {"name": shown(failure.name), "message": shown(failure.message)}
        whole = shown(failure.name)
        name = whole.replace("/", "_").encode()[:_LONGEST].decode(errors="ignore")
        if name != whole or (folder / f"{name}.json").exists():  # as a video that is named like a sequence
            name = f"{name}-{number}"
        write_text(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")


def read_failures(out: Path) -> tuple[list[Failure], list[str]]:
    """The failures of the last run, as `failed/` tells them, and what is wrong with files there, a line each."""
    failures, faults = list[Failure](), list[str]()
    for path in sorted((out / "failed").glob("*.json")):
        try:
            failures.append(TypeAdapter(Failure).validate_json(read_bounded(path, _LARGEST, follow=False)))
        except OSError as error:
            faults.append(f"failed/{path.name}: cannot be read: {error.strerror}")
        except ValidationError as error:
            faults.append(f"failed/{path.name}: {fault_in(error)}")
    return failures, faults
