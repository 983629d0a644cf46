"""Weights of the networks, from the package or a file: what is in a file is checked before it is used."""

import json
import pickle
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from lolblur_synth.errors import UserError
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE

BUNDLED = Path(__file__).parents[1] / "weights"
_EC_ZERO_DCE = "ec_zero_dce"
_METADATA = "lolblur_synth"
_RELEASED = {"width": 256, "iterations": 10, "scale": 1, "context": False}


def load_ec_zero_dce(name_or_path: str, device: torch.device | str = "cpu") -> tuple[ECZeroDCE, str]:
    """Load EC-Zero-DCE, ready for inference, and the sha256 of its file.

    Takes the name of bundled weights (`ec_zero_dce`), a .safetensors file that `save_weights` wrote, or the released
    .pth checkpoint. Raises `UserError` when the file is missing, damaged, or holds another network.
    """
    path = _find(name_or_path)
    data = _read(path)
    if path.suffix == ".safetensors":
        state, arguments = _from_safetensors(data, path)
    else:
        state, arguments = _from_pickle(path), _RELEASED
    net = _build(arguments, path)
    _load(net, state, path)
    return net.to(device).eval().requires_grad_(False), sha256(data).hexdigest()


def save_weights(path: Path, net: ECZeroDCE, metadata: Mapping[str, Any]) -> str:
    """Write weights with the network's arguments and `metadata` (JSON values) in the file; returns its sha256.

    The file appears whole or not at all.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
    header = {"network": _EC_ZERO_DCE, "arguments": net.arguments(), **metadata}
    data = save_safetensors(state, {_METADATA: json.dumps(header, sort_keys=True)})  # two keys have no fixed order
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
    return sha256(data).hexdigest()


def read_metadata(path: Path) -> dict[str, Any]:
    """What `save_weights` was told about a .safetensors file; raises `UserError` when it is not such a file."""
    return _metadata(_read(path), path)


def _find(name_or_path: str) -> Path:
    bundled = sorted(path.stem for path in BUNDLED.glob("*.safetensors"))
    if name_or_path in bundled:
        return BUNDLED / f"{name_or_path}.safetensors"
    path = Path(name_or_path).expanduser()
    if path.suffix not in {".safetensors", ".pth", ".pt"}:
        raise UserError(
            f"weights {name_or_path}: neither bundled ({', '.join(bundled) or 'none is'}) "
            "nor a .safetensors or .pth file; give one of these"
        )
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"weights {path}: cannot be read: {error.strerror}; check the path") from None


def _from_safetensors(data: bytes, path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        state = load_safetensors(data)
    except SafetensorError as error:
        raise UserError(f"weights {path}: damaged or not safetensors ({error}); fetch or train it again") from None
    metadata = _metadata(data, path)
    if metadata.get("network") != _EC_ZERO_DCE or not isinstance(metadata.get("arguments"), dict):
        raise UserError(f"weights {path}: holds {metadata.get('network')}, not {_EC_ZERO_DCE}; give another file")
    return state, metadata["arguments"]


def _metadata(data: bytes, path: Path) -> dict[str, Any]:
    try:
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_METADATA])
    except (ValueError, KeyError, TypeError):
        metadata = None
    if not isinstance(metadata, dict):
        raise UserError(f"weights {path}: does not say which network it holds; give a file that train-ecdce wrote")
    return metadata


def _from_pickle(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(f"weights {path}: holds more than tensors, so it is not opened; get another file") from None
    except Exception as error:  # damaged files raise whatever the parser that met the damage does
        reason = str(error).split("\n", 1)[0][:120]
        raise UserError(f"weights {path}: damaged or not a checkpoint ({reason}); fetch it again") from None
    state = content.get("params", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"weights {path}: holds no tensors by name; give a released checkpoint")
    return {str(key).removeprefix("module."): value for key, value in state.items()}


def _build(arguments: dict[str, Any], path: Path) -> ECZeroDCE:
    try:
        return ECZeroDCE(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"weights {path}: its arguments {arguments} make no network ({error}); give another") from None


def _load(net: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    faults = [f"lacks {key} {shape}" for key, shape in wanted.items() if key not in found]
    faults += [f"has unknown {key} {shape}" for key, shape in found.items() if key not in wanted]
    both = [key for key in wanted if key in found]
    faults += [f"{key} is {found[key]}, not {wanted[key]}" for key in both if found[key] != wanted[key]]
    if faults:
        more = f", and {len(faults) - 4} more" if len(faults) > 4 else ""
        raise UserError(f"weights {path}: of another network: {'; '.join(faults[:4])}{more}; give EC-Zero-DCE weights")
    if not all(bool(value.isfinite().all()) for value in state.values()):
        raise UserError(f"weights {path}: not all values are finite; fetch or train it again")
    net.load_state_dict(state)
