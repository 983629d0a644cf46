"""Loaders of the networks, ready for inference, by the name of their weights or from a file."""

from pathlib import Path

import torch

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash
from lolblur_synth.nets.ec_zero_dce import ECZeroDCE
from lolblur_synth.nets.lednet import LEDNet
from lolblur_synth.nets.lpips import LPIPS, Backbone
from lolblur_synth.nets.rife import IFNet, from_released
from lolblur_synth.nets.vgg import VGG19
from lolblur_synth.nets.weights.catalogue import entry, locate
from lolblur_synth.nets.weights.checkpoint import Checkpoint, arguments_of, build, load_strictly, read_checkpoint
from lolblur_synth.nets.weights.key_maps import lednet_state

_FILES = {".safetensors", ".pth", ".pt", ".pkl"}
_RELEASED_EC_ZERO_DCE = {"width": 256, "iterations": 10, "scale": 1, "context": False}


def load_ec_zero_dce(name_or_path: str, device: torch.device | str = "cpu") -> tuple[ECZeroDCE, str]:
    """Load EC-Zero-DCE, ready for inference, and the sha256 of its file.

    Takes the name of the bundled weights (`ec_zero_dce`) or of those in the cache (`ce_zerodce`), a .safetensors file
    that `save_weights` wrote, or the released .pth checkpoint. Raises `UserError` when the file is missing, damaged, or
    holds another network.
    """
    file = _read(name_or_path)
    arguments = _RELEASED_EC_ZERO_DCE if file.metadata is None else arguments_of(file, ECZeroDCE.kind)
    net = build(ECZeroDCE, arguments, file.path)
    load_strictly(net, file.state, file.path, net.kind)
    return net.to(device).eval().requires_grad_(False), file.sha256


def load_lednet(name_or_path: str, device: torch.device | str = "cpu") -> tuple[LEDNet, str]:
    """Load LEDNet, ready for inference and channels last, and the sha256 of its file.

    Takes the name of weights in the cache (`lednet`, `lednet_retrain`), a .safetensors file that a training wrote, or a
    released .pth, which works in [-1, 1] if `retrain` is in its name and in [0, 1] otherwise, as nothing in it tells.
    Raises `UserError` when the file is missing, damaged, or holds another network.
    """
    file = _read(name_or_path)
    if file.metadata is None:
        arguments, state = {"signed": "retrain" in file.path.stem}, lednet_state(file.state)
    else:
        arguments, state = arguments_of(file, LEDNet.kind), file.state
    net = build(LEDNet, arguments, file.path)
    load_strictly(net, state, file.path, "LEDNet")
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False), file.sha256


def load_vgg19(path: Path | None = None, device: torch.device | str = "cpu") -> tuple[VGG19, str]:
    """Load VGG19 as torchvision published it, frozen and channels last, and the sha256 of its file.

    Looked for in the cache unless a file is given. Raises `UserError` when it is not there, or is any other file: with
    other weights the loss is another one.
    """
    wanted = entry("vgg19")
    if path is None:
        path = locate(wanted.name)
    elif not path.is_file():
        raise UserError(
            "no such file", where=f"weights {path}", advice=f"give torchvision's {wanted.file}, from {wanted.url}"
        )
    elif file_hash(path) != wanted.sha256:
        raise UserError(
            f"is not torchvision's {wanted.file} (sha256)", where=f"weights {path}", advice=f"get it from {wanted.url}"
        )
    file, net = read_checkpoint(path), VGG19()
    used = {key: value for key, value in file.state.items() if key in net.state_dict()}
    load_strictly(net, used, path, "VGG19")
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False), file.sha256


def load_lpips(backbone: Backbone = "vgg", device: torch.device | str = "cpu") -> LPIPS:
    """Load LPIPS 0.1 from two files in the cache: torchvision's backbone, and the heads that its authors trained.

    Raises `UserError` when one of them is not there or is any other file.
    """
    net = LPIPS(backbone)
    features = read_checkpoint(locate("vgg16" if backbone == "vgg" else "alexnet"))
    used = {key: value for key, value in features.state.items() if key.startswith("features.")}
    layers = {key.removeprefix("features."): value for key, value in used.items()}
    load_strictly(net.features, layers, features.path, f"torchvision's backbone {backbone}")
    heads = read_checkpoint(locate(f"lpips-{backbone}"))
    weights = {key.removeprefix("lin").removesuffix(".model.1.weight"): v.flatten() for key, v in heads.state.items()}
    load_strictly(net.heads, weights, heads.path, f"LPIPS 0.1 {backbone}")
    return net.to(device).eval().requires_grad_(False)


def load_rife(name_or_path: str, device: torch.device | str = "cpu") -> tuple[IFNet, str]:
    """Load RIFE, ready for inference and channels last, and the sha256 of its file.

    Takes the name of weights in the cache (`rife-v4.0`, `rife-v4.25`), a .safetensors file made of them, or a
    flownet.pkl of these versions as released. Raises `UserError` when the file is missing, damaged, or holds another
    network.
    """
    file = _read(name_or_path)
    if file.metadata is None:
        version, state = from_released(file.state)
        arguments = {"version": version}
    else:
        arguments, state = arguments_of(file, IFNet.kind), file.state
    net = build(IFNet, arguments, file.path)
    load_strictly(net, state, file.path, f"RIFE v{net.version}")
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False), file.sha256


def _read(name_or_path: str) -> Checkpoint:
    path = Path(name_or_path).expanduser()
    return read_checkpoint(path if path.suffix in _FILES else locate(name_or_path))
