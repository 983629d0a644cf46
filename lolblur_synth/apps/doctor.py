"""The `doctor` command: what this machine has for the work."""

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cv2
import torch

from lolblur_synth.config.loading import preset_dir, presets
from lolblur_synth.config.run import Interpolate
from lolblur_synth.core.caches import cache_dir
from lolblur_synth.core.devices import choose_device, cores
from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.interpolation.backends import survey


def examine() -> Iterator[tuple[str, str, bool]]:
    """Each thing looked at: its name, what was found, and whether it is as it must be."""
    yield (
        "processor",
        f"{cores()} cores; torch uses {torch.get_num_threads()}, OpenCV {cv2.getNumThreads()}",
        True,
    )
    yield "CUDA", _cuda(), True
    for package in ("torch", "opencv-python", "av", "scenedetect"):
        yield package, *_version(package)
    (compiler, compiles), (reference, found) = _version("numba"), _version("bm4d")
    yield "denoise", f"vbm4d (numba {compiler}); bm4d {reference}; none", compiles and found
    yield "interpolate", "flow (OpenCV DIS); linear", hasattr(cv2, "DISOpticalFlow_create")
    for backend, found_here in survey(Interpolate().weights, choose_device("auto")):
        yield f"  {backend}", found_here, True
    try:
        net, sha256 = load_ec_zero_dce("ec_zero_dce", "cpu")
        parameters = sum(p.numel() for p in net.parameters())
        yield "weights", f"ec_zero_dce, {parameters:,} parameters, sha256 {sha256[:16]}", True
    except UserError as error:
        yield "weights", str(error), False
    yield "presets", f"{', '.join(presets())} in {preset_dir()}", bool(presets())
    yield "caches", _caches(), True
    disk = shutil.disk_usage(Path.cwd())
    yield "disk here", f"{disk.free / 1e9:.0f} of {disk.total / 1e9:.0f} GB free", True


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
