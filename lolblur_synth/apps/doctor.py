"""The `doctor` command: what this machine has for the work."""

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import cv2
import torch

from lolblur_synth.config.loading import presets
from lolblur_synth.config.presets import preset_dir
from lolblur_synth.config.run import Interpolate
from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.devices import choose_device, cores
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.interpolation.backends import survey


class Finding(NamedTuple):
    """A part of the machine, what is to be said of it, and whether it is as it must be."""

    name: str
    told: str
    in_order: bool = True


def examine() -> Iterator[Finding]:
    """The diagnosis of this machine, part by part."""
    yield Finding("processor", f"{cores()} cores; torch uses {torch.get_num_threads()}, OpenCV {cv2.getNumThreads()}")
    yield Finding("CUDA", _cuda())
    for package in ("torch", "opencv-python", "av", "scenedetect"):
        yield Finding(package, *_version(package))
    (compiler, compiles), (reference, installed) = _version("numba"), _version("bm4d")
    yield Finding("denoise", f"vbm4d (numba {compiler}); bm4d {reference}; none", compiles and installed)
    yield Finding("interpolate", "flow (OpenCV DIS); linear", hasattr(cv2, "DISOpticalFlow_create"))
    for backend, state in survey(Interpolate().weights, choose_device("auto")):
        yield Finding(f"  {backend}", state)
    try:
        net, sha256 = load_ec_zero_dce("ec_zero_dce", "cpu")
        parameters = sum(p.numel() for p in net.parameters())
        yield Finding("weights", f"ec_zero_dce, {parameters:,} parameters, sha256 {sha256[:16]}")
    except UserError as error:
        yield Finding("weights", error.told(setting), in_order=False)
    yield Finding("presets", f"{', '.join(presets())} in {preset_dir()}", bool(presets()))
    yield Finding("caches", _caches())
    disk = shutil.disk_usage(Path.cwd())
    yield Finding("disk here", f"{disk.free / 1e9:.0f} of {disk.total / 1e9:.0f} GB free")


def _cuda() -> str:
    if not torch.cuda.is_available():
        return "none: everything runs on the processor"
    return ", ".join(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def _caches() -> str:
    """Where what can be made again is kept, and how much of what; it may be deleted at any time."""
    try:
        root = cache_dir()
        parts = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
        sizes = {part.name: sum(path.stat().st_size for path in part.rglob("*") if path.is_file()) for part in parts}
    except OSError as error:
        return f"none: {error.strerror}"
    told = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in sizes.items()) or "empty"
    return f"{root}: {told}"


def _version(package: str) -> tuple[str, bool]:
    try:
        return version(package), True
    except PackageNotFoundError:
        return "not installed", False
