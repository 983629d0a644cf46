"""Checkpoints of any network: what is in a file is checked before it is used, what is written appears whole."""

import io
import json
import pickle
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import torch
from pydantic_core import from_json
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from lolblur_synth.core.errors import UserError, listed, refused
from lolblur_synth.core.files import write_whole

BUNDLED = Path(__file__).parent / "bundled"
_METADATA = "lolblur_synth"
Net = TypeVar("Net")


class Network(Protocol):
    """A network whose checkpoint can make it again: its kind, its arguments, its state dict."""

    kind: ClassVar[str]

    def arguments(self) -> dict[str, Any]:
        """Arguments to build the same network with, JSON values."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """Its weights by name."""


class Checkpoint(NamedTuple):
    """The content of a file: a state dict, and metadata, None for a pickle, which cannot say what it holds."""

    path: Path
    state: dict[str, Tensor]
    metadata: dict[str, Any] | None
    sha256: str


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a .safetensors file that `save_weights` wrote, or else a pickle of nothing but tensors by name.

    A dictionary under `params` and the prefix `module.` are taken off. Raises `UserError` when the file is missing,
    damaged or holds anything else; nothing but tensors is ever unpickled.
    """
    data = _read_bytes(path)
    digest = sha256(data).hexdigest()
    if path.suffix != ".safetensors":
        return Checkpoint(path, _unpickle(data, path), None, digest)
    try:
        state = load_safetensors(data)
    except SafetensorError as error:
        raise UserError(
            f"damaged or not safetensors ({error})", where=f"weights {path}", advice="fetch or train it again"
        ) from None
    return Checkpoint(path, state, _metadata(data, path), digest)


def arguments_of(checkpoint: Checkpoint, kind: str) -> dict[str, Any]:
    """The arguments of the network in a file with metadata; raises `UserError` when it is of another kind."""
    network, arguments = ((checkpoint.metadata or {}).get(key) for key in ("network", "arguments"))
    if network != kind or not isinstance(arguments, dict):
        raise UserError(f"holds {network}, not {kind}", where=f"weights {checkpoint.path}", advice="give another file")
    return arguments


def build(make: Callable[..., Net], arguments: Mapping[str, Any], path: Path) -> Net:
    """Make a network from the arguments of its file; raises `UserError` when they make none."""
    try:
        return make(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        given = dict(arguments)
        raise UserError(
            f"its arguments {given} make no network ({error})", where=f"weights {path}", advice="give another file"
        ) from None


def load_strictly(net: nn.Module, state: Mapping[str, Tensor], path: Path, kind: str) -> None:
    """Load a state dict; raises `UserError` with the first differences in keys and shapes, or for non-finite values."""
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    given = {key: tuple(value.shape) for key, value in state.items()}
    faults = [f"lacks {key} {shape}" for key, shape in wanted.items() if key not in given]
    faults += [f"has unknown {key} {shape}" for key, shape in given.items() if key not in wanted]
    both = [key for key in wanted if key in given]
    faults += [f"{key} is {given[key]}, not {wanted[key]}" for key in both if given[key] != wanted[key]]
    if faults:
        raise UserError(
            f"of another network: {listed(faults)}", where=f"weights {path}", advice=f"give weights of {kind}"
        )
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise UserError("not all values are finite", where=f"weights {path}", advice="fetch or train it again")
    net.load_state_dict(state)


def save_weights(path: Path, net: Network, metadata: Mapping[str, Any]) -> str:
    """Write a checkpoint (safetensors) and return its sha256; `metadata` are JSON values.

    The network's kind and arguments go into the file, which appears whole or not at all. Raises `UserError` when it
    cannot be written.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    header = {"network": net.kind, "arguments": net.arguments(), **metadata}
    data = save_safetensors(state, {_METADATA: json.dumps(header, sort_keys=True)})  # two keys have no fixed order
    with refused(f"weights {path}", "cannot be written", "make room or choose another"):
        write_whole(path, data)
    return sha256(data).hexdigest()


def _read_bytes(path: Path) -> bytes:
    with refused(f"weights {path}", "cannot be read", "check the path"):
        return path.read_bytes()


def _metadata(data: bytes, path: Path) -> dict[str, Any]:
    try:
        length = int.from_bytes(data[:8], "little")
        metadata = from_json(from_json(data[8 : 8 + length])["__metadata__"][_METADATA])
    except (ValueError, KeyError, TypeError):
        metadata = None
    if not isinstance(metadata, dict):
        raise UserError(
            "does not say which network it holds",
            where=f"weights {path}",
            advice="give a file that a trainer here wrote",
        )
    return metadata


def _unpickle(data: bytes, path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            "holds more than tensors, so it is not opened", where=f"weights {path}", advice="get another file"
        ) from None
    except Exception:  # damaged files raise whatever the parser that met the damage does
        raise UserError("damaged or not a checkpoint", where=f"weights {path}", advice="fetch it again") from None
    state = content.get("params", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError("holds no tensors by name", where=f"weights {path}", advice="give a released checkpoint")
    return {str(key).removeprefix("module."): value for key, value in state.items()}
