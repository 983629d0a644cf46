"""State of a training: snapshots in memory, checkpoints that appear whole, and how far it has come."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from lolblur_synth.core.errors import UserError, refused
from lolblur_synth.core.files import write_whole


def snapshot(state: Any) -> Any:
    """A copy of tensors and plain values, none of which changes with them; much faster than `deepcopy` of as many."""
    if isinstance(state, torch.Tensor):
        return state.detach().clone()
    if isinstance(state, dict):
        return {key: snapshot(value) for key, value in state.items()}
    return type(state)(snapshot(value) for value in state) if isinstance(state, list | tuple) else state


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values; the file appears whole or not at all.

    Raises `UserError` when the disk refuses; what was at `path` before is then still there.
    """
    buffer = io.BytesIO()  # into a file, torch tells of a full disk by an error of its own making
    torch.save(state, buffer)
    kept = "the one before is still there" if path.exists() else "there is none yet"
    with refused(path, "cannot be saved", f"{kept}; make room and go on from it"):
        write_whole(path, buffer.getbuffer(), durable=True)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; raises `UserError` when it is missing or damaged."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UserError("no checkpoint to resume from", where=path, advice="train without resume first") from None
    except Exception as error:  # damaged files raise whatever the parser that met the damage does
        reason = str(error).split("\n", 1)[0][:120]
        raise UserError(f"not a checkpoint that can be read ({reason})", where=path, advice="start again") from None
    if not isinstance(state, dict):
        raise UserError("not a checkpoint of a training run", where=path, advice="start again")
    return state


@dataclass(frozen=True, config=ConfigDict(strict=True))
class Progress:
    """How far a training has come."""

    step: Annotated[int, Field(ge=0)]  # steps done
    best: float  # of its validations; infinite before the first
    history: list[dict[str, int | float]]  # a row for each validation


def progress_of(state: dict[str, Any]) -> Progress:
    """How far a training was when it was saved; raises `ValueError` or `KeyError` for anything else."""
    return Progress(state["step"], state["best"], state["history"])


@contextmanager
def restoring(path: Path) -> Iterator[None]:
    """Take a state back from the checkpoint `path`; what does not fit in it is a `UserError`."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise UserError(f"not a checkpoint of this run ({error})", where=path, advice="overwrite it") from None
